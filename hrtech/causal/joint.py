"""One answer of a whole specification curve, by permutation (Simonsohn, Simmons and Nelson 2020).

Exposures are dealt out again among the rows many times and every specification is estimated each time. So that the null
hypothesis (the exposure changes no outcome of anybody) holds although the exposure was not given at random, a
permutation is drawn from the distribution that the exposure has given the adjusters: the conditional permutation test
(Berrett, Wang, Barber and Samworth 2020), with logistic probabilities given the maximum adjustment set. Where several
definitions of the exposure are compared, they are dealt out together. Every specification, also one that adjusts for
too little, then errs under the permutations as it does in the data.

Three statistics: the median of the estimates in standard deviations of their outcome, the share of estimates in the
expected direction, and Stouffer's mean of standardised estimates. Each p is (1 + count) / (1 + B), never 0. The joint p
is that of the least of the three, calibrated on the same permutations (Westfall and Young 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from hrtech.causal.classical import Worlds, estimate_worlds
from hrtech.causal.columns import Columns, fit_logistic, logistic, single_threaded
from hrtech.causal.curve import Cell, Curve
from hrtech.causal.design import make_design
from hrtech.causal.question import Direction, EffectError
from hrtech.causal.refute import stand_in

STATISTICS: Final = ("median", "share in the expected direction", "Stouffer")
_SWEEPS = 30
_BATCH = 100


@dataclass(frozen=True)
class Permuted:
    """Estimates of every specification under permutations.

    Attributes:
        ids: Specification ids, (k,).
        actual: Estimates of the data on the rows that are permuted, (k,), in standard deviations of the outcome.
        null: Estimates under permutations, (B, k), in the same unit.
    """

    ids: tuple[str, ...]
    actual: np.ndarray
    null: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """Return `permutation, specification, estimate`; permutation 0 is the data."""
        both = np.vstack([self.actual, self.null])
        return pd.DataFrame(
            {
                "permutation": np.repeat(np.arange(len(both)), len(self.ids)),
                "specification": pd.Series(list(self.ids) * len(both), dtype="str"),
                "estimate": both.ravel(),
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> "Permuted":
        """Read what `to_frame` wrote."""
        if frame.empty:
            return cls((), np.empty(0), np.empty((0, 0)))
        ids = tuple(frame.loc[frame["permutation"] == 0, "specification"])
        both = frame["estimate"].to_numpy(float).reshape(-1, len(ids))
        return cls(ids, both[0], both[1:])

    def of(self, ids: Sequence[str]) -> "Permuted":
        """Return the part of some specifications."""
        chosen = [place for place, one in enumerate(self.ids) if one in set(ids)]
        return Permuted(tuple(self.ids[place] for place in chosen), self.actual[chosen], self.null[:, chosen])


@single_threaded
def permute_curve(curve: Curve, frame: pd.DataFrame, *, permutations: int = 500, seed: int = 1) -> Permuted:
    """Estimate the whole curve under permutations of the exposure.

    Args:
        curve: The curve.
        frame: The table that it was made of.
        permutations: B.
        seed: Seed of the permutations.

    Raises:
        EffectError: No row has all exposures and adjusters.
    """
    cells = [cell for cell in curve.cells if cell.design.index is not None]
    if not cells or cells[0].specifications[0].question.treatment_kind == "amount":
        return Permuted((), np.empty(0), np.empty((permutations, 0)))
    rows, source, exposures = _permutations(cells, frame, permutations, seed)
    ids: list[str] = []
    actual: list[float] = []
    null: list[np.ndarray] = []
    for cell in cells:
        place = _places(rows, cell.design.index)
        kept = np.flatnonzero(place >= 0)
        values = exposures[cell.specifications[0].exposure]
        part = cell.design.take(kept)
        weights = np.ones((len(kept), 1)) if part.weights is None else part.weights[:, None]
        whole = len(kept) == cell.design.n
        near = cell.worlds.near if whole else None
        observed = Worlds(part.treatment[:, None], part.covariates, weights, near=near)
        found = {
            one.id: _one(one.estimator, cell, one.outcome, kept, observed) for one in cell.specifications
        }
        drawn: dict[str, list[np.ndarray]] = {one.id: [] for one in cell.specifications}
        for first in range(0, permutations, _BATCH):
            dealt = values[source[first : first + _BATCH]][:, place[kept]].T
            start = observed.fitted()[0] if observed.logistic else None
            worlds = Worlds(
                np.ascontiguousarray(dealt), part.covariates, weights, near=observed.near, start=start
            )
            for one in cell.specifications:
                drawn[one.id].append(_one(one.estimator, cell, one.outcome, kept, worlds))
        for one in cell.specifications:
            ids.append(one.id)
            actual.append(float(found[one.id][0]))
            null.append(np.concatenate(drawn[one.id]))
    return Permuted(tuple(ids), np.array(actual), np.column_stack(null))


def joint_test(permuted: Permuted, direction: Direction) -> pd.DataFrame:
    """Test the whole curve.

    Returns:
        `statistic, value, p` for each of `STATISTICS`, and a last row `joint`. Empty without specifications.
    """
    columns = {"statistic": "str", "value": "float64", "p": "float64"}
    both = np.vstack([permuted.actual, permuted.null]) if permuted.ids else np.empty((0, 0))
    both = both[:, np.isfinite(both).all(axis=0)] if both.size else both
    if not both.size or both.shape[0] < 2:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    centred = both - both.mean(axis=0)
    deviation = both.std(axis=0, ddof=1)
    scores = centred / np.where(deviation > 0, deviation, 1)
    median, share = np.median(both, axis=1), (both > 0).mean(axis=1)
    stouffer = scores.sum(axis=1) / np.sqrt(both.shape[1])
    if direction == "decreases":
        extreme = np.stack([-median, (both < 0).mean(axis=1), -stouffer])
        share = extreme[1]
    elif direction == "increases":
        extreme = np.stack([median, share, stouffer])
    else:
        share = np.maximum(share, (both < 0).mean(axis=1))
        extreme = np.stack([np.abs(median - median.mean()), share, np.abs(stouffer)])
    # the share of permutations, the data among them, that are at least as extreme
    p = np.stack([_upper(values) for values in extreme])
    least = p.min(axis=0)
    joint = float((least <= least[0] + 1e-12).mean())
    values = [median[0], share[0], stouffer[0], np.nan]
    return pd.DataFrame(
        {"statistic": [*STATISTICS, "joint"], "value": values, "p": [*p[:, 0], joint]}
    ).astype(columns)


def _upper(values: np.ndarray) -> np.ndarray:
    """Return the share of all values at least as large, per value; rounding does not part equal ones."""
    rounded = np.round(values, 12)
    return np.asarray((len(values) - np.searchsorted(np.sort(rounded), rounded, side="left")) / len(values))


def _one(estimator: str, cell: Cell, outcome: str, kept: np.ndarray, worlds: Worlds) -> np.ndarray:
    values = cell.outcomes[outcome][kept]
    found, _ = estimate_worlds(stand_in(estimator), worlds, values[:, None], errors=False)
    return np.asarray(found / (values.std() or 1.0))


def _places(rows: np.ndarray, index: np.ndarray | None) -> np.ndarray:
    """Return where each row of a design stands among the permuted ones; −1 where it does not."""
    where = {row: place for place, row in enumerate(rows)}
    return np.array([where.get(row, -1) for row in (index if index is not None else [])], dtype=np.int64)


def _permutations(
    cells: Sequence[Cell], frame: pd.DataFrame, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return rows of the table, permutations of them (B, n), and each definition of the exposure on them."""
    from hrtech.causal.matching_loops import conditional_permutations

    widest: dict[str, Cell] = {}
    for cell in cells:
        name = cell.specifications[0].exposure
        width = len(cell.specifications[0].adjusted)
        if name not in widest or width > len(widest[name].specifications[0].adjusted):
            widest[name] = cell
    adjusted = tuple(
        dict.fromkeys(variable for cell in widest.values() for variable in cell.specifications[0].adjusted)
    )
    designs = {}
    for name, cell in widest.items():
        question = cell.specifications[0].question
        from dataclasses import replace

        designs[name] = make_design(frame, replace(question, population=None, adjust_for=None), adjusted)
    common: set[int] | None = None
    for design in designs.values():
        seen = set(np.asarray(design.index).tolist())
        common = seen if common is None else common & seen
    rows = np.array(sorted(common or ()), dtype=np.int64)
    if not len(rows):
        raise EffectError(
            "No row has every exposure and adjuster, so that the curve cannot be tested as a whole"
        )
    exposures = {
        name: design.treatment[_places(np.asarray(design.index), rows)] for name, design in designs.items()
    }
    first = next(iter(designs.values()))
    covariates = first.covariates[_places(np.asarray(first.index), rows)]
    odds, arms = _chances(covariates, list(exposures.values()))
    source = np.empty((permutations, len(rows)), dtype=np.int64)
    conditional_permutations(odds, arms, _SWEEPS, np.random.default_rng(seed), source)
    return rows, source, exposures


def _chances(covariates: np.ndarray, exposures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the log probability of every joint exposure per row, and which one each row has.

    The first definition is logistic in the adjusters, each further one in the adjusters and those before it.
    """
    joint = np.column_stack(exposures)
    kinds, arms = np.unique(joint, axis=0, return_inverse=True)
    n = len(joint)
    odds = np.zeros((n, len(kinds)))
    for place in range(joint.shape[1]):
        before = joint[:, :place]
        columns = Columns(np.column_stack([covariates, before]))
        beta = fit_logistic(columns, joint[:, [place]], np.ones((n, 1)))
        for kind, values in enumerate(kinds):
            given = Columns(np.column_stack([covariates, np.tile(values[:place], (n, 1))]))
            chance = np.clip(logistic(given.predict(beta))[:, 0], 1e-4, 1 - 1e-4)
            odds[:, kind] += np.log(chance if values[place] == 1 else 1 - chance)
    return odds, arms.ravel().astype(np.int64)
