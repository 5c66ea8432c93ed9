"""Records as arrays: who belongs to which group, window and stratum, and what each adds to a measure.

A blank is unknown: it is left out and counted, never a value. Who belongs where is `hrtech.groups.axes`, single
columns are `hrtech.groups.reading`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.expression import columns_named, evaluate
from hrtech.groups.axes import Left, memberships, strata_of, values_by_record, windows_of
from hrtech.groups.denominators import Exposure, exposures
from hrtech.groups.question import ALL, EVERYBODY, GroupError, GroupQuestion, Measure
from hrtech.groups.reading import numbers

Ints = np.ndarray
Floats = np.ndarray
#: Between the values of a group of several columns.
JOIN = " · "


@dataclass(frozen=True)
class Values:
    """What each record adds to a measure; NaN in both where it is unknown.

    Attributes:
        above: Condition (0 or 1), events, or the value.
        below: 1, or the exposure.
    """

    above: Floats
    below: Floats


@dataclass(frozen=True)
class Prepared:
    """Records as arrays.

    Attributes:
        keys: One row a group, the values of the columns of groups; in order.
        member: Record of each membership; a record of a multi-valued column has several.
        group: Group of each membership.
        window: Window of each record, -1 where the period is unknown.
        windows: Names of the windows, in order; empty where there is no period.
        stratum: Stratum of each record, -1 where it is unknown; 0 where nothing is standardised.
        strata: One row a stratum.
        cluster: Person behind each record, or the record itself.
        weight: Survey weight of each record, or 1.
        measured: Measure → what each record adds.
        exposure: Measure → exposure from the table of denominators, where it names one.
        left_out: What was left out or is unknown: `what`, `records`, `unknown`, `share`.
    """

    keys: pd.DataFrame
    member: Ints
    group: Ints
    window: Ints
    windows: tuple[str, ...]
    stratum: Ints
    strata: pd.DataFrame
    cluster: Ints
    weight: Floats
    measured: Mapping[str, Values]
    exposure: Mapping[str, Exposure]
    left_out: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """Names of the groups."""
        return [JOIN.join(map(str, row)) for row in self.keys.itertuples(index=False)]

    @property
    def overlapping(self) -> bool:
        """Whether a record belongs to several groups."""
        return len(self.member) > len(self.window)


def prepare(
    records: pd.DataFrame, question: GroupQuestion, denominators: pd.DataFrame | None = None
) -> Prepared:
    """Read the records.

    Args:
        records: One row a record, typed; multi-valued cells are lists, a blank is missing.
        question: What is asked.
        denominators: Table of denominators; its groups are there even where they have no record.

    Raises:
        GroupError: A column is missing or of the wrong kind, nothing is left, or there are too many groups.
    """
    _check_columns(records, question)
    told: Left = []
    kept = _filtered(records, question, told)
    if denominators is not None:
        denominators = _filtered_too(denominators, question)
    parts = [values_by_record(kept[name], name, question.unknown) for name in question.groups]
    known = np.ones(len(kept), bool)
    for name, part in zip(question.groups, parts, strict=True):
        blank = np.array([not cell for cell in part], dtype=bool)
        told.append((f"column {name}", len(kept), int(kept[name].isna().sum())))
        known &= ~blank
    if not known.any():
        raise GroupError(
            "No record is left: all are filtered out or have a blank in a column of groups. Widen filters, or set "
            "unknown to group [setting: filters, groups]"
        )
    told.append(("groups, all columns together", len(kept), int((~known).sum())))
    kept = kept.loc[known].reset_index(drop=True)
    parts = [[cell for cell, there in zip(part, known, strict=True) if there] for part in parts]
    keys, member, group = memberships(parts, question, denominators)
    window, windows = windows_of(kept, question, told)
    stratum, strata = strata_of(kept, question, told, denominators)
    labels = [JOIN.join(map(str, row)) for row in keys.itertuples(index=False)]
    if len(set(labels)) < len(labels) or ALL in windows or EVERYBODY in labels:
        raise GroupError(
            f"Two groups or windows cannot be told apart by their names: a period is called '{ALL}', a group "
            f"'{EVERYBODY}', or a value holds '{JOIN}'. Rename it in the source [setting: groups, period]"
        )
    exposure = {
        m.name: exposures(question, m, denominators, keys, windows, strata, (member, group, window, stratum))
        for m in question.measures
        if m.denominator
    }
    nowhere = {name: _without(found, member, group, window) for name, found in exposure.items()}
    measured = {m.name: _values(kept, m, told, nowhere.get(m.name)) for m in question.measures}
    cluster = np.arange(len(kept))
    if question.subject:
        cluster, _ = pd.factorize(kept[question.subject])
        alone = np.flatnonzero(cluster < 0)  # a record of nobody known is its own
        cluster[alone] = cluster.max(initial=-1) + 1 + np.arange(len(alone))
        told.append((f"column {question.subject}", len(kept), len(alone)))
    weight = np.ones(len(kept))
    if question.weight:
        weight = numbers(kept, question.weight, "weight")
        if not (weight > 0).all():
            raise GroupError(
                f"Column '{question.weight}' holds a blank, or a weight that is not above 0. Give every record a "
                "weight, or leave it out by a filter [setting: weight]"
            )
    left_out = pd.DataFrame(told, columns=["what", "records", "unknown"])
    left_out["share"] = left_out["unknown"] / left_out["records"].clip(lower=1)
    return Prepared(
        keys,
        member,
        group,
        window,
        windows,
        stratum,
        strata,
        cluster.astype(np.int64),
        weight,
        measured,
        exposure,
        left_out,
    )


def _without(exposure: Exposure, member: Ints, group: Ints, window: Ints) -> np.ndarray:
    """Records of a group that has no exposure in their window: they cannot be divided by anything."""
    gone = np.zeros(len(window), bool)
    gone[member] = np.isnan(exposure.by_window[group, window[member]])
    return gone


def _check_columns(records: pd.DataFrame, question: GroupQuestion) -> None:
    if not len(records):
        raise GroupError("The table has no record. Check where the source points to [setting: source]")
    named = [("groups", name) for name in question.groups]
    named += [("standardise", name) for name in question.standardise]
    named += [(s, str(getattr(question, s))) for s in ("period", "subject", "weight") if getattr(question, s)]
    for measure in question.measures:
        named += [
            (f"measures, {measure.name}", str(getattr(measure, field)))
            for field in ("events", "exposure", "column")
            if getattr(measure, field)
        ]
    for setting, name in named:
        if name not in records.columns:
            raise GroupError(f"The table has no column '{name}'. Name one that is read [setting: {setting}]")


def _filtered(records: pd.DataFrame, question: GroupQuestion, told: Left) -> pd.DataFrame:
    kept = np.ones(len(records), bool)
    for condition in question.filters:
        met = evaluate(condition, records, setting="filters")
        told.append((f"filter {condition}", len(records), int(met.isna().sum())))
        kept &= met.fillna(False).to_numpy(bool)
    return records.loc[kept].reset_index(drop=True)


def _filtered_too(denominators: pd.DataFrame, question: GroupQuestion) -> pd.DataFrame:
    """Denominators of the records that are left: filters over columns that their table has hold for it as well."""
    kept = np.ones(len(denominators), bool)
    for condition in question.filters:
        if columns_named(condition, setting="filters") <= set(denominators.columns):
            met = evaluate(condition, denominators, setting="filters")
            kept &= met.fillna(False).to_numpy(bool)
    return denominators.loc[kept].reset_index(drop=True)


def _values(kept: pd.DataFrame, measure: Measure, told: Left, nowhere: np.ndarray | None) -> Values:
    ones: Floats = np.ones(len(kept))
    setting = f"measures, {measure.name}"
    if measure.kind in ("mean", "median"):
        values = numbers(kept, str(measure.column), setting)
        told.append((f"measure {measure.name}", len(kept), int(np.isnan(values).sum())))
        return Values(values, np.where(np.isnan(values), np.nan, 1.0))
    above: Floats = ones.copy()
    if measure.condition:
        met = evaluate(measure.condition, kept, setting=setting)
        above = np.asarray(met.astype("Float64").to_numpy(float, na_value=np.nan))
    if measure.events:
        events = numbers(kept, measure.events, setting)
        if (events < 0).any():
            raise GroupError(f"Column '{measure.events}' holds events below 0 [setting: {setting}]")
        # a row that does not meet the condition adds no event
        above = np.where(above == 0, 0.0, above * events)
    below = numbers(kept, measure.exposure, setting) if measure.exposure else ones.copy()
    if (below < 0).any():
        raise GroupError(f"Column '{measure.exposure}' holds exposure below 0 [setting: {setting}]")
    if measure.kind == "count":
        above = np.where(np.isnan(above), 0.0, above)
    unknown = np.isnan(above) | np.isnan(below)
    if nowhere is not None:
        unknown |= nowhere
    told.append((f"measure {measure.name}", len(kept), int(unknown.sum())))
    return Values(np.where(unknown, np.nan, above), np.where(unknown, np.nan, below))
