"""A whole comparison: from records and a question to its tables."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.groups.compare import comparisons, ranks
from hrtech.groups.estimate import Estimates, estimate_all
from hrtech.groups.question import ALL, GroupError, GroupQuestion, Measure
from hrtech.groups.ranks import shrunken
from hrtech.groups.reading import single
from hrtech.groups.records import JOIN, Prepared, prepare


@dataclass(frozen=True)
class GroupResult:
    """What a comparison found.

    Attributes:
        estimates: A row a measure, window and group: `estimate`, `low`, `high`, what it is made of, the design effect,
            the estimate drawn towards the mean, and why there is none where there is none.
        against_others: Each group against the records outside it.
        pairs: Groups against one another, over all windows together.
        changes: Each window of a group against the one before.
        ranks: Ranks with the places that each group may have.
        left_out: Blanks and records left out.
        standard: The standard population.
    """

    estimates: pd.DataFrame
    against_others: pd.DataFrame
    pairs: pd.DataFrame
    changes: pd.DataFrame
    ranks: pd.DataFrame
    left_out: pd.DataFrame
    standard: pd.DataFrame


def compare_groups(
    records: pd.DataFrame,
    question: GroupQuestion,
    denominators: pd.DataFrame | None = None,
    standard: pd.DataFrame | None = None,
) -> GroupResult:
    """Compare the groups of a table.

    Args:
        records: One row a record, typed.
        question: What is asked.
        denominators: Exposure by group, and by period and stratum where they matter.
        standard: The columns to standardise for, and `weight`; by default all records together.

    Raises:
        GroupError: The question cannot be answered from this table; the message names the setting and the mend.
    """
    prepared = prepare(records, question, denominators)
    weights = standard_weights(prepared, question, standard)
    estimates = estimate_all(prepared, question, weights)
    return GroupResult(
        estimates=estimates_table(prepared, estimates, question.confidence),
        **comparisons(prepared, question, estimates),
        ranks=ranks(prepared, question, estimates),
        left_out=prepared.left_out,
        standard=standard_table(prepared, estimates, weights is not None),
    )


def standard_weights(
    prepared: Prepared, question: GroupQuestion, standard: pd.DataFrame | None
) -> pd.Series | None:
    """Weight of each stratum in a declared standard; None where there is none.

    Raises:
        GroupError: It lacks a column, a weight, or a stratum that the records hold.
    """
    if standard is None or not question.standardise:
        return None
    names = list(question.standardise)
    if lacking := [c for c in [*names, "weight"] if c not in standard.columns]:
        raise GroupError(f"The standard has no column '{lacking[0]}' [setting: standard]")
    keys = list(standard[names].map(single, na_action="ignore").itertuples(index=False, name=None))
    given = pd.to_numeric(standard["weight"], errors="coerce").to_numpy(float)
    if len(set(keys)) < len(keys) or not (given >= 0).all() or not given.sum() > 0:
        raise GroupError(
            "The standard needs one row a stratum, and weights of 0 or more that are not all 0 [setting: standard]"
        )
    weights = dict(zip(keys, given, strict=True))
    strata = list(prepared.strata.itertuples(index=False, name=None))
    if absent := sum(weights[key] > 0 for key in set(keys) - set(strata)):
        raise GroupError(
            f"{absent} strata of the standard have no record at all, so no group can be given its mix. Join strata "
            "[setting: standard, standardise]"
        )
    if unknown := sum(key not in weights for key in strata):
        raise GroupError(
            f"{unknown} strata of the records or denominators are not in the standard. Give each a weight, 0 where it "
            "does not count [setting: standard]"
        )
    return pd.Series([weights[key] for key in strata])


def standard_table(prepared: Prepared, estimates: list[Estimates], declared: bool) -> pd.DataFrame:
    """The standard of each measure as a table: strata with their share of it and of the records."""
    columns = ["measure", "stratum", "share", "share_of_records", "standard"]
    counted = np.bincount(prepared.stratum[prepared.stratum >= 0], minlength=len(prepared.strata))
    named = [JOIN.join(row) for row in prepared.strata.itertuples(index=False, name=None)]
    frames = [
        pd.DataFrame(
            {
                "measure": of.measure.name,
                "stratum": named,
                "share": of.standard,
                "share_of_records": counted / counted.sum(),
                "standard": "declared" if declared else _everybody(of.measure),
            }
        )
        for of in estimates
        if of.standard is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns, dtype="str")


def _everybody(measure: Measure) -> str:
    """What the strata of everybody are weighed by."""
    return f"everybody, by {measure.denominator or measure.exposure or 'records'}"


def estimates_table(prepared: Prepared, estimates: list[Estimates], confidence: float) -> pd.DataFrame:
    """Estimates of the groups as a table."""
    labels, windows = prepared.labels, [*prepared.windows, ALL]
    frames = []
    for of in estimates:
        groups, spans = (a.ravel() for a in np.indices(of.value.shape[1:]))
        at = (np.zeros_like(groups), groups, spans)
        low, high = of.shown
        frame = pd.DataFrame(
            {
                "measure": of.measure.name,
                "kind": of.measure.kind,
                "standardised": of.standardised,
                "window": [windows[s] if of.value.shape[2] > 1 else ALL for s in spans],
                "group": [labels[g] for g in groups],
                "estimate": of.value[at],
                "low": low[at],
                "high": high[at],
                "records": of.tally.records[at].astype(int),
                "held": of.tally.held[at],
                "divided_by": of.below[at],
                "people": of.tally.people[at].astype(int),
                "unknown": of.tally.unknown[at].astype(int),
                "design_effect": of.effect[at],
                "reason": of.reason[at].astype(str),
            }
        )
        frames.append(frame.replace([np.inf, -np.inf], np.nan))
    return add_shrunken(pd.concat(frames, ignore_index=True), confidence)


def add_shrunken(estimates: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Add estimates drawn towards the mean of their window, by the width of their intervals."""
    from scipy.special import ndtri

    made = estimates.assign(shrunken=np.nan)
    variance = ((made["high"] - made["low"]) / (2 * ndtri((1 + confidence) / 2))) ** 2
    usable = made["kind"].isin(["share", "rate", "mean"]) & made["estimate"].notna() & (variance > 0)
    for _, rows in made.loc[usable].groupby(["measure", "standardised", "window"], sort=False):
        if len(rows) > 2:
            drawn = shrunken(rows["estimate"].to_numpy(float), variance[rows.index].to_numpy(float))
            made.loc[rows.index, "shrunken"] = drawn
    return made
