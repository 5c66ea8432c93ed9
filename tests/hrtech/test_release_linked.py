"""Victims and perpetrators in one release: the distances that the charges rest on."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy.accounting import Charge, epsilon_of, rho_of
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.linked import (
    PEOPLE_DISTANCE,
    bound_linked,
    charge_of_people,
    join_linked,
    linked_charge,
    linked_said,
    linked_settings,
)
from hrtech.release.people import LIST_DTYPE
from hrtech.release.plan import price

COLUMNS = ["trade", "tie"]


class Order:
    """A generator whose order of rows is given, to compare tables under the same one."""

    def __init__(self, places):
        self.places = places

    def permutation(self, n):
        assert n == len(self.places)
        return np.array(self.places, dtype=int)


def table(rows):
    """Rows: (victim's value, names, trade, tie)."""
    return pd.DataFrame(
        {
            "victim": pd.Series([row[0] for row in rows], dtype="str"),
            "who": pd.Series([None if row[1] is None else sorted(row[1]) for row in rows], dtype=LIST_DTYPE),
            "trade": pd.Series([row[2] for row in rows], dtype="str"),
            "tie": pd.Series([row[3] for row in rows], dtype=LIST_DTYPE),
        }
    )


def rows_of(frame):
    return [
        (row.victim, None if pd.isna(row.trade) else row.trade, None if row.tie is None else tuple(row.tie))
        for row in frame.assign(tie=pa.array(frame["tie"]).to_pylist()).itertuples(index=False)
    ]


def bounded(rows, at_most, order):
    return rows_of(bound_linked(table(rows), "who", at_most, COLUMNS, Order(order)).people)


def distance(one, other):
    """Rows added or removed that make one table of the other."""
    one, other = Counter(one), Counter(other)
    return (one - other).total() + (other - one).total()


ROW = st.tuples(
    st.sampled_from("ab"),
    st.none() | st.frozensets(st.sampled_from(["p", "q", "r", "s", ""]), max_size=3),
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, ["u"], ["u", "v"]]),
)
TABLES = st.lists(ROW, max_size=9)


@given(TABLES, st.integers(1, 3), st.data())
@settings(deadline=None, max_examples=80)
def test_a_perpetrator_changes_at_most_that_many_rows(rows, at_most, data):
    order = data.draw(st.permutations(range(len(rows))))
    without = []
    for victim, names, trade, tie in rows:
        if names and "p" in names:
            # nothing is told, p is not named; the others may stay or go
            kept = data.draw(st.sets(st.sampled_from(sorted(names - {"p"})))) if len(names) > 1 else set()
            without.append((victim, kept, None, None))
        else:
            without.append((victim, names, trade, tie))
    one, other = bounded(rows, at_most, order), bounded(without, at_most, order)
    changed = [k for k in range(len(rows)) if one[k] != other[k]]
    assert len(changed) <= at_most
    assert all("p" in rows[k][1] for k in changed)
    assert distance(one, other) <= 2 * at_most


@given(TABLES.filter(bool), st.integers(1, 3), st.data())
@settings(deadline=None, max_examples=80)
def test_a_person_changes_at_most_one_other_row(rows, at_most, data):
    order = data.draw(st.permutations(range(len(rows))))
    gone = data.draw(st.integers(0, len(rows) - 1))
    left = [row for k, row in enumerate(rows) if k != gone]
    # the same order of those that are left
    order_left = [k - (k > gone) for k in order if k != gone]
    assert distance(bounded(rows, at_most, order), bounded(left, at_most, order_left)) <= PEOPLE_DISTANCE


@given(TABLES, st.integers(1, 3), st.integers(0, 9))
@settings(deadline=None, max_examples=50)
def test_nobody_tells_in_more_rows_and_nothing_else_changes(rows, at_most, seed):
    made = bound_linked(table(rows), "who", at_most, COLUMNS, np.random.default_rng(seed))
    out = rows_of(made.people)
    assert list(made.people) == ["victim", *COLUMNS]
    assert [row[0] for row in out] == [row[0] for row in rows]
    told = Counter()
    for (_, names, trade, tie), (_, *after) in zip(rows, out, strict=True):
        if after != [None, None]:
            assert after == [trade, None if tie is None else tuple(tie)]
            assert len(names) == 1 and "" not in names
            told.update(names)
    assert all(count <= at_most for count in told.values())
    assert made.told == told.total()
    telling = sum(trade is not None or tie is not None for _, _, trade, tie in rows)
    assert made.told + made.several + made.unnamed + made.over == telling
    # a cap is no loss where nobody reaches it
    alone = Counter(
        name
        for _, names, trade, tie in rows
        if names and len(names) == 1 and "" not in names and (trade or tie)
        for name in names
    )
    assert told == Counter({name: min(count, at_most) for name, count in alone.items()})


def test_the_distances_are_reached():
    rows = [(str(k), {"p"}, "x", None) for k in range(4)]
    without = [(str(k), set(), None, None) for k in range(4)]
    assert distance(bounded(rows, 2, range(4)), bounded(without, 2, range(4))) == 4
    assert distance(bounded(rows, 2, range(4)), bounded(rows[1:], 2, range(3))) == PEOPLE_DISTANCE


def test_telling_rows_that_name_several_would_have_no_bound():
    """Why the rule is what it is: with p in them, rows of many others would come and go."""

    def none_over_the_cap(rows, at_most):
        count = Counter(name for _, names, *_ in rows for name in names)
        return [
            (victim, trade if names and all(count[name] <= at_most for name in names) else None)
            for victim, names, trade, _ in rows
        ]

    shared = [(f"{k}", {"p", f"q{k}"}, "x", None) for k in range(50)]
    own = [(f"o{k}", {f"q{k}"}, "x", None) for k in range(50)]
    without = [(victim, set(), None, None) for victim, *_ in shared]
    assert distance(none_over_the_cap(shared + own, 1), none_over_the_cap(without + own, 1)) == 100
    order = range(100)
    assert bounded(shared + own, 1, order)[50:] == bounded(without + own, 1, order)[50:]


def test_every_row_of_a_perpetrator_may_be_chosen():
    rows = [(str(k), {"p"}, "x", None) for k in range(5)]
    times = Counter()
    rng = np.random.default_rng(3)
    for _ in range(100):
        made = bound_linked(table(rows), "who", 2, COLUMNS, rng)
        times.update(made.people.index[made.people["trade"].notna()].tolist())
    assert all(count == pytest.approx(40, abs=25) for count in times.values()) and len(times) == 5


@pytest.mark.parametrize(
    "cells, named",
    [
        (pd.Series(["p", None, "q", "p"], dtype="str"), 3),
        (pd.Series(["p", " ", "q", "p"], dtype="category"), 3),
        (pd.Series([7, None, 8, 7]), 3),
        (pd.Series([7, None, 8, 7], dtype="Int64"), 3),
        (pd.Series([["p"], [], ["q", "p"], ["p", None]], dtype=LIST_DTYPE), 1),
    ],
)
def test_identifiers_of_any_type(cells, named):
    frame = pd.DataFrame({"who": cells, "trade": "x"})
    made = bound_linked(frame, "who", 3, ["trade"], np.random.default_rng(0))
    assert made.told == named
    made = bound_linked(frame, "who", 1, ["trade"], np.random.default_rng(0))
    assert made.told == min(named, 2)


def test_column_types_stay():
    frame = table([("a", {"p"}, "x", ["u"]), ("b", {"p"}, "y", ["v"]), ("c", None, None, None)])
    frame["kind"] = pd.Series(["k", "l", None], dtype="category")
    made = bound_linked(frame, "who", 1, [*COLUMNS, "kind"], np.random.default_rng(0)).people
    assert made.dtypes.to_dict() == frame.drop(columns="who").dtypes.to_dict()
    assert len(bound_linked(frame.head(0), "who", 1, COLUMNS, np.random.default_rng(0)).people) == 0


def test_joining_unites_whom_the_records_name():
    records = pd.DataFrame(
        {
            "id": ["1", "1", "2", "2", "3", "3", "4"],
            "who": ["p", "q", "p", None, "p", None, None],
            "trade": ["x", "y", "x", "z", "x", None, None],
            "victim": ["a", None, "b", None, "c", "c", "d"],
        }
    )
    people, _ = join_linked(records, "id", ["victim", "trade"], "who", ["trade"])
    assert pa.array(people["who"]).to_pylist() == [["p", "q"], ["", "p"], ["p"], None]
    # the second tells of somebody not named, who may be in any number of rows
    made = bound_linked(people, "who", 9, ["trade"], np.random.default_rng(0))
    assert made.people["trade"].isna().tolist() == [True, True, False, True]
    assert (made.told, made.several, made.unnamed, made.over) == (1, 2, 0, 0)
    alone, _ = join_linked(records, None, ["victim", "trade"], "who", ["trade"])
    made = bound_linked(alone, "who", 9, ["trade"], np.random.default_rng(0))
    assert (made.told, made.several, made.unnamed, made.over) == (4, 0, 1, 0)


def test_what_cannot_be_bounded_is_refused():
    frame, rng = table([("a", {"p"}, "x", None)]), np.random.default_rng(0)
    for arguments, message in (
        (("absent", 1, COLUMNS), "linked.id"),
        (("who", 1, ["who"]), "names people"),
        (("who", 1, []), "linked.columns"),
        (("who", 1, ["absent"]), "absent is no column"),
        (("who", 0, COLUMNS), "at_most"),
        (("who", True, COLUMNS), "at_most"),
        (("who", 1.5, COLUMNS), "at_most"),
    ):
        with pytest.raises(ReleaseError, match=message):
            bound_linked(frame, *arguments, rng)
    with pytest.raises(ReleaseError, match="trade is no column"):
        join_linked(frame, None, ["victim"], "who", ["trade"])


def test_charges_of_groups():
    assert linked_charge(Charge(0.25), 1) == Charge(1.0)
    assert linked_charge(Charge(0.25), 3) == Charge(9.0)
    assert charge_of_people(Charge(0.25)) == Charge(2.25)
    third = 1 / 3
    assert linked_charge(Charge(third), 5).rho >= 100 * third
    for refused in (lambda: linked_charge(Charge(0.1, 1e-9), 1), lambda: charge_of_people(Charge(0.1, 1e-9))):
        with pytest.raises(ReleaseError, match="declare the values"):
            refused()
    with pytest.raises(ReleaseError, match="at_most"):
        linked_charge(Charge(0.1), 0)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5])
def test_a_person_loses_what_was_asked_for(epsilon, delta):
    asked = ReleaseSettings(epsilon, delta, reporting_length=2)
    schema = ReleaseSchema((ReleaseColumn("sex", ("f", "m")), ReleaseColumn("trade", ("x", "y"))))
    lost = charge_of_people(price(linked_settings(asked), schema))
    assert epsilon_of(lost.rho, delta) <= epsilon
    assert lost.rho == pytest.approx(rho_of(epsilon, delta), rel=1e-5)
    assert linked_settings(asked) == replace(asked, epsilon=linked_settings(asked).epsilon)


def test_the_counterpart_of_group_privacy_for_gaussian_noise():
    """A Gaussian of rho for one row has exactly rho d² for rows d apart: the factor is not smaller."""
    sigma, apart = 2.0, 3
    # divergence of order a between N(0, s²) and N(d, s²) is a d² / (2 s²)
    assert apart**2 / (2 * sigma**2) == pytest.approx(charge_of_people(Charge(1 / (2 * sigma**2))).rho)


def test_small_tables_in_every_order():
    rows = [
        ("a", {"p"}, "x", None),
        ("b", {"p", "q"}, "x", None),
        ("c", {"q"}, "x", None),
        ("d", {"q"}, "y", None),
    ]
    without = [("a", set(), None, None), ("b", {"q"}, None, None), *rows[2:]]
    for order in permutations(range(4)):
        one, other = bounded(rows, 1, order), bounded(without, 1, order)
        assert distance(one, other) == 2 and one[2:] == other[2:]


def test_what_is_said_in_public_holds_no_number_of_the_data():
    assert linked_said(["trade", "tie"], 2).startswith("trade, tie: counted are people")
    assert "at most 2 people of each" in linked_said(["trade"], 2)
