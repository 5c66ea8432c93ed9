"""The price of a release: known before any record is read, all of the budget and never more."""

import inspect
import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy.accounting import epsilon_of, rho_of
from hrtech.release.declared import (
    BudgetShares,
    ReleaseColumn,
    ReleaseError,
    ReleaseSchema,
    ReleaseSettings,
    most_attributes,
)
from hrtech.release.plan import check_cells, group_sizes, plan_release, price

DECLARED = ReleaseSchema(
    (
        ReleaseColumn("sex", ("F", "M")),
        ReleaseColumn("town", ("a", "b"), parent="region", parent_values={"a": "x", "b": "x"}),
        ReleaseColumn("region", ("x", "y")),
        ReleaseColumn("means", ("debt", "drugs", "0"), multi_valued=True),
    )
)
OPEN = ReleaseSchema((DECLARED.columns[0], ReleaseColumn("job"), ReleaseColumn("means", multi_valued=True)))


@settings(max_examples=12, deadline=None)
@given(
    epsilon=st.floats(0.01, 12),
    delta=st.sampled_from([1e-4, 1e-6, 1e-9, 1e-11]),
    schema=st.sampled_from([DECLARED, OPEN]),
    shares=st.tuples(*[st.floats(0.01, 1)] * 4),
)
def test_the_price_is_all_of_the_budget_and_no_more(epsilon, delta, schema, shares):
    setting = ReleaseSettings(epsilon, delta, shares=BudgetShares(*shares), most_undeclared=3)
    asked = price(setting, schema)
    searched = delta * setting.vocabulary_delta_share if schema.undeclared else 0.0
    # parts may add up to the last digit above; `rho_of` leaves room for that, and epsilon is what is promised
    assert 1 - 1e-6 < asked.rho / rho_of(epsilon, delta, searched) < 1 + 1e-15
    assert 0 <= asked.delta <= searched
    assert epsilon_of(asked.rho, delta, asked.delta) <= epsilon
    plan = plan_release(setting, schema)
    parts = [r.charge.rho for r in plan.rounds] + [plan.centres, plan.bound, plan.moments]
    assert math.fsum(parts) == pytest.approx(asked.rho, rel=1e-12) and plan.charge == asked
    assert bool(plan.rounds) == bool(schema.undeclared)


def test_shares_divide_the_budget_and_a_step_that_does_not_run_leaves_its_share():
    setting = ReleaseSettings(2.0, 1e-6, shares=BudgetShares(vocabulary=1, centres=1, bound=1, moments=2))
    plan, rho = plan_release(setting, DECLARED), rho_of(2.0, 1e-6)
    assert [plan.centres, plan.bound, plan.moments] == pytest.approx([rho / 4, rho / 4, rho / 2])
    plan, rho = plan_release(setting, OPEN), rho_of(2.0, 1e-6, 1e-7)
    assert [plan.centres, plan.bound, plan.moments] == pytest.approx([rho / 5, rho / 5, rho * 2 / 5])
    assert sum(r.charge.rho for r in plan.rounds) == pytest.approx(rho / 5, rel=1e-6)


def test_the_price_sees_no_record():
    """By inspection: nothing of a price takes a table, and nothing of settings or columns is one."""
    for function in (price, plan_release, check_cells):
        assert list(inspect.signature(function).parameters) == ["settings", "schema"]
    names = {f.name for c in (ReleaseSettings, ReleaseSchema, ReleaseColumn, BudgetShares) for f in fields(c)}
    assert not {n for n in names if any(w in n for w in ("noise", "seed", "random", "frame", "scale"))}


def test_a_person_holds_no_more_than_the_columns_allow():
    assert DECLARED.most_attributes() == 5 and OPEN.most_attributes() is None
    assert most_attributes(OPEN.columns[:2]) == 2
    # with several undeclared columns of one value each a person has no more of them
    singles = ReleaseSchema(tuple(ReleaseColumn(f"c{k}") for k in range(3)))
    assert plan_release(ReleaseSettings(2.0, 1e-6), singles).most_undeclared == 3
    assert plan_release(ReleaseSettings(2.0, 1e-6, most_undeclared=2), singles).most_undeclared == 2
    assert plan_release(ReleaseSettings(2.0, 1e-6), OPEN).most_undeclared == 64
    assert plan_release(ReleaseSettings(2.0, 1e-6), DECLARED).most_undeclared == 0


def test_group_sizes():
    assert group_sizes(DECLARED) == [2, 4, 1, 1] and group_sizes(OPEN) == [2, 0]


def test_what_cannot_be_released_is_refused_before_any_record_is_read():
    setting = ReleaseSettings(2.0, 1e-6)
    with pytest.raises(ReleaseError, match="more than max_cells = 20"):
        price(replace(setting, max_cells=20), DECLARED)
    with pytest.raises(ReleaseError, match="nothing to release"):
        price(setting, ReleaseSchema((ReleaseColumn("a", ("0",)),)))
    with pytest.raises(ReleaseError, match="undeclared values"):
        price(ReleaseSettings(2.0, 1e-15), OPEN)
