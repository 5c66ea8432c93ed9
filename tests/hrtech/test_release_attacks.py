"""Attacks find copies, and blame no one who only resembles the population."""

import itertools
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hrtech.counts import count_combinations
from hrtech.release import comparison
from hrtech.release.attacks import (
    attribute_inference,
    closest_records,
    membership,
    membership_attack,
    neighbours,
    outcome,
    predicates,
    singling_out,
)
from hrtech.release.comparison import UNIT, Reference, encode_alike, row_ids, rows_of
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
WORLD = ReleaseSchema(
    (*(ReleaseColumn(f"c{k}") for k in range(6)), ReleaseColumn("means", ("a", "b", "c"), multi_valued=True))
)
ONE = ReleaseSchema(
    (ReleaseColumn("key"), ReleaseColumn("secret"), ReleaseColumn("means", multi_valued=True))
)


def draw(n, rng):
    """People of a population with types, so that columns depend on one another and records have a long tail."""
    kind = np.minimum(rng.geometric(0.25, n), 12)
    columns = {}
    for k in range(6):
        value = np.where(rng.random(n) < 0.75, (kind * (k + 2)) % 5, rng.integers(0, 5, n))
        columns[f"c{k}"] = pd.array(np.array(["p", "q", "r", "s", None], dtype=object)[value], dtype="str")
    held = (rng.random((n, 3)) < np.array([0.5, 0.2, 0.05])) & (kind[:, None] % 3 != np.arange(3))
    lists = [[m for m, has in zip("abc", row, strict=True) if has] or None for row in held]
    return pd.DataFrame(columns | {"means": pd.array(lists, dtype=LISTS)})


def small(rows):
    return pd.DataFrame(
        {
            "key": pd.array([r[0] for r in rows], dtype="str"),
            "secret": pd.array([r[1] for r in rows], dtype="str"),
            "means": pd.array([r[2] for r in rows], dtype=LISTS),
        }
    )


@pytest.fixture(scope="module")
def three():
    rng = np.random.default_rng(1)
    return draw(1500, rng), draw(1500, rng), draw(1500, rng)


def row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


# What must be found, and what must not


def test_attribute_inference_finds_a_copy(three):
    people = three[0]
    attack = attribute_inference(
        people, people, WORLD, ["c0", "means"], rng=np.random.default_rng(2), attacks=800
    )
    assert attack.found and sum("they repeat people" in s for s in attack.says) == 2
    for column in ("c0", "means"):
        alone = row(attack.table, column=column, group="alone")
        assert alone["right_share"] == 1 and alone["excess_low"] > 0.1 and alone["attacks"] > 100
        everyone = row(attack.table, column=column, group="everyone")
        assert everyone["attacks"] == 800 and everyone["attribution"] > everyone["others_share"]


def test_attribute_inference_calls_no_truth_of_the_population_a_leak(three):
    people, others, _ = three
    attack = attribute_inference(people, others, WORLD, ["c0", "c1", "means"], rng=np.random.default_rng(3))
    assert not attack.found and all("no more about a person" in s for s in attack.says)
    everyone = row(attack.table, column="c0", group="everyone")
    assert everyone["right_share"] > everyone["most_frequent_share"] + 0.15  # there is much to learn
    assert abs(everyone["excess"]) < 0.05


def test_closest_records(three):
    people, others, _ = three
    rng = np.random.default_rng(4)
    copied = closest_records(people, people, WORLD, rng=rng).table.iloc[0]
    assert copied["same_share"] == 1 and copied["low"] > 0.9 and copied["farther"] == 0
    resampled = people.iloc[rng.integers(0, 1500, 1500)]
    assert closest_records(people, resampled, WORLD, rng=rng).found
    fair = closest_records(people, others, WORLD, rng=rng)
    assert not fair.found and fair.table.iloc[0]["low"] < 0.5 < fair.table.iloc[0]["high"]
    assert "no more than other people would" in fair.says[0]
    fewer = closest_records(people, others.iloc[:300], WORLD, rng=rng).table.iloc[0]
    assert fewer["low"] < 0.5 < fewer["high"]  # 300 of each are looked into
    shuffled = pd.DataFrame({c: people[c].iloc[rng.permutation(1500)].reset_index(drop=True) for c in people})
    assert closest_records(people, shuffled, WORLD, rng=rng).table.iloc[0]["high"] < 0.5


def test_membership_finds_a_copy(three):
    members, non_members, others = three
    attack = membership_attack(members, non_members, members, WORLD, rng=np.random.default_rng(5))
    assert attack.found and "more than guessing" in attack.says[-1]
    ratio = row(attack.table, attacker="density ratio")
    assert ratio["low"] > 0.6 and ratio["true_positive_low"] > 0.02 and ratio["by_luck"] < 1e-6
    assert (ratio["members"], ratio["non_members"]) == (1500, 750)
    assert row(attack.table, attacker="closest record")["low"] > 0.6
    fair = membership_attack(members, non_members, others, WORLD, rng=np.random.default_rng(6))
    assert not fair.found and all("no better than guessing" in s for s in fair.says)
    assert (fair.table["low"] < 0.5).all() and (fair.table["high"] > 0.5).all()


def test_membership_finds_exact_counts_of_few(three):
    members, non_members, others = three[0].iloc[:100], three[1], three[2].iloc[:100]
    found = {}
    for name, released in (("own", members), ("other", others)):
        counts = count_combinations(encode_alike([released], WORLD)[0], 2).to_frame()
        rng = np.random.default_rng(7)
        attack = membership_attack(members, non_members, None, WORLD, rng=rng, aggregates=counts)
        found[name] = (attack.found, attack.table.iloc[0]["auc"])
        assert attack.table["attacker"].tolist() == ["aggregates"]
    assert found["own"][0] and found["own"][1] > 0.6
    assert not found["other"][0] and 0.4 < found["other"][1] < 0.6


def test_singling_out(three):
    people, others, _ = three
    copied = singling_out(people, people, WORLD, rng=np.random.default_rng(8), lengths=(4, 5))
    assert copied.found and any("the synthetic records repeat people" in s for s in copied.says)
    for length in (4, 5):
        assert row(copied.table, length=length, attacker="synthetic records")["share"] == 1
        assert row(copied.table, length=length, attacker="random attributes")["share"] < 0.3
        assert row(copied.table, length=length, attacker="as many synthetic records")["excess_low"] > 0
    fair = singling_out(people, others, WORLD, rng=np.random.default_rng(9), lengths=(4, 5))
    assert not fair.found
    for length in (4, 5):
        equal = row(fair.table, length=length, attacker="as many synthetic records")
        assert equal["excess_low"] < 0 < equal["excess_high"] and equal["share"] > 0.1
    impossible = singling_out(people, others, WORLD, rng=np.random.default_rng(9), lengths=(9,))
    assert not impossible.found and "single out nobody" in impossible.says[0]
    nothing = row(impossible.table, attacker="as many synthetic records")
    assert np.isnan(nothing["excess"]) and (nothing["excess_low"], nothing["excess_high"]) == (-1, 1)


@pytest.mark.slow
def test_no_false_alarms():
    """The verdicts are meant to be wrong in at most 5 % of the cases."""
    alarms = np.zeros(4, dtype=int)
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        people, others, outside = draw(400, rng), draw(400, rng), draw(400, rng)
        counts = count_combinations(encode_alike([others], WORLD)[0], 2).to_frame()
        attacks = (
            attribute_inference(people, others, WORLD, ["c0", "c1", "means"], rng=rng),
            closest_records(people, others, WORLD, rng=rng),
            singling_out(people, others, WORLD, rng=rng, lengths=(3, 4)),
            membership_attack(people, outside, others, WORLD, rng=rng, aggregates=counts),
        )
        alarms += [attack.found for attack in attacks]
    assert (alarms <= 6).all(), alarms  # 6 of 40 or more has a chance of 1.4 % at 5 %


# By hand


def test_distances_by_hand():
    one = small([("a", "x", ["p", "q"]), ("a", None, None)])
    other = small(
        [("a", "x", ["q", "p"]), ("b", None, ["p", "q", "r"]), ("b", "y", None), ("a", "x", ["p", "q"])]
    )
    rows = rows_of(encode_alike([one, other], ONE))
    reference = Reference.of(rows.tables[1])
    assert reference.weight.sum() == 4 and len(reference.codes) == 3  # the order in a list does not matter
    ((_, distance),) = comparison.distance_blocks(rows, rows.tables[0], reference, [0, 1, 2])
    by_row = distance[:, reference.of_row]
    assert by_row[0].tolist() == [0, 2 * UNIT + UNIT // 3, 3 * UNIT, 0]
    assert by_row[1].tolist() == [2 * UNIT, UNIT + UNIT, 2 * UNIT, 2 * UNIT]
    own = np.array([reference.of_row[1], -1])
    comparison.without_own(distance, reference, own)
    assert distance[0, reference.of_row[1]] == np.iinfo(np.uint16).max and distance[1].max() <= 3 * UNIT
    assert row_ids(rows.tables[1]).tolist() == [0, 1, 2, 0]


def test_a_guess_by_hand_leaves_the_person_out():
    people = small(
        [("a", "x", None), ("a", "y", None), ("a", "y", None), ("b", "z", None), ("c", None, None)]
    )
    made = small([("a", "x", None), ("a", "x", None), ("a", "y", None), ("b", None, None), ("b", "w", None)])
    attack = attribute_inference(people, made, ONE, ["secret"], rng=np.random.default_rng(0), known=["key"])
    everyone = row(attack.table, group="everyone")
    # a: x twice of three, so right for one of three; b: no value or w; c: nobody, so all, x is the most frequent
    assert everyone["right_share"] == pytest.approx(1 / 5)
    assert everyone["attribution"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 3 + 0 + 1 / 5) / 5)
    # of the others, the first sees y, y; the second x, y and y is the more frequent; b and c see all: y
    assert everyone["others_share"] == pytest.approx(2 / 5)
    assert everyone["most_frequent_share"] == pytest.approx(1 / 5)
    assert row(attack.table, group="holders")["attacks"] == 4
    # key b: none of the people, two synthetic; key c: nobody; a: four others
    assert row(attack.table, group="alone")["attacks"] == 1


def test_what_is_not_known_does_not_count():
    people = small([("a", "x", ["p"]), ("b", "y", ["p"])] * 20)
    made = small([("a", "y", ["p"]), ("b", "x", ["p"])] * 20)
    known = attribute_inference(people, made, ONE, ["secret"], rng=np.random.default_rng(0)).table
    assert row(known, group="everyone")["right_share"] == 0
    blind = attribute_inference(
        people, made, ONE, ["secret"], rng=np.random.default_rng(0), known=["means"]
    ).table
    assert row(blind, group="everyone")["right_share"] == 0.5
    itself = attribute_inference(
        people, people, ONE, ["secret"], rng=np.random.default_rng(0), known=["secret", "means"]
    ).table
    assert row(itself, group="everyone")["right_share"] == 0.5  # the column to guess is never known


def test_auc_by_hand_and_its_interval():
    members, others = np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.0, 2.0, 1.0])
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(members, others)]
    assert membership._auc(members, others, 0.95, 1)["auc"] == pytest.approx(np.mean(pairs))
    rng = np.random.default_rng(10)
    inside, width = 0, []
    for _ in range(300):  # normal scores one deviation apart: the area is 0.760
        got = membership._auc(rng.normal(1, 1, 80), rng.normal(0, 1, 60), 0.95, 1)
        inside += got["low"] < 0.7602 < got["high"]
        width.append(got["high"] - got["low"])
    assert 0.9 < inside / 300 < 0.99 and 0.1 < np.mean(width) < 0.25


def test_accusations_by_hand_and_by_luck():
    rng = np.random.default_rng(11)
    members, others = np.arange(50, 150.0), np.arange(0, 100.0)
    got = membership._accusations(members, others, 0.01, 0.95, rng)
    assert got["false_positive_rate"] == 0.01  # one of them, so above 98, where a tie may fall either way
    assert got["true_positive_rate"] in (0.51, 0.52)
    level = [
        membership._accusations(rng.normal(size=200), rng.normal(size=150), 0.02, 0.95, rng)
        for _ in range(400)
    ]
    assert np.mean([x["by_luck"] < 0.05 for x in level]) < 0.08
    assert np.mean([x["by_luck"] < 0.5 for x in level]) > 0.3
    same = membership._accusations(np.zeros(2000), np.zeros(2000), 0.01, 0.95, rng)
    assert 0 < same["true_positive_rate"] < 0.03  # ties are broken by chance


def test_a_broken_promise_is_said(three):
    people, outside = three[0].iloc[:400], three[1]
    kept = membership_attack(
        people, outside, people, WORLD, rng=np.random.default_rng(12), promise=(4.0, 1e-6)
    )
    assert kept.table["most_promised"].iloc[0] == pytest.approx(
        np.exp(4) * kept.table["false_positive_rate"].iloc[0], rel=1e-3
    )
    assert not any("broken" in s for s in kept.says)
    broken = membership_attack(
        people, outside, people, WORLD, rng=np.random.default_rng(12), promise=(0.01, 0.0)
    )
    assert any("it is broken" in s for s in broken.says)
    assert membership._most_promised(0.5, (4.0, 0.0)) == pytest.approx(1 - np.exp(-4) * 0.5)


def test_predicates_are_what_they_claim(three):
    people = three[0]
    held = comparison.attribute_matrix(encode_alike([people], WORLD)[0])
    cells = predicates._unique_predicates(held, 3, 400, np.random.default_rng(13))
    whom = [np.flatnonzero(held[:, cell].all(axis=1)) for cell in cells]
    assert 20 < len(cells) <= 400 and all(len(w) == 1 for w in whom)
    assert len({int(w[0]) for w in whom}) == len(cells)  # at most one of each record
    column_of = np.array([0, 0, 0, 1, 2, 2])
    drawn = predicates._random_predicates(column_of, 2, 500, np.random.default_rng(14))
    assert (column_of[drawn[:, 0]] != column_of[drawn[:, 1]]).all() and set(drawn.ravel()) == set(range(6))


def test_intervals():
    assert outcome.wilson(3, 10, 0.95) == pytest.approx((0.10779, 0.60322), abs=1e-5)
    assert outcome.wilson(0, 0, 0.95) == (0.0, 1.0)
    assert outcome.wilson(0, 10, 0.95) == pytest.approx((0, 0.27753), abs=1e-5)
    assert len(outcome.sample(5, 9, np.random.default_rng(0))) == 5
    chosen = outcome.sample(9, 5, np.random.default_rng(0))
    assert len(set(chosen)) == 5 and (np.diff(chosen) > 0).all()


# Inputs


def test_the_same_seed_gives_the_same_figures(three):
    people, others, outside = three
    for attack in (
        lambda rng: attribute_inference(people, others, WORLD, ["c2"], rng=rng, attacks=200),
        lambda rng: closest_records(people, others, WORLD, rng=rng, attacks=200),
        lambda rng: singling_out(people, others, WORLD, rng=rng, lengths=(4,)),
        lambda rng: membership_attack(people, outside, others, WORLD, rng=rng, attacks=200),
    ):
        one, again = (attack(np.random.default_rng(15)) for _ in range(2))
        pd.testing.assert_frame_equal(one.table, again.table)
        assert one.says == again.says


def test_attacks_that_cannot_be_made(three):
    people, others, _ = three
    rng = np.random.default_rng(16)
    with pytest.raises(ReleaseError, match="no columns of the release: c9"):
        attribute_inference(people, others, WORLD, ["c9"], rng=rng)
    with pytest.raises(ReleaseError, match="none named"):
        attribute_inference(people, others, WORLD, [], rng=rng)
    for attack in (closest_records, singling_out):
        with pytest.raises(ReleaseError, match="two people"):
            attack(people, others.iloc[:0], WORLD, rng=rng)
    with pytest.raises(ReleaseError, match="synthetic records, aggregates or both"):
        membership_attack(people, others, None, WORLD, rng=rng)
    with pytest.raises(ReleaseError, match="two non-members"):
        membership_attack(people, others.iloc[:1], people, WORLD, rng=rng)
    blank = pd.DataFrame({c: others[c].where(np.zeros(1500, dtype=bool)) for c in others})
    with pytest.raises(ReleaseError, match="no record holds"):
        singling_out(blank, blank, WORLD, rng=rng)
    assert not closest_records(blank, blank, WORLD, rng=rng).found
    assert (
        neighbours.closest_records(blank, blank, WORLD, rng=rng).says[0].startswith("Every person is as near")
    )


@pytest.mark.slow
def test_cost():
    """At 21,000 people and 16 columns each attack takes less than 20 seconds of one processor."""
    rng = np.random.default_rng(17)
    names = [f"c{k}" for k in range(16)]
    schema = ReleaseSchema(tuple(ReleaseColumn(n) for n in names))
    halves = [
        pd.concat([draw(21_000, rng).drop(columns="means") for _ in range(3)], axis=1) for _ in range(3)
    ]
    people, made, outside = (h.set_axis([f"c{k}" for k in range(18)], axis=1)[names] for h in halves)
    for attack in (
        lambda: attribute_inference(people, made, schema, names[:6], rng=rng),
        lambda: closest_records(people, made, schema, rng=rng),
        lambda: singling_out(people, made, schema, rng=rng),
        lambda: membership_attack(people, outside, made, schema, rng=rng),
    ):
        started = time.process_time()
        attack()
        assert time.process_time() - started < 20
