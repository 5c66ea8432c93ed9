"""From a table to the numbers that an estimator sees: population, missing values, encoding, and refusals.

Every row left out is counted. What cannot be estimated is refused here, before any number exists.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hrtech.causal.expression import evaluate
from hrtech.causal.question import EffectError, EffectQuestion

_MOST_LEVELS = 60
_FEWEST_PER_GROUP = 10


@dataclass(frozen=True)
class Design:
    """Rows and columns of the analysis.

    Attributes:
        treatment: 0 or 1 per row; a number where the exposure is an amount.
        outcome: Number per row; for time to an event the pseudo-observation of event-free time.
        covariates: One column per encoded adjuster, centred and scaled to unit variance.
        names: What each column is, such as `age` or `region = Savanna`.
        rows: `step, rows`: how many rows each step left out, and how many are used.
        weights: Weight per row with mean 1, None where all count the same.
        cluster: Number of the cluster per row, None where rows are independent.
        index: Place in the table that was handed in, per row.
    """

    treatment: np.ndarray
    outcome: np.ndarray
    covariates: np.ndarray
    names: tuple[str, ...]
    rows: pd.DataFrame
    weights: np.ndarray | None = None
    cluster: np.ndarray | None = None
    index: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of rows used."""
        return len(self.outcome)

    def take(self, rows: np.ndarray) -> "Design":
        """Return the design of some rows, by mask or numbers."""

        def part(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[rows]

        return replace(
            self,
            treatment=self.treatment[rows],
            outcome=self.outcome[rows],
            covariates=self.covariates[rows],
            weights=part(self.weights),
            cluster=part(self.cluster),
            index=part(self.index),
        )


def make_design(frame: pd.DataFrame, question: EffectQuestion, adjusted: tuple[str, ...]) -> Design:
    """Build the analysis table.

    Raises:
        EffectError: An expression or column is unusable, the exposure has not two levels, the outcome is constant,
            there are too few rows, or adjusters determine each other or the exposure.
    """
    steps = [("rows in the table", len(frame))]
    place = np.arange(len(frame))
    if question.population is not None:
        asked = evaluate(question.population, frame, setting="population").fillna(False).astype(bool)
        steps.append(("outside the population asked about, or unknown", int((~asked).sum())))
        frame, place = frame.loc[asked], place[asked.to_numpy()]
    t = _treatment(frame, question)
    y = _outcome(frame, question)
    known = (t.notna() & y.notna()).to_numpy()
    steps.append(("exposure or outcome missing", int((~known).sum())))
    if question.missing == "complete_cases":
        complete = frame[list(adjusted)].notna().all(axis=1).to_numpy()
        steps.append(("an adjuster missing", int((known & ~complete).sum())))
        known = known & complete
    steps.append(("rows used", int(known.sum())))
    treatment, outcome = t[known].to_numpy(float), y[known].to_numpy(float)
    _check_variation(treatment, outcome, question)
    columns = [_encode(frame.loc[known, name], name) for name in adjusted]
    names = tuple(name for block in columns for name, _ in block)
    raw = [values for block in columns for _, values in block]
    covariates = np.column_stack(raw) if raw else np.empty((len(outcome), 0))
    covariates = _scaled(covariates)
    _check_rank(treatment, covariates, names, question)
    rows = pd.DataFrame(steps, columns=["step", "rows"]).astype({"step": "str"})
    return Design(treatment, outcome, covariates, names, rows, index=place[known])


def _treatment(frame: pd.DataFrame, question: EffectQuestion) -> pd.Series:
    """Return the exposure as 0/1 with blanks, from a column or an expression."""
    name = question.treatment
    if name not in frame.columns:
        return evaluate(name, frame, setting="treatment").astype("Float64")
    values = frame[name]
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean").astype("Float64")
    if pd.api.types.is_numeric_dtype(values.dtype) and values.dropna().isin([0, 1]).all():
        return values.astype("Float64")
    raise EffectError(
        f"The exposure '{name}' is not a yes or no. Define it as one, for example '{name} >= …' or '{name} == …' "
        "[setting: treatment]"
    )


def _outcome(frame: pd.DataFrame, question: EffectQuestion) -> pd.Series:
    name = question.outcome
    if name not in frame.columns:
        return evaluate(name, frame, setting="outcome").astype("Float64")
    values = frame[name]
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean").astype("Float64")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("Float64")
    raise EffectError(
        f"The outcome '{name}' holds no numbers. Define it as a condition, such as '{name} == …' [setting: outcome]"
    )


def _check_variation(treatment: np.ndarray, outcome: np.ndarray, question: EffectQuestion) -> None:
    for level, word in ((1, "exposed"), (0, "unexposed")):
        count = int((treatment == level).sum())
        if count == 0:
            raise EffectError(
                f"The exposure '{question.treatment}' has one level only: nobody is {word}. Check its definition "
                "and the population [setting: treatment, population]"
            )
        if count < _FEWEST_PER_GROUP:
            raise EffectError(
                f"Only {count} rows are {word}; at least {_FEWEST_PER_GROUP} are needed. Widen the population "
                "[setting: population]"
            )
    if np.ptp(outcome) == 0:
        raise EffectError(
            f"The outcome '{question.outcome}' is constant, so that nothing can change it [setting: outcome]"
        )


def _encode(values: pd.Series, name: str) -> list[tuple[str, np.ndarray]]:
    """Return columns for one adjuster: a number with an indicator of blanks, or one column per level but the first."""
    unknown = values.isna().to_numpy()
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.astype("Float64").to_numpy(float, na_value=np.nan)
        if unknown.all():
            raise EffectError(
                f"The adjuster '{name}' is blank in every row. Leave it out [setting: confounders]"
            )
        block = [(name, np.where(unknown, numbers[~unknown].mean(), numbers))]
        return [*block, (f"{name} = unknown", unknown.astype(float))] if unknown.any() else block
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        days = (values - pd.Timestamp("2000-01-01")).dt.days
        return _encode(days.astype("Float64"), name)
    if not (pd.api.types.is_string_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype)):
        raise EffectError(
            f"The adjuster '{name}' holds several values a cell or mixed types. Make conditions of it, such as "
            f'contains({name}, "…"), in a column of its own'
        )
    texts = values.astype("str").where(~unknown, "unknown")
    levels = sorted(texts.unique())
    if len(levels) > _MOST_LEVELS:
        raise EffectError(
            f"The adjuster '{name}' has {len(levels)} levels, more than {_MOST_LEVELS}. Group them first"
        )
    return [(f"{name} = {level}", (texts == level).to_numpy(float)) for level in levels[1:]]


def _scaled(covariates: np.ndarray) -> np.ndarray:
    spread = covariates.std(axis=0)
    return (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _check_rank(
    treatment: np.ndarray, covariates: np.ndarray, names: tuple[str, ...], question: EffectQuestion
) -> None:
    n, width = covariates.shape
    if n < width + 2 + _FEWEST_PER_GROUP:
        raise EffectError(
            f"{n} rows are too few for {width} adjusting columns. Adjust for less, group levels, or widen the "
            "population"
        )
    kept = np.ones((n, 1))
    for column, name in enumerate(names):
        wider = np.column_stack([kept, covariates[:, column]])
        if np.linalg.matrix_rank(wider, tol=1e-8 * np.sqrt(n)) < wider.shape[1]:
            raise EffectError(
                f"The adjuster '{name}' is constant or follows exactly from those before it (perfect collinearity). "
                "Leave one out [setting: confounders]"
            )
        kept = wider
    residual = treatment - kept @ np.linalg.lstsq(kept, treatment, rcond=None)[0]
    if residual @ residual < 1e-10 * n:
        raise EffectError(
            f"The adjusters determine the exposure '{question.treatment}' exactly, so that exposed and "
            "unexposed cannot be compared (perfect collinearity). Leave one out [setting: confounders]"
        )
