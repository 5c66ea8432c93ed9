"""From a table to the numbers that an estimator sees: population, missing values, encoding, and refusals.

Every row left out is counted. What cannot be estimated is refused here, before any number exists.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hrtech.causal.encode import FEWEST, Blanks, check_rank, encode, scaled
from hrtech.causal.expression import evaluate
from hrtech.causal.missing import completeness_weights, fillings
from hrtech.causal.question import EffectError, EffectQuestion
from hrtech.causal.survival import enough_followed, event_free_time

_FEWEST_CLUSTERS = 10


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
        imputed: Adjusters with blanks filled, once per filling; empty where nothing was filled.
    """

    treatment: np.ndarray
    outcome: np.ndarray
    covariates: np.ndarray
    names: tuple[str, ...]
    rows: pd.DataFrame
    weights: np.ndarray | None = None
    cluster: np.ndarray | None = None
    index: np.ndarray | None = None
    imputed: tuple[np.ndarray, ...] = ()

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
            imputed=tuple(one[rows] for one in self.imputed),
        )

    def filled(self, number: int) -> "Design":
        """Return the design with one filling of the blanks alone."""
        return replace(self, covariates=self.imputed[number], imputed=())


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
    t, y = _treatment(frame, question), _outcome(frame, question)
    own = {name: _own_column(frame, name, setting) for setting, name in _own_columns(question)}
    known = (t.notna() & y.notna()).to_numpy()
    blank = known & ~_all_known(own.values(), len(frame))
    if question.missing != "weighting":
        steps.append(("exposure or outcome missing", int((~known).sum())))
    if own:
        steps.append(("weight, cluster or time at risk missing", int(blank.sum())))
    known = known & ~blank
    complete = frame[list(adjusted)].notna().all(axis=1).to_numpy()
    weights = _weights(own, question, frame)
    if question.missing == "weighting":
        usable = _all_known(own.values(), len(frame))
        weights = weights * _complete_weights(frame, question, adjusted, t, y, known & complete, usable)
        steps.append(
            (
                "exposure, outcome or an adjuster missing; the others weigh more",
                int((usable & ~(known & complete)).sum()),
            )
        )
    elif question.missing == "complete_cases":
        steps.append(("an adjuster missing", int((known & ~complete).sum())))
    if question.missing in ("weighting", "complete_cases"):
        known = known & complete
    elif (filled := int((known & ~complete).sum())) or question.missing == "multiple_imputation":
        steps.append(("kept with an adjuster missing", filled))
    steps.append(("rows used", int(known.sum())))
    treatment, outcome = t[known].to_numpy(float), y[known].to_numpy(float)
    check_variation(treatment, outcome, question)
    if question.follow_up is not None:
        outcome = _event_free(treatment, outcome, own[question.follow_up][known].to_numpy(float), question)
    design = _encoded(frame.loc[known], question, adjusted, treatment, outcome)
    check_rank(treatment, design.covariates, design.names, question)
    design = replace(
        design,
        rows=pd.DataFrame(steps, columns=["step", "rows"]).astype({"step": "str"}),
        index=place[known],
        weights=None
        if question.weights is None and question.missing != "weighting"
        else weights[known] / weights[known].mean(),
        cluster=None
        if question.cluster is None
        else np.unique(own[question.cluster][known].astype("str"), return_inverse=True)[1],
    )
    if design.cluster is not None and (count := len(np.unique(design.cluster))) < _FEWEST_CLUSTERS:
        raise EffectError(
            f"'{question.cluster}' has {count} clusters; at least {_FEWEST_CLUSTERS} are needed for an interval "
            "[setting: cluster]"
        )
    if question.trim is not None:
        from hrtech.causal.overlap import trimmed

        design = trimmed(design, question)
    return design


def _encoded(
    frame: pd.DataFrame,
    question: EffectQuestion,
    adjusted: tuple[str, ...],
    treatment: np.ndarray,
    outcome: np.ndarray,
) -> Design:
    """Encode the adjusters, and fill blanks several times where that is asked for."""
    several = question.missing == "multiple_imputation"
    blanks: Blanks = "kept" if several else "indicator" if question.missing == "indicator" else "none"
    columns = [encode(frame[name], name, blanks) for name in adjusted]
    names = tuple(name for block in columns for name, _ in block)
    raw = [values for block in columns for _, values in block]
    covariates = np.column_stack(raw) if raw else np.empty((len(outcome), 0))
    imputed: tuple[np.ndarray, ...] = ()
    if several and np.isnan(covariates).any():
        rng = np.random.default_rng(question.seed)
        table = np.column_stack([treatment, outcome, covariates])
        imputed = tuple(scaled(one[:, 2:]) for one in fillings(table, question.imputations, rng))
    return Design(
        treatment,
        outcome,
        imputed[0] if imputed else scaled(covariates),
        names,
        pd.DataFrame(),
        imputed=imputed,
    )


def _own_columns(question: EffectQuestion) -> list[tuple[str, str]]:
    settings = ("weights", "cluster", "follow_up")
    return [(setting, name) for setting in settings if (name := getattr(question, setting)) is not None]


def _own_column(frame: pd.DataFrame, name: str, setting: str) -> pd.Series:
    if name not in frame.columns:
        raise EffectError(f"The table has no column '{name}' [setting: {setting}]")
    values = frame[name]
    if setting == "cluster":
        return values
    if not pd.api.types.is_numeric_dtype(values.dtype) or (values.dropna() < 0).any():
        raise EffectError(f"The column '{name}' must hold numbers that are not negative [setting: {setting}]")
    return values.astype("Float64")


def _all_known(columns: Iterable[pd.Series], n: int) -> np.ndarray:
    known = np.ones(n, dtype=bool)
    for values in columns:
        known = known & values.notna().to_numpy()
    return known


def _weights(own: dict[str, pd.Series], question: EffectQuestion, frame: pd.DataFrame) -> np.ndarray:
    if question.weights is None:
        return np.ones(len(frame))
    weights = own[question.weights].to_numpy(float, na_value=0.0)
    if not weights.sum() > 0:
        raise EffectError(f"The weights '{question.weights}' are all zero [setting: weights]")
    return weights


def _complete_weights(
    frame: pd.DataFrame,
    question: EffectQuestion,
    adjusted: tuple[str, ...],
    t: pd.Series,
    y: pd.Series,
    complete: np.ndarray,
    usable: np.ndarray,
) -> np.ndarray:
    """Return the weight of complete rows by what is known of all; 1 where nothing is missing."""
    weights = np.ones(len(frame))
    if complete[usable].all() or not complete.any():
        return weights
    blocks = [
        np.column_stack(
            [values for _, values in encode(frame.loc[usable, name], name, "none")] or [usable[usable]]
        )
        for name in adjusted
        if frame.loc[usable, name].notna().all()
    ]
    blocks += [each[usable].to_numpy(float)[:, None] for each in (t, y) if each[usable].notna().all()]
    if not blocks:
        raise EffectError(
            "No column is known for all rows, so that nothing says which rows are complete. Use indicator or "
            "multiple_imputation [setting: missing]"
        )
    weights[usable & complete] = completeness_weights(scaled(np.hstack(blocks)), complete[usable])
    return weights


def _event_free(
    treatment: np.ndarray, event: np.ndarray, time: np.ndarray, question: EffectQuestion
) -> np.ndarray:
    """Return pseudo-observations of event-free time, within exposed and unexposed apart."""
    horizon = float(question.horizon or 0)
    if not np.isin(event, (0.0, 1.0)).all():
        raise EffectError(
            f"The outcome '{question.outcome}' must be a yes or no, whether the event came, where time counts "
            "[setting: outcome, follow_up]"
        )
    found = np.empty(len(time))
    for level, word in ((1, "exposed"), (0, "unexposed")):
        arm = treatment == level
        if not enough_followed(time[arm], event[arm], horizon):
            raise EffectError(
                f"Nobody {word} was followed up to the horizon {horizon:g}. Choose an earlier one [setting: horizon]"
            )
        found[arm] = event_free_time(time[arm], event[arm], horizon)
    return found


def _treatment(frame: pd.DataFrame, question: EffectQuestion) -> pd.Series:
    """Return the exposure as 0/1 with blanks, from a column or an expression."""
    name = question.treatment
    if name not in frame.columns:
        return evaluate(name, frame, setting="treatment").astype("Float64")
    values = frame[name]
    if question.treatment_kind == "amount":
        if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
            return values.astype("Float64")
        raise EffectError(
            f"The exposure '{name}' holds no numbers, so it is no amount [setting: treatment_kind]"
        )
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


def check_variation(treatment: np.ndarray, outcome: np.ndarray, question: EffectQuestion) -> None:
    """Refuse an exposure with one level, too few rows in one, and an outcome that is constant.

    Raises:
        EffectError: One of these.
    """
    if question.treatment_kind == "amount":
        if len(np.unique(treatment)) < 3:
            raise EffectError(
                f"The exposure '{question.treatment}' takes fewer than three values, so it is no amount "
                "[setting: treatment_kind]"
            )
    else:
        for level, word in ((1, "exposed"), (0, "unexposed")):
            count = int((treatment == level).sum())
            if count == 0:
                raise EffectError(
                    f"The exposure '{question.treatment}' has one level only: nobody is {word}. Check its definition "
                    "and the population [setting: treatment, population]"
                )
            if count < FEWEST:
                raise EffectError(
                    f"Only {count} rows are {word}; at least {FEWEST} are needed. Widen the population "
                    "[setting: population]"
                )
    if np.ptp(outcome) == 0:
        raise EffectError(
            f"The outcome '{question.outcome}' is constant, so that nothing can change it [setting: outcome]"
        )
