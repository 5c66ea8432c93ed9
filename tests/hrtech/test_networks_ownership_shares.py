"""Integrated ownership and control against other ways of computing them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hrtech.networks.ownership import integrated_ownership
from hrtech.networks.ownership_paths import paths_to
from hrtech.networks.ownership_shares import shares_of, spectral_radius, structure
from hrtech.networks.spec import Rejects

COMPANIES = 6
NAMES = [f"C{i}" for i in range(COMPANIES)]


@st.composite
def registers(draw, acyclic=False, ranged=False):
    """Holdings of 3 persons and 6 companies; the shares of a company add up to at most 100."""
    rows = []
    for company in range(COMPANIES):
        owners = [f"P{i}" for i in range(3)]
        owners += NAMES[:company] if acyclic else [name for name in NAMES if name != f"C{company}"]
        chosen = draw(st.lists(st.sampled_from(owners), unique=True, max_size=4))
        cuts = sorted(draw(st.lists(st.integers(1, 95), min_size=len(chosen), max_size=len(chosen))))
        for owner, share in zip(chosen, np.diff([0, *cuts]).tolist(), strict=True):
            low = draw(st.integers(0, share)) if ranged else share
            high = draw(st.integers(share, 100)) if ranged else share
            rows.append((owner, f"C{company}", float(low), float(high), float(share)))
    return pd.DataFrame(rows, columns=["owner", "entity_id", "share_low", "share_high", "true"])


def solved(register, column):
    """N_ij / N_ii of the dense inverse, owners in rows."""
    nodes = [*NAMES, "P0", "P1", "P2"]
    direct = np.zeros((len(nodes), len(nodes)))
    for owner, company, share in zip(register["owner"], register["entity_id"], register[column], strict=True):
        direct[nodes.index(owner), nodes.index(company)] = share / 100
    inverse = np.linalg.inv(np.eye(len(nodes)) - direct)
    return pd.DataFrame(inverse / np.diag(inverse)[:, None], nodes, nodes)


def shares(register):
    found = structure(register)
    return {
        (found.nodes[owner], found.nodes[company]): (low, high)
        for owner in range(len(found.nodes))
        for company, low, high in shares_of(found, owner)
    }


@settings(max_examples=30, deadline=None)
@given(registers())
def test_shares_are_those_of_the_inverse_and_nothing_is_lost(register):
    expected = solved(register, "true")
    for (owner, company), (low, high) in shares(register).items():
        assert low == pytest.approx(expected.at[owner, company], abs=1e-9)
        assert high == pytest.approx(low, abs=1e-9)
        assert 0 <= low <= 1 + 1e-12
    # what persons hold of a company, and what nobody declared along the way, is the whole
    undeclared = {name: 1 - register.loc[register["entity_id"] == name, "true"].sum() / 100 for name in NAMES}
    paid = pd.DataFrame(
        [*zip(register["owner"], register["entity_id"], register["true"], strict=True)]
        + [(f"P-{name}", name, undeclared[name] * 100) for name in NAMES],
        columns=["owner", "entity_id", "share_low"],
    )
    whole = shares(paid.assign(share_high=paid["share_low"]))
    for name in NAMES:
        held = sum(
            low for (owner, company), (low, _) in whole.items() if company == name and owner.startswith("P")
        )
        assert held == pytest.approx(1, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(registers(ranged=True), st.integers(0, 2**32))
def test_intervals_hold_every_register_that_the_ranges_allow_and_reach_their_ends(register, seed):
    assume(len(register))
    found = shares(register)
    rng = np.random.default_rng(seed)
    low, high, true = (register[name].to_numpy() for name in ("share_low", "share_high", "true"))
    points = [true]
    for _ in range(5):
        drawn = rng.uniform(low, high)
        over = pd.Series(drawn - low).groupby(register["entity_id"]).transform("sum")
        room = 100 - pd.Series(low).groupby(register["entity_id"]).transform("sum")
        points.append(low + (drawn - low) * np.minimum(1, np.where(over > 0, room / over, 1)))
    assert all(least <= most <= 1 + 1e-12 for least, most in found.values())
    for point in points:
        exact = solved(register.assign(point=np.minimum(point, 99.9999)), "point")
        for (owner, company), (least, most) in found.items():
            assert least - 1e-5 <= exact.at[owner, company] <= most + 1e-5
    least = solved(register, "share_low")
    assert all(ends[0] == pytest.approx(least.at[key], abs=1e-9) for key, ends in found.items())


@settings(max_examples=25, deadline=None)
@given(registers(acyclic=True, ranged=True))
def test_without_circles_the_greatest_share_is_found_by_trying_every_corner(register):
    """Each company favours one order of its owners; the greatest share is that of the best orders."""
    from itertools import permutations, product

    register = register.groupby("entity_id").head(2)  # few corners
    found = shares(register)
    orders = []
    for _, part in register.groupby("entity_id"):
        orders.append([list(order) for order in permutations(part.index)])
    best: dict = {}
    for choice in product(*orders):
        share = register["share_low"].copy()
        for order in choice:
            left = 100 - register.loc[order, "share_low"].sum()
            for row in order:
                more = min(register.at[row, "share_high"] - register.at[row, "share_low"], left)
                share[row] += more
                left -= more
        exact = solved(register.assign(share=share), "share")
        for key in found:
            best[key] = max(best.get(key, 0), exact.at[key])
    for key, (_, most) in found.items():
        assert most == pytest.approx(best[key], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(registers(acyclic=True))
def test_without_circles_shares_are_the_sums_over_paths(register):
    found = structure(register)
    number = {str(node): place for place, node in enumerate(found.nodes)}
    roots = {str(node) for place, node in enumerate(found.nodes) if found.is_root(place)}
    all_shares = shares(register)
    for company in set(register["entity_id"]):
        paths, left_out = paths_to(found, number[company])
        assert left_out == 0
        summed: dict[str, float] = {}
        for path in paths:
            owner = str(found.nodes[path.nodes[0]])
            summed[owner] = summed.get(owner, 0) + path.product(0)
        assert set(summed) <= roots
        for owner, share in summed.items():
            assert share == pytest.approx(all_shares[owner, company][0], abs=1e-9)


def test_paths_that_are_not_listed_are_counted():
    layers = [[f"L{layer}{i}" for i in range(4)] for layer in range(4)]
    rows = [("P", name) for name in layers[0]]
    for above, below in pairwise(layers):
        rows += [(owner, company) for owner in above for company in below]
    register = pd.DataFrame(rows, columns=["owner", "entity_id"]).assign(share_low=20.0, share_high=25.0)
    found = structure(register)
    company = next(place for place, node in enumerate(found.nodes) if node == "L30")
    paths, left_out = paths_to(found, company, most=10)
    assert len(paths) == 10 and left_out == 64 - 10
    circle = pd.concat([register, pd.DataFrame([("L10", "L00", 1.0, 1.0)], columns=register.columns)])
    found = structure(circle)
    company = next(place for place, node in enumerate(found.nodes) if node == "L30")
    assert paths_to(found, company, most=10)[1] is None


def test_a_circle_that_ranges_may_close_still_has_bounds():
    register = pd.DataFrame(
        [("C1", "C2", 90, 100), ("C2", "C1", 90, 100), ("P", "C1", 0, 10), ("Q", "C2", 0, 10)],
        columns=["owner", "entity_id", "share_low", "share_high"],
    )
    found = shares(register)
    assert found["P", "C1"] == pytest.approx((0, 1))
    assert found["C1", "C2"][1] == pytest.approx(1)


def test_large_circles_are_solved_as_small_ones():
    """A ring of 150 firms, each 60 % owned by the one before, 30 % by a person of its own."""
    count = 150
    rows = [(f"C{(i - 1) % count}", f"C{i}", 60.0, 60.0) for i in range(count)]
    rows += [(f"P{i}", f"C{i}", 30.0, 35.0) for i in range(count)]
    register = pd.DataFrame(rows, columns=["owner", "entity_id", "share_low", "share_high"])
    found = shares(register)
    assert found["P0", "C0"] == pytest.approx((0.3 / (1 - 0.6**count), 0.35 / (1 - 0.6**count)))
    assert found["P0", "C2"] == pytest.approx((0.3 * 0.36, 0.35 * 0.36), rel=1e-6)


def test_the_spectral_radius_of_large_circles_is_that_of_the_eigenvalues():
    from scipy import sparse

    rng = np.random.default_rng(5)
    cells = rng.uniform(0, 1, (90, 90)) * (rng.random((90, 90)) < 0.1)
    ring = np.roll(np.eye(90), 1, axis=1) * 0.4
    for dense in (cells / cells.sum(0).clip(1), ring):
        expected = np.abs(np.linalg.eigvals(dense)).max()
        assert spectral_radius(sparse.csc_array(dense)) == pytest.approx(expected, abs=1e-6)


def held(*rows, **more):
    frame = pd.DataFrame(rows, columns=["owner_id", "company_id", "share_minimum", "share_maximum"])
    return frame.assign(
        owner_company_id=frame["owner_id"].where(frame["owner_id"].str.startswith("C")), **more
    )


def controlled(frame, as_of=None):
    rejects = Rejects()
    found = integrated_ownership(frame, {"C1", "C2", "C3", "C4"}, 1, rejects, as_of)
    return found.control.set_index(["controller", "company_id"]), found, rejects.frame()


def test_control_follows_majorities_not_products():
    # 51 % of 51 % is control of both, and a share of a quarter
    table, found, _ = controlled(held(("P", "C1", 51, 51), ("C1", "C2", 51, 51), ("Q", "C2", 49, 49)))
    assert table.loc[("P", "C2"), "certain"] and table.loc[("P", "C2"), "ultimate"]
    assert table.loc[("P", "C2"), "weakest_link"] == pytest.approx(51)
    assert table.loc[("P", "C2"), "via"] == "P → C1 → C2"
    assert not table.loc[("C1", "C2"), "ultimate"]
    assert ("Q", "C2") not in table.index
    owners = found.beneficial_owners.set_index(["owner", "company_id"])
    assert owners.loc[("P", "C2"), "share_low"] == pytest.approx(26.01)


def test_votes_through_several_companies_add_up_and_ranges_make_control_possible():
    table, _, _ = controlled(
        held(
            ("P", "C1", 60, 60),
            ("P", "C2", 60, 60),
            ("C1", "C3", 30, 30),
            ("C2", "C3", 25, 25),
            ("P", "C4", 25, 50),
        )
    )
    assert table.loc[("P", "C3"), ["votes_low", "certain"]].tolist() == [pytest.approx(55), True]
    assert ("P", "C4") not in table.index
    table, _, _ = controlled(held(("P", "C4", 25, 75), ("Q", "C4", 40, 40)))
    assert table.loc[("P", "C4"), ["certain", "votes_high"]].tolist() == [False, pytest.approx(60)]
    table, _, _ = controlled(held(("P", "C4", 25, 75), ("Q", "C4", 50, 50)))
    assert ("P", "C4") not in table.index


def test_votes_apart_from_shares_and_declared_means_are_control():
    frame = held(("P", "C1", 10, 10), ("Q", "C1", 90, 90), ("R", "C2", 0, 0))
    frame["voting_share"] = [60.0, None, None]
    frame["control_by"] = [None, None, "appointmentOfBoard; boardMember"]
    table, _, rejects = controlled(frame)
    assert table.loc[("P", "C1"), "certain"]
    assert ("Q", "C1") not in table.index
    assert table.loc[("R", "C2"), "basis"] == "declared: appointmentOfBoard"
    assert rejects.empty
    frame["voting_share"] = [60.0, 60.0, None]
    assert (
        controlled(frame)[2]["reason"].tolist()
        == ["the votes in the company add up to more than 100 per cent: its shares are taken for votes"] * 2
    )


def test_dates_that_run_backwards_and_interests_out_of_time_are_rejects():
    frame = held(("P", "C1", 10, 10), ("P", "C2", 10, 10), ("P", "C3", 10, 10), ("P", "C4", 10, 10))
    frame["from_date"] = pd.to_datetime(["2020-01-01", "2020-01-01", "2030-01-01", None])
    frame["to_date"] = pd.to_datetime(["2019-01-01", "2021-01-01", None, "2031-01-01"])
    _, found, rejects = controlled(frame, pd.Timestamp("2025-01-01"))
    assert found.holdings["entity_id"].tolist() == ["C4"]
    assert rejects["reason"].tolist() == [
        "the interest ends before it begins", "the interest has ended", "the interest has not begun"
    ]  # fmt: skip


def test_an_indirect_interest_counts_unless_a_chain_tells_it():
    frame = held(("P", "C1", 80, 80), ("C1", "C2", 50, 50), ("P", "C2", 40, 40), ("P", "C3", 30, 30))
    frame["direct"] = ["direct", "direct", "indirect", "indirect"]
    _, found, rejects = controlled(frame)
    shares = found.beneficial_owners.set_index(["owner", "company_id"])["share_low"]
    assert shares["P", "C2"] == pytest.approx(40) and shares["P", "C3"] == pytest.approx(30)
    assert rejects[["row", "reason"]].to_numpy().tolist() == [
        [3, "the indirect interest is told by a chain of direct ones"]
    ]
