"""What each column of a release costs the others, and what leaving it out or banding it would save.

Every column adds combinations, and with them noise: the budget is shared by all that is measured. Worked out from
invented people, so nothing here is known about records. Whoever leaves a column out decides it for reasons that could
be stated in public.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.privacy.discrete_noise import scale_for
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.estimate import uncentred
from hrtech.release.layout import Layout
from hrtech.release.mechanism import counts_that_matter, scale_vector, sensitivity_of, tail_of
from hrtech.release.moments import norms, worst_norms
from hrtech.release.plan import Plan, plan_release

#: Columns whose savings are worked out: those with most combinations.
_COLUMNS = 3
#: A band takes so many values.
_PER_BAND = 4
_FEWEST_VALUES = 6

Rows = NDArray[np.uint8]


def column_costs(rows: Rows, layout: Layout, settings: ReleaseSettings, people: float) -> pd.DataFrame:
    """Say what each column costs, those with most combinations first.

    Args:
        rows: Invented people, zeros and ones, shape (people, attributes).
        layout: Attributes, all of declared or assumed values.
        settings: Of the release.
        people: Number of people that the release is about.

    Returns:
        `column`, `values`; `combinations` that hold a value of it, and their `combinations_share` of all; and for the
        first few, as shares saved: `noise_saved` of the other combinations if it is left out, `bands` into which its
        values would go, and `combinations_saved_by_bands`, `noise_saved_by_bands`. Missing where not worked out.
    """
    plan = plan_release(settings, layout.schema)
    total = _size(layout)
    table = pd.DataFrame(
        [
            {
                "column": column.name,
                "values": len(column.attributes),
                "combinations": total - (_size(_layout(without, settings)) if without else 0),
            }
            for column in layout.schema.columns
            for without in [_without(layout.schema, column)]
        ]
    )
    table["combinations_share"] = table["combinations"] / max(total, 1)
    table = table.sort_values(["combinations", "column"], ascending=[False, True]).reset_index(drop=True)
    saved = pd.DataFrame(
        np.nan,
        index=table.index,
        columns=["noise_saved", "bands", "combinations_saved_by_bands", "noise_saved_by_bands"],
    )
    table = pd.concat([table, saved], axis=1)
    noise = _noise(rows, layout, settings, people, plan)
    for k, name in enumerate(table["column"].head(_COLUMNS)):
        column = layout.schema.by_name[name]
        before = _mean_beside(noise, rows, layout, name, people)
        without = _without(layout.schema, column)
        if without and before:
            made = _layout(without, settings)
            after = _mean_noise(rows, layout, made, settings, people, plan, name)
            table.loc[k, "noise_saved"] = 1 - after / before
        banded, band_of = _banded(layout.schema, column)
        if banded and before:
            made = _layout(banded, settings)
            after = _mean_noise(rows, layout, made, settings, people, plan, name, band_of)
            table.loc[k, ["bands", "combinations_saved_by_bands", "noise_saved_by_bands"]] = [
                len(set(band_of.values())),
                1 - _size(made) / total,
                1 - after / before,
            ]
    return table


def _layout(schema: ReleaseSchema, settings: ReleaseSettings) -> Layout:
    return Layout(schema, settings.reporting_length)


def _size(layout: Layout) -> int:
    return sum(layout.size(k) for k in range(1, layout.longest + 1))


def _without(schema: ReleaseSchema, column: ReleaseColumn) -> ReleaseSchema | None:
    """The columns but one; None if nothing is left."""
    left = tuple(
        replace(c, parent=None, parent_values={}) if c.parent == column.name else c
        for c in schema.columns
        if c.name != column.name
    )
    pairs = tuple(p for p in schema.impossible if column.name not in {p[0][0], p[1][0]})
    return ReleaseSchema(left, pairs) if any(c.attributes for c in left) else None


def _banded(schema: ReleaseSchema, column: ReleaseColumn) -> tuple[ReleaseSchema | None, dict[str, str]]:
    """The columns with the values of one in bands, and the band of each value; None where banding makes no sense."""
    values = column.attributes
    refined = any(c.parent == column.name for c in schema.columns)
    if len(values) < _FEWEST_VALUES or column.parent or refined:
        return None, {}
    band_of = {v: f"band {k // _PER_BAND + 1}" for k, v in enumerate(values)}
    made = replace(column, values=tuple(dict.fromkeys(band_of.values())))
    pairs = tuple(p for p in schema.impossible if column.name not in {p[0][0], p[1][0]})
    columns = tuple(made if c.name == column.name else c for c in schema.columns)
    return ReleaseSchema(columns, pairs), band_of


def _mean_noise(
    rows: Rows,
    layout: Layout,
    made: Layout,
    settings: ReleaseSettings,
    people: float,
    plan: Plan,
    name: str,
    band_of: dict[str, str] | None = None,
) -> float:
    """Mean noise of combinations without one column, where another layout is released to the same people."""
    number = {a: k for k, a in enumerate(made.attributes)}
    held = np.zeros((len(rows), made.n_attributes), dtype=np.uint8)
    for k, (column, value) in enumerate(layout.attributes):
        to = number.get((column, band_of.get(value, value) if band_of and column == name else value))
        if to is not None:
            held[:, to] |= rows[:, k]
    return _mean_beside(_noise(held, made, settings, people, plan), held, made, name, people)


def _noise(
    rows: Rows, layout: Layout, settings: ReleaseSettings, people: float, plan: Plan
) -> dict[int, NDArray[np.float64]]:
    """Standard deviations of all counts, as the mechanism would choose them for these people."""
    scaling = scale_vector(rows.mean(axis=0), people, layout, settings)
    tail = tail_of(layout, scaling, people, plan)
    bound = max(float(np.quantile(norms(rows, layout, scaling), 1 - tail)), worst_norms(layout, scaling)[0])
    entries = 2 + _size(layout)
    scale = scale_for(sensitivity_of(bound, scaling, entries), plan.moments)
    variances = {
        k: (scale * scaling.steps(layout, k) / scaling.unit(k)) ** 2 for k in range(1, layout.longest + 1)
    }
    total = (scale / scaling.people_units) ** 2
    return {k: np.sqrt(v) for k, v in uncentred(layout, variances, scaling.centre_values**2, total).items()}


def _mean_beside(
    noise: dict[int, NDArray[np.float64]], rows: Rows, layout: Layout, name: str, people: float
) -> float:
    """Mean noise of the combinations that matter and hold no value of one column; 0 where there are none."""
    own = np.array([column == name for column, _ in layout.attributes])
    matter = counts_that_matter(layout, rows.mean(axis=0), people)
    kept = [noise[k][matter[k] & ~own[layout.cells(k)].any(axis=1)] for k in noise]
    number = sum(len(part) for part in kept)
    return math.fsum(float(part.sum()) for part in kept) / number if number else 0.0
