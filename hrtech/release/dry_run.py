"""A dry run: what a release would cost and do, step by step, without data and without spending anything.

What would be refused before any record is read is refused here, by the same code and with the same errors.
"""

from dataclasses import dataclass

import pandas as pd

from hrtech.privacy.accounting import Charge, epsilon_of
from hrtech.privacy.discrete_noise import quantile_scale, root_above, scale_for
from hrtech.release.declared import ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.layout import count_cells
from hrtech.release.mechanism import _PEOPLE_TIMES
from hrtech.release.plan import group_sizes, plan_release
from hrtech.release.vocabulary import UNIT

#: What only the records can bring about.
STILL_REFUSED = (
    "a column of the release is missing from the records, or holds lists where one value was declared",
    "a record holds a value that its column does not declare",
    "a record has no identifier, where records of a person are to be joined",
    "the budget of the population does not cover the charge when the release is drawn",
)


@dataclass(frozen=True)
class DryRun:
    """What a release would cost and do.

    Attributes:
        charge: What the ledger would be asked for.
        epsilon: What people are told of it, at the delta of the settings.
        failures: delta times people: how many people the promise might fail, at worst and on average.
        steps: Per `step` in order: what it `reads` of the records and `decides` by it; its `rho`, `rho_share` of all
            and `delta`; and its `noise` as a standard deviation in people, missing where it follows from an earlier
            step. What reads no record costs nothing.
        cells: Per `length` how many `combinations` would be measured; undeclared values, once found, add more.
        undeclared: Columns whose values would be searched for.
        still_refused: What would stop a release once it sees the records; nothing of it can be known here.
    """

    charge: Charge
    epsilon: float
    failures: float
    steps: pd.DataFrame
    cells: pd.DataFrame
    undeclared: tuple[str, ...]
    still_refused: tuple[str, ...] = STILL_REFUSED


def dry_run(settings: ReleaseSettings, schema: ReleaseSchema, people: int) -> DryRun:
    """Go through a release without data. Spends nothing.

    Args:
        settings: Of the release.
        schema: Columns.
        people: Number of people, as it is declared or as an earlier release told it.

    Raises:
        ReleaseError: As the release would raise it before any record is read; or there are no people.
    """
    if people < 1:
        raise ReleaseError("people: a dry run needs the number of people, at least 1")
    plan = plan_release(settings, schema)
    nan = float("nan")
    most = schema.most_attributes()
    times = _PEOPLE_TIMES if settings.people is None else 0
    centres = nan if most is None else scale_for(root_above(times**2 + most), plan.centres)
    steps = [
        (
            f"search for undeclared values, round {k + 1}",
            "which undeclared values each person holds",
            "which values the columns without declared values have",
            one.charge.rho,
            one.charge.delta,
            one.scale / UNIT,
        )
        for k, one in enumerate(plan.rounds)
    ]
    steps += [
        (
            "rough frequencies",
            "how many people hold each attribute"
            + ("" if settings.people else ", and how many people there are"),
            "how the budget is divided among lengths, and what is measured as a difference from what",
            plan.centres,
            0.0,
            centres,
        ),
        (
            "bound on one person",
            "how much each person weighs in combinations",
            "from where on a person counts with less weight",
            plan.bound,
            0.0,
            quantile_scale(1.0, plan.bound),
        ),
        (
            "counts",
            "how many people hold each combination, those that nobody holds too",
            "nothing: noise is added to all of them",
            plan.moments,
            0.0,
            nan,
        ),
        (
            "aggregates and synthetic records",
            "nothing but what the steps above released",
            "what is told, and what is suppressed",
            0.0,
            0.0,
            nan,
        ),
    ]
    table = pd.DataFrame(steps, columns=["step", "reads", "decides", "rho", "delta", "noise"])
    table.insert(4, "rho_share", table["rho"] / table["rho"].sum())
    return DryRun(
        charge=plan.charge,
        epsilon=epsilon_of(plan.charge.rho, settings.delta, plan.charge.delta),
        failures=settings.delta * people,
        steps=table,
        cells=combinations_of(schema, settings.reporting_length),
        undeclared=tuple(c.name for c in schema.undeclared),
    )


def combinations_of(schema: ReleaseSchema, longest: int) -> pd.DataFrame:
    """`length` and how many `combinations` of known values people can hold; shape (longest, 2)."""
    counts = count_cells(group_sizes(schema), longest)[1:]
    return pd.DataFrame({"length": range(1, longest + 1), "combinations": counts})
