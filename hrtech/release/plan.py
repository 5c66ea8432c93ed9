"""What a release costs, from settings and columns alone, and how the cost is divided among its steps.

No record is ever seen here, so the price of a release is known before it is drawn and cannot depend on the data.
`hrtech.release.mechanism` describes the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hrtech.privacy.accounting import Charge, rho_of, total
from hrtech.release.declared import (
    ReleaseError,
    ReleaseSchema,
    ReleaseSettings,
    most_attributes,
)
from hrtech.release.layout import count_cells
from hrtech.release.vocabulary import Round, plan_rounds


@dataclass(frozen=True)
class Plan:
    """Division of the budget.

    Attributes:
        rounds: Rounds of the search for undeclared values; none if all are declared.
        most_undeclared: Most undeclared attributes of one person that count in them.
        centres: Rho of the rough frequencies.
        bound: Rho of the bound on a person's norm.
        moments: Rho of the counts.
        charge: All of it, with the delta of the search.
    """

    rounds: tuple[Round, ...]
    most_undeclared: int
    centres: float
    bound: float
    moments: float
    charge: Charge


def plan_release(settings: ReleaseSettings, schema: ReleaseSchema) -> Plan:
    """Divide the budget of a release.

    Raises:
        ReleaseError: Nothing or too many combinations would be measured, or epsilon and delta leave no budget.
    """
    if not schema.undeclared and not any(c.attributes for c in schema.columns):
        raise ReleaseError("columns: no column has a value that counts, so there is nothing to release")
    check_cells(settings, schema)
    undeclared = schema.undeclared
    most = min(most_attributes(undeclared) or settings.most_undeclared, settings.most_undeclared)
    delta = settings.delta * settings.vocabulary_delta_share if undeclared else 0.0
    rho = rho_of(settings.epsilon, settings.delta, delta)
    if not rho > 0:
        raise ReleaseError("settings: epsilon and delta leave no budget at all")
    shares = settings.shares
    steps = {"centres": shares.centres, "bound": shares.bound, "moments": shares.moments}
    if undeclared:
        steps["vocabulary"] = shares.vocabulary
    part = {step: rho * share / sum(steps.values()) for step, share in steps.items()}
    rounds = plan_rounds(part["vocabulary"], delta, most) if undeclared else ()
    charge = total(
        [*(r.charge for r in rounds), *(Charge(part[step]) for step in ("centres", "bound", "moments"))]
    )
    return Plan(rounds, most if undeclared else 0, part["centres"], part["bound"], part["moments"], charge)


def price(settings: ReleaseSettings, schema: ReleaseSchema) -> Charge:
    """What a release will cost.

    Raises:
        ReleaseError: No release is possible with these settings.
    """
    return plan_release(settings, schema).charge


def group_sizes(schema: ReleaseSchema) -> list[int]:
    """Sizes of the groups of attributes of the columns whose values are known."""
    refined = {c.parent for c in schema.columns if c.parent}
    sizes: list[int] = []
    for column in schema.columns:
        own = len(column.attributes)
        if column.parent:
            sizes.append(own + len(schema.by_name[column.parent].attributes))
        elif column.multi_valued:
            sizes += [1] * own
        elif column.name not in refined:
            sizes.append(own)
    return sizes


def check_cells(settings: ReleaseSettings, schema: ReleaseSchema) -> None:
    """Refuse, before any record is read, more combinations than allowed, as far as they are known by then.

    Undeclared values are as many as the budget finds; the least frequent are left out until what is left fits.
    """
    cells = sum(count_cells(group_sizes(schema), settings.reporting_length)[1:])
    if cells > settings.max_cells:
        raise ReleaseError(
            f"reporting_length: {cells:,} combinations of up to {settings.reporting_length} attributes would be "
            f"measured, more than max_cells = {settings.max_cells:,}; leave out or band the columns with most "
            f"values ({largest(schema.columns)}), or use a lower reporting_length"
        )


def largest(columns: Sequence) -> str:
    """The columns with most values, for a message."""
    ordered = sorted(columns, key=lambda c: -len(c.values or ()))[:3]
    return ", ".join(f"{c.name}: {len(c.values):,}" for c in ordered if c.values)
