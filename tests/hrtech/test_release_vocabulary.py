"""Undeclared values: what one person adds, what noise and threshold cost, and which values are found."""

import json
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import encode
from hrtech.privacy.discrete_noise import OpenDPNoise
from hrtech.release.declared import ReleaseError
from hrtech.release.vocabulary import (
    UNIT,
    Round,
    find_values,
    plan_rounds,
    summed_weights,
    weight_of,
    weights_of,
)

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
SECRET = b"a secret of the run"
attribute = st.tuples(st.sampled_from(["town", "means", "a\x00b"]), st.text(min_size=1, max_size=3))
person = st.tuples(
    st.sampled_from([None, "here", "there", "é\x00"]),
    st.lists(st.sampled_from("abcdefgh"), unique=True).map(sorted),
)


def frame_of(rows):
    return pd.DataFrame(
        {
            "town": pd.array([r[0] for r in rows], dtype="str"),
            "means": pd.array([r[1] for r in rows], dtype=LISTS),
        }
    )


def held_by(row):
    return ([("town", row[0])] if row[0] else []) + [("means", v) for v in row[1]]


def sums_of(rows, most, closed=()):
    columns = encode(frame_of(rows), ["town", "means"]).columns
    open_to = {c.name: np.array([(c.name, v) not in closed for v in c.values], dtype=bool) for c in columns}
    return summed_weights(columns, len(rows), open_to, most, SECRET)


class Seen:
    """The seam: what was asked for; finds what it is told to, or what exceeds the threshold."""

    def __init__(self, found=None):
        self.asked, self.found = [], found

    def above_threshold(self, counts, scale, threshold):
        self.asked.append((dict(counts), scale, threshold))
        if self.found is None:
            return {k: n for k, n in counts.items() if n > threshold}
        return {k: n for k, n in counts.items() if tuple(json.loads(k)) in self.found[len(self.asked) - 1]}


@settings(max_examples=200, deadline=None)
@given(held=st.lists(attribute, unique=True, max_size=12), most=st.integers(1, 8))
def test_a_person_adds_a_vector_of_length_1_to_few_keys(held, most):
    added = weights_of(held, most, SECRET)
    assert len(added) == min(most, len(held)) and set(added) <= set(held)
    assert sum(w * w for w in added.values()) <= UNIT * UNIT
    assert all(isinstance(w, int) and w == weight_of(len(added)) >= 1 for w in added.values())
    # the order of the row says nothing
    assert weights_of(held[::-1], most, SECRET) == added


def test_the_length_is_nearly_reached():
    for k in range(1, 65):
        assert (1 - 1e-3) * UNIT < weight_of(k) * math.sqrt(k) <= UNIT


def test_the_choice_among_too_many_is_even_and_hangs_on_the_secret():
    held = [("means", v) for v in "abcdefgh"]
    chosen = [frozenset(weights_of(held, 3, k.to_bytes(4, "big"))) for k in range(2000)]
    assert len(set(chosen)) == 56
    share = [sum(a in c for c in chosen) / 2000 for a in held]
    # five standard errors
    assert all(abs(s - 3 / 8) < 5 * math.sqrt(3 / 8 * 5 / 8 / 2000) for s in share)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(person, max_size=20), most=st.integers(1, 9), closed=st.sets(st.sampled_from("abc")))
def test_sums_are_those_of_the_persons(rows, most, closed):
    closed = {("means", v) for v in closed}
    wanted = {}
    for row in rows:
        for a, w in weights_of([a for a in held_by(row) if a not in closed], most, SECRET).items():
            wanted[a] = wanted.get(a, 0) + w
    assert sums_of(rows, most, closed) == wanted


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(person, max_size=12), newcomer=person, most=st.integers(1, 9))
def test_one_person_more_changes_nobody_elses_part(rows, newcomer, most):
    """Whatever the secret: others' choices are their own, so the difference is what the newcomer adds."""
    before, after = sums_of(rows, most), sums_of([*rows, newcomer], most)
    moved = {a: after.get(a, 0) - before.get(a, 0) for a in set(before) | set(after)}
    assert {a: m for a, m in moved.items() if m} == weights_of(held_by(newcomer), most, SECRET)


def test_keys_are_the_attributes_alone():
    """Keys must not tell of other people: OpenDP's map counts the keys in which neighbours differ."""
    rounds = plan_rounds(0.01, 1e-7, 9)
    seen = []
    for rows in ([("m", ["b"])] * 3, [("a", ["a"])] + [("m", ["b"])] * 3):
        noise = Seen()
        encoded = encode(frame_of(rows), ["town", "means"])
        find_values(encoded, ["town", "means"], rounds, 9, 10, noise, np.random.default_rng(0))
        seen.append(set(noise.asked[0][0]))
    assert seen[0] == {'["town", "m"]', '["means", "b"]'} and seen[0] < seen[1]


def test_a_value_that_was_found_counts_no_more():
    rows = [("here", ["a", "b"])] * 4 + [("there", ["a"])]
    noise = Seen(found=[{("means", "a"), ("town", "here")}, {("means", "b")}])
    encoded = encode(frame_of(rows), ["town", "means"])
    rounds = plan_rounds(0.01, 1e-7, 9)
    found = find_values(encoded, ["town", "means"], rounds, 9, 10, noise, np.random.default_rng(0))
    assert found == {"town": ("here",), "means": ("a", "b")}
    # those who hold one value less spread their weight over the others
    assert noise.asked[1][0] == {'["means", "b"]': 4 * UNIT, '["town", "there"]': UNIT}


def test_the_most_frequent_values_come_first_and_are_kept():
    rows = [("here", ["c"])] * 900 + [("there", ["a"])] * 700 + [(None, ["b"])] * 300
    encoded, rounds = encode(frame_of(rows), ["town", "means"]), plan_rounds(0.1, 1e-6, 2)
    args = encoded, ["town", "means"], rounds, 2
    everything = find_values(*args, 10, Seen(), np.random.default_rng(0))
    assert everything == {"town": ("here", "there"), "means": ("c", "a", "b")}
    assert find_values(*args, 2, Seen(), np.random.default_rng(0)) == {"town": ("here",), "means": ("c",)}


def tail(z):
    return math.erfc(z / math.sqrt(2)) / 2


@pytest.mark.parametrize(("rho", "delta", "most"), [(0.001, 1e-7, 1), (0.02, 1e-9, 5), (0.5, 1e-12, 64)])
def test_delta_covers_a_person_with_any_number_of_attributes(rho, delta, most):
    rounds = plan_rounds(rho, delta, most)
    assert len(rounds) == 2
    for one, share in zip(rounds, (0.4, 0.6), strict=True):
        assert rho * share * (1 - 1e-6) < one.charge.rho <= rho * share
        assert 0 < one.charge.delta <= delta * share
        # rho of a shift of length 1
        assert one.charge.rho >= float(Fraction(UNIT) ** 2 / Fraction(one.scale) ** 2 / 2) * (1 - 1e-12)
        failures = []
        for k in range(1, most + 1):
            # any of k keys that only this person holds is published: noise above threshold less weight
            single = tail((one.threshold + 1 - weight_of(k)) / one.scale)
            failures.append(-math.expm1(k * math.log1p(-single)))
        assert max(failures) <= one.charge.delta
        # and hardly more is paid than needed
        assert max(failures) > 0.7 * one.charge.delta > 0.7 * 0.8 * delta * share


def test_a_round_costs_what_opendp_says():
    from opendp.domains import atom_domain, map_domain
    from opendp.measurements import make_gaussian_threshold
    from opendp.metrics import absolute_distance, l02inf_distance

    for one in plan_rounds(0.02, 1e-8, 6):
        space = (
            map_domain(atom_domain(T="String"), atom_domain(T="i64")),
            l02inf_distance(absolute_distance(T="f64")),
        )
        measurement = make_gaussian_threshold(*space, one.scale, threshold=one.threshold)
        prices = [measurement.map((k, float(UNIT), float(weight_of(k)))) for k in range(1, 7)]
        assert one.charge.rho == max(p[0] for p in prices)
        assert one.charge.delta == max(p[1] for p in prices)


def test_a_key_is_published_only_above_the_threshold():
    """OpenDP keeps a sum that equals the threshold, with a probability that its map leaves out."""
    kept = [n for _ in range(300) for n in OpenDPNoise().above_threshold({"a": 1}, 1.0, 2).values()]
    assert kept and min(kept) == 3


def test_a_delta_that_cannot_be_told_is_refused():
    with pytest.raises(ReleaseError, match="delta"):
        plan_rounds(0.01, 1e-16, 8)


def test_the_noise_of_a_round_is_real():
    """Sums far above the threshold spread as the scale says; a table of millions is never made."""
    one = Round(scale=40.0, threshold=100, charge=plan_rounds(0.01, 1e-7, 1)[0].charge)
    noisy = np.array(
        list(OpenDPNoise().above_threshold({str(k): 10_000 for k in range(4000)}, 40.0, 100).values())
    )
    z = (noisy - 10_000) / one.scale
    assert (
        len(z) == 4000 and abs(z.var() - 1) < 5 * math.sqrt(2 / 4000) and abs(z.mean()) < 5 / math.sqrt(4000)
    )


def test_many_values_of_many_people_take_little_memory():
    import tracemalloc

    n = 20_000
    towns = pd.DataFrame({"town": pd.array([f"t{k % 5000}" for k in range(n)], dtype="str")})
    encoded = encode(towns, ["town"])
    tracemalloc.start()
    find_values(encoded, ["town"], plan_rounds(0.1, 1e-6, 1), 1, 10, Seen(), np.random.default_rng(0))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
