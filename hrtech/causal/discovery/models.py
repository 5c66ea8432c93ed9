"""What is assumed of the data, and the score that follows: chosen from kinds, linearity and Gaussianity.

Five models: `discrete` (BDeu), `gaussian` (BIC), `non_gaussian` (linear with other noise), `nonlinear` (additive
splines), `mixed` (degenerate Gaussian BIC).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.causal.discovery.scores import BDEU, BLOCKS, ENTROPY, ScoreData
from hrtech.causal.discovery.table import Table, Variable

Model = Literal["discrete", "gaussian", "non_gaussian", "nonlinear", "mixed"]
ModelChoice = Literal["auto", "discrete", "gaussian", "non_gaussian", "nonlinear", "mixed"]
#: What each model says, in words.
MODELS: Final[dict[str, str]] = {
    "discrete": "All variables are categories: scored by BDeu, tested by G².",
    "gaussian": "All are numbers; lines with Gaussian noise describe them best: scored by BIC, tested by partial "
    "correlation.",
    "non_gaussian": "All are numbers; lines with noise that is not Gaussian describe them best, so that directions "
    "show: scored by the likelihood of that noise.",
    "nonlinear": "All are numbers; curves describe them best, so that directions show: scored by additive splines.",
    "mixed": "Numbers and categories: scored by the degenerate Gaussian BIC, tested by likelihood ratios.",
}
#: Models under which the data can tell one graph of a Markov equivalence class from another.
DIRECTED: Final = frozenset({"non_gaussian", "nonlinear"})
#: Multiplies log(n) / 2 for each parameter; for `discrete` the equivalent sample size.
PENALTY: Final[dict[str, float]] = {
    "discrete": 5.0,
    "gaussian": 2.0,
    "non_gaussian": 2.5,
    "nonlinear": 1.25,
    "mixed": 1.5,
}
#: Log-odds of an edge beforehand under `discrete`, times minus log(variables - 2): the more graphs there are, the less
#: likely each edge is (as in Chen and Chen's extended BIC, 2008).
EDGE_PRIOR: Final = 1.6
SPLINES: Final = 5
#: Below this many rows a curve is not told from noise, and a line is kept.
_ROWS_FOR_CURVES: Final = 200
_MARGIN: Final = 10.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A model and what spoke for it.

    Attributes:
        model: The model.
        reasons: `check, value, meaning`.
    """

    model: Model
    reasons: pd.DataFrame


class Prepared:
    """A table made ready for a model once, from which the data of its score come for all rows or for rows drawn again.

    Args:
        table: The variables.
        model: The model; it must fit the kinds of the variables.
    """

    def __init__(self, table: Table, model: Model) -> None:
        self.table, self.model = table, model
        size = len(table.variables)
        single = np.column_stack([np.arange(size), np.arange(size) + 1])
        self._children = self._parents = single
        self._levels = np.array([max(len(v.levels), 1) for v in table.variables], np.int64)
        self._columns = np.empty((table.n, 0))
        self._codes, self._counts = np.empty((size, 0), np.int64), np.empty(0, np.int64)
        if model == "discrete":
            codes = np.column_stack([v.values for v in table.variables]).astype(np.int64)
            combinations, self._counts = np.unique(codes, axis=0, return_counts=True)
            self._codes = np.ascontiguousarray(combinations.T)
            return
        blocks = [_block(v, curved=model == "nonlinear") for v in table.variables]
        self._columns = np.hstack(blocks)
        ends = np.cumsum([block.shape[1] for block in blocks])
        first = ends - [block.shape[1] for block in blocks]
        self._parents = np.column_stack([first, ends])
        self._children = np.column_stack([first, first + 1]) if model == "nonlinear" else self._parents

    def data(self, rng: np.random.Generator | None = None) -> ScoreData:
        """Return what the score reads.

        Args:
            rng: Draws as many rows again with replacement; every row once without it.
        """
        n, size = self.table.n, len(self.table.variables)
        counts, moments, values = self._counts, np.empty((0, 0)), np.empty((size, 0))
        if self.model == "discrete":
            counts = counts if rng is None else rng.multinomial(n, counts / n).astype(np.int64)
        else:
            z = self._columns
            if rng is not None:
                z = z[rng.integers(0, n, n)]
                z = z - z.mean(axis=0)
                spread = z.std(axis=0)
                z = z / np.where(spread > 0, spread, 1)
            moments = z.T @ z / n
            if self.model == "non_gaussian":
                values = np.ascontiguousarray(z.T)
        kind = {"discrete": BDEU, "non_gaussian": ENTROPY}.get(self.model, BLOCKS)
        return ScoreData(
            kind, n, moments, self._children, self._parents, values, self._codes, counts, self._levels,
            PENALTY[self.model], -EDGE_PRIOR * float(np.log(max(size - 2, 1))) if self.model == "discrete" else 0.0,
        )  # fmt: skip


def score_data(table: Table, model: Model) -> ScoreData:
    """Return what the score of a model reads, over all rows."""
    return Prepared(table, model).data()


def _standard(values: Floats) -> Floats:
    out: Floats = (values - values.mean()) / max(values.std(), 1e-12)
    return out


def _block(variable: Variable, *, curved: bool) -> Floats:
    """Columns of a variable, centred: the number, its spline, or one column a level but the first."""
    if variable.kind == "category":
        columns = (variable.values[:, None] == np.arange(1, len(variable.levels))).astype(float)
        columns -= columns.mean(axis=0)
        spread = columns.std(axis=0)
        # a level that was not drawn again carries nothing
        out: Floats = columns / np.where(spread > 0, spread, 1) + 0.0
        return out
    z = _standard(variable.values)
    return splines(z) if curved else z[:, None]


def splines(z: Floats, count: int = SPLINES) -> Floats:
    """Natural cubic splines of a standardised number, centred, orthogonal, of unit variance; the first is linear.

    Args:
        z: Numbers, shape (n,).
        count: Columns; fewer where the number has few distinct values.

    Returns:
        Shape (n, at most count).
    """
    knots = np.unique(np.quantile(z, np.linspace(0.05, 0.95, count + 1)))
    last = len(knots) - 1
    columns = [z]
    if last >= 2:
        cubes = [
            (np.maximum(z - knots[k], 0) ** 3 - np.maximum(z - knots[last], 0) ** 3)
            / (knots[last] - knots[k])
            for k in range(last)
        ]
        columns += [cube - cubes[last - 1] for cube in cubes[: last - 1]]
    kept: list[Floats] = []
    for column in columns:
        rest = column - column.mean()
        for before in kept:
            rest = rest - (rest @ before) / len(z) * before
        spread = rest.std()
        if spread > 1e-6:
            kept.append(rest / spread)
    return np.column_stack(kept)


def choose_model(table: Table, scored: Callable[[Model], float]) -> Choice:
    """Choose a model from the kinds of the variables; among numbers, by which describes them best.

    Lines with Gaussian noise, lines with noise of another shape and curves are each given their best graph. The first
    is kept unless another one gains `_MARGIN` in log-likelihood after its penalty: a test of linearity and one of
    Gaussianity at once, which looks at the whole graph instead of one regression. Curves are tried from 200 rows on.

    Args:
        table: The variables.
        scored: Score of the best graph under a model, comparable between the models of numbers.
    """
    numbers = sum(v.kind == "number" for v in table.variables)
    reasons: list[tuple[str, float, str]] = [
        ("variables", len(table.variables), "variables in the table"),
        ("numbers", numbers, "of them are numbers with more than two values"),
        ("rows", table.n, "rows used"),
    ]
    if numbers == 0:
        return _choice("discrete", reasons)
    if numbers < len(table.variables):
        return _choice("mixed", reasons)
    base = scored("gaussian")
    gains: dict[Model, float] = {"non_gaussian": scored("non_gaussian") - base}
    reasons.append(
        ("non_gaussian_noise", gains["non_gaussian"], "log-likelihood gained by noise of another shape")
    )
    if table.n >= _ROWS_FOR_CURVES:
        gains["nonlinear"] = scored("nonlinear") - base
        reasons.append(("curves", gains["nonlinear"], "log-likelihood gained by curves instead of lines"))
    best = max(gains, key=lambda model: gains[model])
    return _choice(best if gains[best] > _MARGIN else "gaussian", reasons)


def comparable(model: Model, score: float, table: Table) -> float:
    """Put a score on the scale of the Gaussian one: a noise of another shape costs two parameters a variable."""
    if model != "non_gaussian":
        return score
    gaussian_entropy = 0.5 * (1 + np.log(2 * np.pi))
    return float(score + len(table.variables) * (table.n * gaussian_entropy - np.log(table.n)))


def _choice(model: Model, reasons: list[tuple[str, float, str]]) -> Choice:
    table = pd.DataFrame(reasons, columns=["check", "value", "meaning"])
    return Choice(model, table.astype({"check": "str", "value": float, "meaning": "str"}))
