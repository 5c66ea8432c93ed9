"""Linked releases: records of victims that also tell about perpetrators protect both, each with its own unit.

A table has one row per victim; some columns tell about the perpetrators that the row names. The release protects
rows, so a victim is safe as ever. A perpetrator may be named in any number of rows, so first it is bounded in how many
rows perpetrators tell anything (`bound_linked`). Then the distances are known, and group privacy turns the charge for
one row into a charge for each of the two (`charge_of_people`, `charge_of_linked`).

**The rule.** A row is *eligible* if it names exactly one perpetrator and tells anything in the perpetrator columns. Of
the eligible rows that name a perpetrator the first `at_most` in a random order are chosen. In every other row the
perpetrator columns are made blank ("unknown"). The rest of a row is never touched, no row is left out, and identifiers
are dropped.

**Distance of a perpetrator: 2 at_most.** Let table D' be table D without perpetrator p: the rows stay (they are of
victims), but every row that names p has blank perpetrator columns and does not name p; others whom it names may stay
or go. Take the same order for both. (1) For any q other than p, the eligible rows of q are the same in D and D': a row
that names p is not eligible for q in D, as it names two, nor in D', as it tells nothing; any other row is the same in
both. So the same rows are chosen for q. (2) Hence a row that does not name p comes out the same. (3) A row that names
p is blank in the result of D', and in that of D unless it was chosen for p: at most `at_most` of them differ. A row
that differs is one row removed and one added.

**Distance of a victim: 3.** Let D' be D without one row v. If v is eligible and chosen for p, one other row of p may
be chosen in its place and tell something where it was blank: one removed, one added, and v itself. Any other v changes
nothing else. No rule that caps perpetrators has distance 1: if a row came out the same whatever other rows there are,
as many could tell about p as name p.

**Why rows that name several are blank.** Were they told, the rows of q would compete with rows that q shares with p.
Taking p away with its rows would free room for as many other rows as p shares rows with different people, without
bound. (And to compare with a world where shared rows told about the others alone, no rule has a bound that ever tells
a row naming one perpetrator: columns that tell of several together cannot be taken apart.) Rows that tell of a
perpetrator without naming one are blank, because nobody can say how many rows one person is in.

**Charges.** A mechanism that is rho-zCDP for one row added or removed is d² rho-zCDP for d of them (group privacy:
Bun and Steinke, *Concentrated Differential Privacy: Simplifications, Extensions, and Lower Bounds*, 2016, Proposition
1.9). That holds for pure zCDP alone, so a charge with a delta, which finding undeclared values has, is refused. The
order is drawn within the mechanism: the divergence of a mixture over orders is at most the largest over them (van
Erven and Harremoës 2014).

What is not covered by one budget alone: somebody who is in the table as a victim and as a perpetrator moves it by both
distances together.

Here: pure functions of tables and charges. That all are charged in one transaction is the ledger's work.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of
from hrtech.release.declared import ReleaseError, ReleaseSettings
from hrtech.release.people import LIST_DTYPE, is_multi_valued, one_row_per_person

#: Rows added or removed in the bounded table when one row is added to, or removed from, the records.
PEOPLE_DISTANCE: Final = 3


@dataclass(frozen=True)
class Bounded:
    """A table in which nobody who is linked tells in more than `at_most` rows. Numbers are exact: for keepers only.

    Attributes:
        people: The rows in their order, without the identifiers.
        told: Rows that tell about a perpetrator.
        several: Rows made blank because they name several, or a further one without an identifier.
        unnamed: Rows made blank because they tell of somebody whom they do not name.
        over: Rows made blank because their perpetrator tells in `at_most` others.
    """

    people: pd.DataFrame
    told: int
    several: int
    unnamed: int
    over: int


def join_linked(
    records: pd.DataFrame,
    subject_id: str | None,
    columns: Sequence[str],
    linked_id: str,
    linked_columns: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the records of each person as `one_row_per_person` does, and unite all whom they name.

    Args:
        records: One or several for a person.
        subject_id: Column that names the person; None: each record is a person.
        columns: Columns to keep, those that tell about the linked among them.
        linked_id: Identifier of the linked, one or a list in a cell; kept as lists beside the columns, where an empty
            text is somebody of whom a record tells without naming anybody.
        linked_columns: Columns that tell about them.

    Returns:
        One row per person with `columns` and `linked_id`, and the conflicts.

    Raises:
        ReleaseError: A column is missing, or the identifier is one of the columns to release.
        ValueError: See `one_row_per_person`.
    """
    _check_columns(records, linked_id, columns, linked_columns)
    # of a column with one value in a cell only the first would stand, and who else is told about would not be counted
    named = [sorted({name or "" for name in cell}) for cell in _named(records[linked_id])]
    tells = _tells(records, linked_columns)
    lists = [names or ([""] if told else None) for names, told in zip(named, tells, strict=True)]
    marked = records.assign(**{linked_id: pd.Series(lists, index=records.index, dtype=LIST_DTYPE)})
    kept = [*columns, linked_id]
    if subject_id is None:
        none = pd.DataFrame({"column": pd.Series(dtype="str"), "people": pd.Series(dtype="int64")})
        return marked[kept].reset_index(drop=True), none
    return one_row_per_person(marked, subject_id, kept)


def bound_linked(
    frame: pd.DataFrame,
    linked_id: str,
    at_most: int,
    columns: Sequence[str],
    rng: np.random.Generator,
) -> Bounded:
    """Bound in how many rows one who is linked tells anything; the module says by which rule, and proves it.

    Args:
        frame: Shape (people, columns), one row per person.
        linked_id: Identifier of the linked: one in a cell, or a list. A blank inside a list is a further one, unknown.
        at_most: Rows in which one of them may tell something, from 1.
        columns: All columns that tell about them. A column that is forgotten here protects nobody who is linked.
        rng: Draws the order. It belongs into the draw of a release, which happens once, with fresh randomness.

    Returns:
        The table, and what was made blank why.

    Raises:
        ReleaseError: A column is missing or named twice, or `at_most` is below 1.
    """
    _check_columns(frame, linked_id, columns, columns)
    _check_at_most(at_most)
    tells = _tells(frame, columns)
    named = _named(frame[linked_id])
    number = np.array([len(cell) for cell in named], dtype=np.int64)
    # a lone blank names nobody
    alone = np.array([len(cell) == 1 and None not in cell for cell in named], dtype=bool)
    eligible = tells & alone
    chosen = _first_in_random_order(named, eligible, at_most, rng)
    return Bounded(
        people=_blanked(frame.drop(columns=linked_id), columns, chosen),
        told=int(chosen.sum()),
        several=int((tells & (number > 1)).sum()),
        unnamed=int((tells & (number <= 1) & ~alone).sum()),
        over=int((eligible & ~chosen).sum()),
    )


def _check_columns(
    frame: pd.DataFrame, linked_id: str, released: Sequence[str], columns: Sequence[str]
) -> None:
    if linked_id not in frame.columns:
        raise ReleaseError(f"linked.id: there is no column {linked_id}")
    if linked_id in (*released, *columns):
        raise ReleaseError(f"linked.id: {linked_id} names people, it cannot be released as a column")
    if not columns:
        raise ReleaseError("linked.columns: name the columns that tell about the linked")
    strangers = [name for name in columns if name not in frame.columns or name not in released]
    if strangers:
        raise ReleaseError(f"linked.columns: {', '.join(strangers)} is no column that is released")


def _tells(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Whether a row tells anything in the columns, shape (rows,)."""
    return np.asarray(frame[list(columns)].notna().to_numpy(dtype=bool).any(axis=1), dtype=bool)


def _check_at_most(at_most: int) -> None:
    if isinstance(at_most, bool) or not isinstance(at_most, int | np.integer) or at_most < 1:
        raise ReleaseError("linked.at_most is a whole number from 1")


def _named(cells: pd.Series) -> list[set[str | None]]:
    """Whom each row names; None stands for one without an identifier."""
    lists = is_multi_valued(cells)
    return [
        {_identifier(item) for item in cell}
        if isinstance(cell, list | tuple | set | np.ndarray)
        else ({_identifier(cell)} if not lists and _identifier(cell) is not None else set())
        for cell in cells
    ]


def _identifier(item: object) -> str | None:
    """An identifier as text; None where there is none."""
    if item is None or item is pd.NA or item is pd.NaT or (isinstance(item, float) and np.isnan(item)):
        return None
    if isinstance(item, float | np.floating) and float(item).is_integer():
        item = int(item)  # a column of whole numbers with unknown cells is one of floats
    return str(item).strip() or None


def _first_in_random_order(
    named: Sequence[set[str | None]], eligible: NDArray[np.bool_], at_most: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose for each perpetrator the first eligible rows in a random order of all rows; shape (rows,)."""
    chosen = np.zeros(len(named), dtype=bool)
    count: dict[str | None, int] = {}
    for row in rng.permutation(len(named)).tolist():
        if eligible[row]:
            (who,) = named[row]
            count[who] = count.get(who, 0) + 1
            chosen[row] = count[who] <= at_most
    return chosen


def _blanked(frame: pd.DataFrame, columns: Sequence[str], told: NDArray[np.bool_]) -> pd.DataFrame:
    """The frame with the columns blank in all rows but those that tell; column types stay where they can."""
    out = frame.copy()
    for name in columns:
        out[name] = frame[name].where(pd.Series(told, index=frame.index))
    return out


def charge_of_group(charge: Charge, size: int) -> Charge:
    """What a release costs a group of rows, from what it costs one: rho times the square of their number.

    Args:
        charge: For one row added or removed.
        size: Rows added or removed, from 1.

    Returns:
        Their charge, rounded up.

    Raises:
        ReleaseError: The charge has a delta, for which group privacy in zCDP does not hold.
    """
    if charge.delta > 0:
        raise ReleaseError(
            "linked: declare the values of all columns that are released: finding them costs a delta, and a delta "
            "does not carry over to everybody who is in several rows"
        )
    exact = Fraction(charge.rho) * size**2
    nearest = float(exact)
    return Charge(nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf))


def charge_of_people(charge: Charge) -> Charge:
    """What a release of a bounded table costs a person whose row it is; see `charge_of_group`."""
    return charge_of_group(charge, PEOPLE_DISTANCE)


def linked_charge(charge: Charge, at_most: int) -> Charge:
    """What a release of a bounded table costs one who is linked: (2 at_most)² times that of a row.

    Raises:
        ReleaseError: The charge has a delta, or `at_most` is below 1.
    """
    _check_at_most(at_most)
    return charge_of_group(charge, 2 * at_most)


def linked_settings(settings: ReleaseSettings) -> ReleaseSettings:
    """Return the settings to plan and draw with, so that a person's loss is at most the settings' epsilon.

    A row may lose a ninth of the rho that a person may (`PEOPLE_DISTANCE`).

    Raises:
        ReleaseError: Too little is left.
    """
    # a hair less: epsilon and rho are converted back and forth
    rho = rho_of(settings.epsilon, settings.delta) / PEOPLE_DISTANCE**2 * (1 - 1e-9)
    epsilon = epsilon_of(rho, settings.delta)
    if not epsilon > 0:
        raise ReleaseError("settings: epsilon and delta leave no budget for a linked release")
    return replace(settings, epsilon=epsilon)


def linked_said(columns: Sequence[str], at_most: int) -> str:
    """Say in public what counts with the linked columns mean; the numbers of rows made blank are not public."""
    return (
        f"{', '.join(columns)}: counted are people whose record names exactly one perpetrator, and at most {at_most} "
        "people of each; where more or none are named, these columns are unknown. Counts with these columns are "
        "of those people, not of all."
    )
