"""The private release: what one person moves at every step, what it costs, and that the noise is there."""

import inspect
import itertools
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from hrtech.counts import EncodingError, count_combinations, encode, parse_attributes
from hrtech.privacy.accounting import epsilon_of, rho_of
from hrtech.privacy.discrete_noise import OpenDPNoise
from hrtech.release import mechanism
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema, ReleaseSettings
from hrtech.release.estimate import uncentred
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.mechanism import draw, sensitivity_of
from hrtech.release.moments import bounded_weights
from hrtech.release.plan import plan_release, price
from hrtech.release.vocabulary import UNIT

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
TOWN = ReleaseColumn("town", ("a", "b", "c"), parent="region", parent_values={"a": "x", "b": "x", "c": "y"})
DECLARED = ReleaseSchema(
    (
        ReleaseColumn("sex", ("F", "M")),
        TOWN,
        ReleaseColumn("means", ("debt", "drugs", "threats"), multi_valued=True),
        ReleaseColumn("region", ("x", "y")),
        ReleaseColumn("asked", ("0", "1"), sensitive_zeros=True),
    )
)
OPEN = ReleaseSchema(
    (
        DECLARED.columns[0],
        ReleaseColumn("town"),
        ReleaseColumn("means", multi_valued=True),
        ReleaseColumn("asked"),
    )
)
person = st.tuples(
    st.sampled_from([None, "F", "M"]),
    st.sampled_from([None, "a", "b", "c"]),
    st.one_of(st.none(), st.lists(st.sampled_from(["debt", "drugs", "threats"]), unique=True).map(sorted)),
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, "0", "1"]),
)
people = st.lists(person, max_size=12)
EVERYTHING = ("F", "a", ["debt", "drugs", "threats"], "x", "1")


def frame_of(rows):
    return pd.DataFrame(
        {
            "sex": pd.array([r[0] for r in rows], dtype="str"),
            "town": pd.array([r[1] for r in rows], dtype="str"),
            "means": pd.array([r[2] for r in rows], dtype=LISTS),
            "region": pd.array([r[3] for r in rows], dtype="str"),
            "asked": pd.array([r[4] for r in rows], dtype="str"),
        }
    )


class Seam:
    """No noise but what it is told to give; remembers what it was asked.

    Args:
        shift: Adds to vectors, a function of their length and scale.
        pick: Which candidate a quantile is.
        found: Which of the keys are found, a function of the sorted keys; all by default.
        answers: What to answer instead, one for each question.
    """

    def __init__(self, shift=None, pick=-1, found=None, answers=None):
        self.shift, self.pick, self.found, self.given = shift, pick, found, answers
        self.asked, self.answers = [], []

    def _answer(self, kind, values, rest, own):
        self.asked.append((kind, values, rest))
        self.answers.append(self.given[len(self.answers)] if self.given is not None else own)
        return self.answers[-1]

    def vector(self, values, scale):
        assert values.dtype == np.int64
        noise = self.shift(len(values), scale) if self.shift else 0
        return self._answer("vector", values.copy(), (scale,), values + noise)

    def above_threshold(self, counts, scale, threshold):
        assert all(type(n) is int for n in counts.values())
        kept = self.found(sorted(counts)) if self.found else sorted(counts)
        own = {k: counts[k] for k in kept}
        return self._answer("threshold", dict(counts), (scale, threshold), own)

    def quantile(self, values, candidates, alpha, scale):
        assert values.dtype == np.int64 and all(type(c) is int for c in candidates)
        return self._answer(
            "quantile", values.copy(), (tuple(candidates), alpha, scale), candidates[self.pick]
        )


def released(rows, setting, schema, noise, seed=0):
    return mechanism._draw(frame_of(rows), setting, schema, noise, np.random.default_rng(seed))


def gaussian(scale, distance):
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance

    return make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale).map(distance)


def private_quantile(candidates, alpha, scale):
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_private_quantile
    from opendp.measures import zero_concentrated_divergence
    from opendp.metrics import symmetric_distance

    space = vector_domain(atom_domain(T="i64")), symmetric_distance()
    return make_private_quantile(*space, zero_concentrated_divergence(), list(candidates), alpha, scale)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=people,
    newcomer=st.one_of(person, st.just(EVERYTHING)),
    schema=st.sampled_from([DECLARED, OPEN]),
    longest=st.integers(1, 5),
    epsilon=st.sampled_from([0.1, 1.0, 8.0]),
    declared_people=st.sampled_from([None, 3, 1000]),
    most=st.integers(1, 6),
    pick=st.integers(0, 39),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_one_person_moves_every_step_by_at_most_what_is_paid_for(
    rows, newcomer, schema, longest, epsilon, declared_people, most, pick, seed, data
):
    """Neighbours, given the same answers so far: that is what adaptive composition asks of every step."""
    setting = ReleaseSettings(
        epsilon, 1e-6, reporting_length=longest, people=declared_people, most_undeclared=most
    )
    rng = np.random.default_rng(seed)
    # the noise of the first steps decides the scaling of the later ones: any will do
    one = Seam(
        lambda n, scale: np.rint(rng.normal(0, min(scale, 1e4), n)).astype(np.int64),
        pick,
        found=lambda keys: [k for k in keys if data.draw(st.booleans())],
    )
    without = released(rows, setting, schema, one)
    other = Seam(answers=one.answers)
    with_one = released([*rows, newcomer], setting, schema, other)
    # what is published is a function of the answers
    assert with_one.to_artefacts() == without.to_artefacts()
    plan = plan_release(setting, schema)
    assert [a[0] for a in one.asked] == ["threshold"] * len(plan.rounds) + (
        ["vector", "quantile", "vector"] if without.layout.attributes else ["vector", "vector"]
    )
    vectors = []
    for (kind, before, rest), (same, after, same_rest) in zip(one.asked, other.asked, strict=True):
        assert kind == same and rest == same_rest
        if kind == "threshold":
            moved = [after.get(k, 0) - before.get(k, 0) for k in set(before) | set(after)]
            moved = [m for m in moved if m]
            assert len(moved) <= plan.most_undeclared
            assert sum(m * m for m in moved) <= UNIT * UNIT
        elif kind == "quantile":
            assert (Counter(after.tolist()) - Counter(before.tolist())).total() == 1
            assert not Counter(before.tolist()) - Counter(after.tolist())
        else:
            vectors.append(sum((int(a) - int(b)) ** 2 for a, b in zip(after, before, strict=True)))
    times = 0 if declared_people else 5
    assert vectors[0] <= times**2 + without.layout.most_attributes
    entries = len(one.asked[-1][1])
    assert Fraction(vectors[1]) <= Fraction(sensitivity_of(without.bound, without.scaling, entries)) ** 2
    # the noise is that of this sensitivity and no less
    assert (
        gaussian(one.asked[-1][2][0], sensitivity_of(without.bound, without.scaling, entries)) <= plan.moments
    )


def test_the_sensitivity_is_nearly_reached():
    """A person who holds everything moves the centres by all, and the moments by nearly all, that is paid for."""
    rng = np.random.default_rng(1)
    rows = [
        (
            rng.choice(["F", "M"]),
            rng.choice(["a", "b", "c"]),
            [m for m in ("debt", "drugs", "threats") if rng.random() < 0.1],
            None,
            rng.choice([None, "0"]),
        )
        for _ in range(200)
    ]
    for longest, pick in itertools.product((2, 3, 4), (0, 5, 10)):
        setting = ReleaseSettings(1.0, 1e-6, reporting_length=longest)
        one, other = Seam(pick=pick), None
        measured = released(rows, setting, DECLARED, one)
        other = Seam(answers=one.answers)
        released([*rows, ("M", "c", ["debt", "drugs", "threats"], None, "1")], setting, DECLARED, other)
        (_, centres, _), _, (_, moments, _) = one.asked
        assert ((other.asked[0][1] - centres) ** 2).sum() == 25 + 7
        moved = np.linalg.norm((other.asked[2][1] - moments).astype(float))
        assert 0.85 < moved / sensitivity_of(measured.bound, measured.scaling, len(moments)) <= 1


@pytest.mark.parametrize("schema", [DECLARED, OPEN], ids=["declared", "open"])
@pytest.mark.parametrize(("epsilon", "longest"), [(0.1, 2), (1.0, 3), (4.0, 5)])
@pytest.mark.parametrize("given_people", [None, 500])
def test_opendps_maps_of_what_was_drawn_add_up_to_the_price(schema, epsilon, longest, given_people):
    setting = ReleaseSettings(epsilon, 1e-6, reporting_length=longest, people=given_people)
    noise = Seam(pick=7)
    measured = released([EVERYTHING] * 40 + [("M", "b", None, None, None)] * 60, setting, schema, noise)
    spent = []
    for kind, values, rest in noise.asked:
        if kind == "threshold":
            spent.append(float(UNIT) ** 2 / 2 / rest[0] ** 2)
        elif kind == "quantile":
            spent.append(private_quantile(*rest).map(1))
        elif values is noise.asked[-1][1]:
            spent.append(gaussian(rest[0], sensitivity_of(measured.bound, measured.scaling, len(values))))
        else:
            k = measured.layout.most_attributes + (0 if given_people else 25)
            spent.append(gaussian(rest[0], math.nextafter(math.sqrt(k), math.inf)))
    asked = price(setting, schema)
    assert math.fsum(spent) <= asked.rho * (1 + 1e-15) and math.fsum(spent) > asked.rho * (1 - 1e-6)
    assert measured.spent == pytest.approx(math.fsum(spent), rel=1e-12)
    assert measured.spent <= asked.rho * (1 + 1e-15)
    assert epsilon_of(measured.spent, 1e-6, asked.delta) <= epsilon
    assert asked.rho > rho_of(epsilon, 1e-6, asked.delta) * (1 - 1e-2)


def test_the_price_is_the_same_for_any_data():
    for schema in (DECLARED, OPEN):
        setting = ReleaseSettings(2.0, 1e-6, reporting_length=2)
        spent = {
            released(rows, setting, schema, Seam(pick=3)).spent
            for rows in ([EVERYTHING], [EVERYTHING] * 500, [EVERYTHING, ("M", "b", ["debt"], None, "0")] * 9)
        }
        assert max(spent) <= price(setting, schema).rho and max(spent) - min(spent) < 1e-8 * max(spent)


def test_nothing_public_reaches_the_seam():
    assert list(inspect.signature(draw).parameters) == ["frame", "settings", "schema"]
    source = inspect.getsource(draw)
    assert "OpenDPNoise()" in source and "secrets" in source
    # nobody else opens it, but for the audit and for trials, both on simulated people
    root = Path(mechanism.__file__).parents[2]
    users = {
        path.relative_to(root).as_posix()
        for part in ("hrtech", "assets", "resources", "hrtech_dagster")
        for path in (root / part).rglob("*.py")
        if re.search(r"mechanism(\._draw| import .*\b_draw\b)", path.read_text(encoding="utf-8"))
    }
    assert users <= {"hrtech/release/audit.py", "hrtech/release/advice_trials.py"}


def test_what_cannot_be_read_is_refused_before_any_noise_is_drawn():
    setting = ReleaseSettings(2.0, 1e-6)
    for schema, rows, error in (
        (DECLARED, [("F", "nowhere", None, None, None)], EncodingError),
        (ReleaseSchema((ReleaseColumn("height", ("1",)),)), [EVERYTHING], ReleaseError),
        (ReleaseSchema((ReleaseColumn("means", ("debt",)),)), [EVERYTHING], ReleaseError),
        (ReleaseSchema((ReleaseColumn("sex", multi_valued=True),)), [EVERYTHING], ReleaseError),
    ):
        noise = Seam()
        with pytest.raises(error) as raised:
            released(rows, setting, schema, noise)
        assert not noise.asked and "nowhere" not in str(raised.value)


class Recorded:
    """Real noise, remembered in units of its scale."""

    def __init__(self):
        self.real, self.drawn = OpenDPNoise(), []

    def vector(self, values, scale):
        noisy = self.real.vector(values, scale)
        assert noisy.dtype == np.int64
        self.drawn.append((noisy - values) / scale)
        return noisy

    def above_threshold(self, counts, scale, threshold):
        return self.real.above_threshold(counts, scale, threshold)

    def quantile(self, values, candidates, alpha, scale):
        return self.real.quantile(values, candidates, alpha, scale)


def test_only_whole_numbers_are_made_noisy():
    for values in (np.zeros(3), np.zeros(3, dtype=np.int32), np.zeros(3, dtype=np.uint64)):
        with pytest.raises(TypeError):
            OpenDPNoise().vector(values, 5.0)
        with pytest.raises(TypeError):
            OpenDPNoise().quantile(values, [1, 2], 0.9, 5.0)


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_the_noise_has_the_variance_it_is_charged_for(epsilon):
    noise = Recorded()
    for _ in range(40):
        released([EVERYTHING] * 30, ReleaseSettings(epsilon, 1e-6, reporting_length=2), DECLARED, noise)
    z = np.concatenate(noise.drawn)
    assert len(z) > 2000
    low, high = chi2.ppf([1e-9, 1 - 1e-9], len(z))
    assert low < (z**2).sum() < high
    assert abs(z.mean()) < 6 / math.sqrt(len(z))
    assert abs((z**4).mean() - 3) < 6 * math.sqrt(96 / len(z))
    # entries are independent: neighbouring ones are not correlated
    assert abs((z[1:] * z[:-1]).mean()) < 6 / math.sqrt(len(z))


def test_the_bound_is_chosen_with_the_probabilities_of_the_exponential_mechanism():
    values, candidates, alpha, scale = np.r_[np.arange(60), 200, 300], [25, 35, 42, 48, 55], 0.9, 8.0
    score = np.array([abs((1 - alpha) * (values < c).sum() - alpha * (values > c).sum()) for c in candidates])
    weight = np.exp(-score / scale)
    draws = 800
    counts = Counter(OpenDPNoise().quantile(values, candidates, alpha, scale) for _ in range(draws))
    expected = draws * weight / weight.sum()
    observed = np.array([counts[c] for c in candidates])
    big = expected > 5
    statistic = ((observed - expected)[big] ** 2 / expected[big]).sum()
    assert statistic < chi2.ppf(1 - 1e-9, big.sum()) and big.sum() >= 4


def exact_counts(frame, schema, longest):
    """Counts of combinations as published: a value implies what it refines."""
    layout = Layout(schema, longest)
    held = holdings(encoded_people(frame, schema), layout)
    tables = {}
    for length in range(1, longest + 1):
        has = held.rows[:, layout.cells(length)].all(axis=2)
        tables[length] = (held.people[:, None] * has).sum(axis=0)
    return layout, held, tables


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(person, min_size=1, max_size=30), longest=st.integers(1, 5), seed=st.integers(0, 9))
def test_without_noise_and_bounding_the_moments_give_back_the_exact_counts(rows, longest, seed):
    rng = np.random.default_rng(seed)
    # noise in the centres alone: they may lie anywhere
    noise = Seam(lambda n, scale: rng.integers(-9, 9, n) if not noise.answers else 0, pick=-1)
    measured = released(rows, ReleaseSettings(8.0, 1e-6, reporting_length=longest), DECLARED, noise)
    layout, held, tables = exact_counts(frame_of(rows), DECLARED, longest)
    assert (bounded_weights(held.rows, layout, measured.scaling, measured.bound) == 256).all()
    assert measured.lost == 0
    moments = {k: measured.moments(k) for k in tables}
    direct = uncentred(layout, moments, measured.scaling.centre_values, len(rows))
    # a moment is rounded down to a step of the lattice
    steps = {k: measured.sd(k) / measured.scale for k in tables}
    off = uncentred(layout, steps, measured.scaling.centre_values, 0)
    for k in tables:
        assert (abs(direct[k] - tables[k]) <= off[k] + 1e-9 * len(rows)).all()
        assert off[k].max(initial=0) < 0.05


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(person, min_size=1, max_size=30), longest=st.integers(2, 5), pick=st.integers(0, 20))
def test_without_noise_a_bound_scales_the_longer_products_down(rows, longest, pick):
    noise = Seam(pick=pick)
    measured = released(rows, ReleaseSettings(8.0, 1e-6, reporting_length=longest), DECLARED, noise)
    layout, held, _ = exact_counts(frame_of(rows), DECLARED, longest)
    weights = bounded_weights(held.rows, layout, measured.scaling, measured.bound) / 256
    apart = held.rows - measured.scaling.centre_values
    for k in range(1, longest + 1):
        products = apart[:, layout.cells(k)].prod(axis=2)
        wanted = (held.people * (weights if k > 1 else 1)) @ products
        step = measured.sd(k) / measured.scale
        assert (abs(measured.moments(k) - wanted) <= step * (1 + 1e-9) + 1e-9).all()
    units = measured.scaling.people_units
    assert measured.lost == pytest.approx(float(held.people @ (1 - weights)), abs=1 / units + 1e-9)
    assert measured.lost_sd == measured.scale / units


def test_counts_agree_with_the_counting_engine():
    """The layout's reading of the table is that of `hrtech.counts`, but for what is implied."""
    rows = [EVERYTHING, ("M", None, ["debt"], "y", "0"), ("F", "c", [], None, None)] * 3
    schema = ReleaseSchema(tuple(c for c in DECLARED.columns if c.name not in ("town", "region")))
    layout, _, tables = exact_counts(frame_of(rows), schema, 3)
    wanted = count_combinations(encode(frame_of(rows), ["sex", "means", "asked"]), 3).to_frame()
    got = {
        frozenset(layout.attributes[a] for a in cell): n
        for k in tables
        for cell, n in zip(layout.cells(k).tolist(), tables[k].tolist(), strict=True)
        if n
    }
    assert got == {
        frozenset(parse_attributes(t)): n for t, n in zip(wanted["attributes"], wanted["count"], strict=True)
    }


def test_a_value_implies_the_one_that_it_refines():
    layout, held, tables = exact_counts(
        frame_of([("F", "a", None, "y", None), ("F", None, None, "y", None), ("F", "c", None, None, None)]),
        DECLARED,
        1,
    )
    counts = dict(zip(layout.attributes, tables[1].tolist(), strict=True))
    # what the record says against the hierarchy is overruled
    assert counts["region", "x"] == 1 and counts["region", "y"] == 2
    assert counts["town", "a"] == counts["town", "c"] == 1 and counts["town", "b"] == 0
    states = {tuple(s) for g in layout.groups if len(g.columns) == 2 for s in g.states.astype(int).tolist()}
    own = next(g for g in layout.groups if len(g.columns) == 2)
    assert {tuple(r) for r in held.rows[:, own.first : own.stop].tolist()} <= states


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
@pytest.mark.parametrize("schema", [DECLARED, OPEN], ids=["declared", "open"])
@pytest.mark.parametrize("given_people", [None, 100_000])
def test_hardly_anybody_is_no_special_case(longest, schema, given_people):
    """Nobody, one person, blanks only, far fewer than declared: a valid release, whatever the noise does."""
    setting = ReleaseSettings(1.0, 1e-6, reporting_length=longest, people=given_people)
    for rows in ([], [EVERYTHING], [(None, None, None, None, None)] * 20):
        measured = draw(frame_of(rows), setting, schema)
        assert np.isfinite([measured.people, measured.lost, measured.bound, measured.scale]).all()
        assert len(measured.noisy) == sum(measured.layout.size(k) for k in range(1, longest + 1))
        assert measured.spent <= price(setting, schema).rho


@pytest.mark.parametrize("longest", [1, 3])
def test_where_no_value_is_found_the_number_of_people_is_released(longest):
    schema = ReleaseSchema(OPEN.columns[1:])
    setting = ReleaseSettings(1.0, 1e-6, reporting_length=longest)
    one = Seam(found=lambda keys: [])
    measured = released([EVERYTHING] * 30, setting, schema, one)
    assert measured.layout.attributes == () and len(measured.noisy) == 0
    assert measured.people == 30 and measured.lost == 0 and measured.people_sd > 0
    assert Measured.from_artefacts(measured.to_artefacts()).to_artefacts() == measured.to_artefacts()
    other = Seam(answers=one.answers)
    released([EVERYTHING] * 31, setting, schema, other)
    assert (other.asked[2][1] - one.asked[2][1]).tolist() == [5]
    assert np.linalg.norm(other.asked[3][1] - one.asked[3][1]) <= sensitivity_of(
        measured.bound, measured.scaling, 2
    )
    # by real noise: nothing is found among few, and nothing fails
    assert draw(frame_of([EVERYTHING] * 3), setting, schema).layout.attributes == ()


def test_one_attribute_alone_is_released():
    schema = ReleaseSchema((ReleaseColumn("sex", ("F",)),))
    frame = frame_of([("F", None, None, None, None)] * 500 + [(None,) * 5] * 500)
    measured = draw(frame, ReleaseSettings(8.0, 1e-6, reporting_length=3), schema)
    direct = measured.moments(1) + measured.people * measured.scaling.centre_values
    assert abs(direct[0] - 500) < 8 * measured.sd(1)[0] + 8 * measured.people_sd
    assert measured.moments(2).shape == measured.moments(3).shape == (0,)


def test_values_are_left_out_from_the_least_frequent():
    rows = [("F", t, None, None, None) for t in "a" * 9 + "b" * 30 + "c" * 20]
    schema = ReleaseSchema((ReleaseColumn("sex", ("F",)), ReleaseColumn("town")))
    cells = {1: 3, 2: 5, 3: 7}
    for most, towns in ((7, ("a", "b", "c")), (5, ("b", "c")), (4, ("b",)), (1, ())):
        setting = ReleaseSettings(1.0, 1e-6, reporting_length=2, max_cells=most)
        measured = released(rows, setting, schema, Seam(pick=0))
        assert measured.schema.by_name["town"].values == towns
        assert not towns or sum(measured.layout.size(k) for k in (1, 2)) == cells[len(towns)]
    setting = ReleaseSettings(1.0, 1e-6, reporting_length=2, max_vocabulary=1)
    assert released(rows, setting, schema, Seam(pick=0)).schema.by_name["town"].values == ("b",)


@settings(max_examples=30, deadline=None)
@given(
    rows=people, schema=st.sampled_from([DECLARED, OPEN]), longest=st.integers(1, 5), seed=st.integers(0, 9)
)
def test_artefacts_give_back_what_was_measured_byte_for_byte(rows, schema, longest, seed):
    rng = np.random.default_rng(seed)
    noise = Seam(lambda n, scale: np.rint(rng.normal(0, scale, n)).astype(np.int64), pick=seed)
    measured = released(rows, ReleaseSettings(2.0, 1e-6, reporting_length=longest), schema, noise)
    artefacts = measured.to_artefacts()
    again = Measured.from_artefacts(artefacts)
    assert again.to_artefacts() == artefacts
    assert again.noisy.dtype == np.int64 and np.array_equal(again.noisy, measured.noisy)
    assert again.layout.attributes == measured.layout.attributes
    for k in range(1, longest + 1):
        assert np.array_equal(again.moments(k), measured.moments(k))
        assert np.array_equal(again.sd(k), measured.sd(k))
    assert (again.people, again.people_sd, again.lost) == (measured.people, measured.people_sd, measured.lost)


def test_two_measurements_of_the_number_of_people_are_weighted_by_precision():
    noise = Seam(lambda n, scale: np.r_[np.zeros(n - 1, dtype=np.int64), 50] if n == 13 else 0)
    rows = [EVERYTHING] * 100
    measured = released(rows, ReleaseSettings(1.0, 1e-6, reporting_length=2), DECLARED, noise)
    rough, fine = noise.asked[0][2][0] / 5, measured.scale / measured.scaling.people_units
    assert measured.people == pytest.approx(100 + 10 * rough**-2 / (rough**-2 + fine**-2))
    assert measured.people_sd == pytest.approx((rough**-2 + fine**-2) ** -0.5)
    assert released(rows, ReleaseSettings(1.0, 1e-6, people=90), DECLARED, Seam()).people == 90


def test_the_proof_names_tests_that_exist():
    folder = Path(__file__).parent
    text = (folder.parents[1] / "docs" / "release_mechanism.md").read_text(encoding="utf-8")
    named = [part for found in re.findall(r"\[([^\]]*::[^\]]*)\]", text) for part in found.split(";")]
    assert len(named) > 20
    for part in named:
        file, names = part.split("::")
        if file.strip() in ("layout", "plan") and names.strip() in ("x, y", "z"):
            continue
        source = (folder / f"test_release_{file.strip()}.py").read_text(encoding="utf-8")
        for name in names.split(","):
            assert f"def test_{name.strip()}(" in source, f"{file.strip()} :: {name.strip()}"
