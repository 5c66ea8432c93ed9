"""Effects from what a private release measured: equal to a standardisation of the records, intervals that cover."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from release_worlds import measured_of, measurement, scaling_of

from hrtech.causal import EffectError
from hrtech.causal.released import ReleasedQuestion, released_effect
from hrtech.causal.released_telling import released_effect_facts, released_effect_report
from hrtech.release.crossed import Level, cross
from hrtech.release.declared import ReleaseColumn, ReleaseError, ReleaseSchema
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured, measured_table
from hrtech.release.moments import bounded_weights, exact_moments, norms
from hrtech.release.people import LIST_DTYPE

MEANS = ("debt", "threats", "drugs", "hunger")
SCHEMA = ReleaseSchema(
    (
        ReleaseColumn("group", ("g0", "g1", "g2")),
        ReleaseColumn("work", ("farm", "home")),
        ReleaseColumn("means", MEANS, multi_valued=True),
        ReleaseColumn("kin", ("0", "1")),
    ),
    impossible=((("group", "g2"), ("means", "hunger")),),
)
QUESTION = ReleasedQuestion("Farms pay by debt", ("work", "farm"), ("means", "debt"), ("group",), "increases")
BY_GROUP = np.array([0.2, 0.35, 0.5])
TRUTH = 0.15


def people(rng, n, *, blanks=0.0, many=0.0):
    group = rng.choice(3, n, p=[0.4, 0.35, 0.25])
    farm = rng.random(n) < 0.25 + 0.2 * group
    debt = rng.random(n) < BY_GROUP[group] + TRUTH * farm
    others = rng.random((n, 3)) < (0.2 + many * (debt & farm))[:, None]
    others[group == 2, 2] = False
    held = np.column_stack([debt, others])
    frame = pd.DataFrame(
        {
            "group": pd.Series(np.array(["g0", "g1", "g2"])[group], dtype="str"),
            "work": pd.Series(np.where(farm, "farm", "home"), dtype="str"),
            "means": pd.Series([[m for m, h in zip(MEANS, row, strict=True) if h] for row in held], dtype=LIST_DTYPE),
            "kin": pd.Series(np.where(rng.random(n) < 0.3, "1", "0"), dtype="str"),
        }
    )  # fmt: skip
    for column in ("group", "work"):
        frame.loc[rng.random(n) < blanks, column] = None
    return frame


def held_by(frame):
    rows = holdings(encoded_people(frame, SCHEMA), Layout(SCHEMA, 4))
    return np.repeat(rows.rows, rows.people, axis=0).astype(np.int64)


def exactly(frame, rng, sd=1e-4):
    return measured_of(Layout(SCHEMA, 4), held_by(frame), rng, sd)


def by_hand(frame, exposure, outcome, adjusted=("group",)):
    """Standardised risks of the unexposed and the exposed, from the records, who lacks a value left out."""
    frame = frame.dropna(subset=["work", *adjusted])
    data = frame.assign(t=exposure(frame), y=outcome(frame))
    risks = data.groupby([*adjusted, "t"])["y"].mean().unstack()
    share = data.groupby(list(adjusted)).size() / len(data)
    return [float((risks[arm] * share).sum()) for arm in (False, True)]


def holds(value):
    return lambda frame: frame["means"].map(lambda cell: value in cell)


def measure(found, name):
    return found.effect.set_index("measure").loc[name]


def test_without_noise_it_is_the_standardised_difference_of_the_records():
    rng = np.random.default_rng(1)
    frame = people(rng, 3000, blanks=0.1)
    found = released_effect(exactly(frame, rng), QUESTION)
    without, with_ = by_hand(frame, lambda d: d["work"] == "farm", holds("debt"))
    assert measure(found, "risk_difference")["estimate"] == pytest.approx(with_ - without, abs=1e-5)
    assert measure(found, "risk_ratio")["estimate"] == pytest.approx(with_ / without, abs=1e-4)
    assert measure(found, "risk_exposed")["estimate"] == pytest.approx(with_, abs=1e-5)
    assert any("left out" in note for note in found.notes["note"])
    kept = frame.dropna(subset=["work", "group"])
    assert found.strata["people"].sum() == pytest.approx(len(kept), abs=0.1)
    plain = kept.assign(y=holds("debt")(kept)).groupby("work")["y"].mean()
    difference = plain["farm"] - plain["home"]
    assert measure(found, "unadjusted")["estimate"] == pytest.approx(difference, abs=1e-5)


def test_confounders_of_every_kind_and_an_exposure_that_is_held_or_not():
    rng = np.random.default_rng(2)
    frame = people(rng, 4000)
    question = replace(
        QUESTION, exposure=("means", "threats"), confounders=(("group", ("g0", "g1")), ("kin", "1"))
    )
    found = released_effect(exactly(frame, rng), question)
    asked = frame[frame["group"].isin(["g0", "g1"])]
    without, with_ = by_hand(asked, holds("threats"), holds("debt"), ("group", "kin"))
    assert measure(found, "risk_difference")["estimate"] == pytest.approx(with_ - without, abs=1e-5)
    assert found.variables["levels"].tolist()[:2] == ["g0; g1", "without 1; 1"]


def test_intervals_cover_with_sampling_and_noise_together():
    rng = np.random.default_rng(3)
    world = people(rng, 10_000)
    without, with_ = by_hand(world, lambda d: d["work"] == "farm", holds("debt"))
    layout, held = Layout(SCHEMA, 4), held_by(world)
    covered, estimates, errors = 0, [], []
    for _ in range(120):
        measured = measured_of(layout, held[rng.integers(0, len(held), 2500)], rng, 8.0)
        found = measure(released_effect(measured, QUESTION), "risk_difference")
        covered += found["low"] < with_ - without < found["high"]
        estimates.append(found["estimate"])
        errors.append(found["std_error"])
    spread = float(np.std(estimates))
    # 114 of 120 expected; below 108 or above 119 has a chance of about 1 %
    assert 108 <= covered <= 119
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)
    assert abs(np.mean(estimates) - (with_ - without)) < 4 * spread / np.sqrt(120)
    assert found["noise_sd"] > 0.5 * found["sampling_sd"], "the noise matters here"


def test_the_covariance_of_cells_is_that_of_repeated_noise():
    rng = np.random.default_rng(4)
    frame = people(rng, 500)
    factors = [
        [Level("farm", (("work", "farm"),)), Level("other", (("work", "farm"),), none=True)],
        [Level("debt", (("means", "debt"),)), Level("other", (("means", "debt"),), none=True)],
    ]
    clean = replace(exactly(frame, rng), scale=6.0 * 2**16)
    noise = np.rint(rng.normal(0, clean.scale, (800, len(clean.noisy)))).astype(np.int64)
    drawn = [cross(replace(clean, noisy=clean.noisy + one), factors) for one in noise]
    seen = np.cov(np.array([one.counts.ravel() for one in drawn]).T)
    assert seen == pytest.approx(drawn[0].covariance, abs=0.2 * np.diag(seen).max())
    exact = (holds("debt")(frame) & (frame["work"] == "farm")).sum()
    assert np.mean([one.counts[0, 0] for one in drawn]) == pytest.approx(exact, abs=1.0)


def test_what_bounding_took_away_is_put_back():
    rng = np.random.default_rng(6)
    frame = people(rng, 4000, many=0.5)
    layout = Layout(SCHEMA, 4)
    rows = holdings(encoded_people(frame, SCHEMA), layout)
    scaling = scaling_of(layout, held_by(frame).mean(axis=0))
    bound = float(np.quantile(np.repeat(norms(rows.rows, layout, scaling), rows.people), 0.7))
    weights = bounded_weights(rows.rows, layout, scaling, bound)
    exact = exact_moments(rows, weights, layout, scaling)
    moments = {k: values / scaling.unit(k) for k, values in exact.items()}
    lost = float((1 - weights / 256) @ rows.people)
    measured = replace(measurement(layout, scaling, moments, 4000, rng), bound=bound, lost=lost)
    assert lost > 100
    without, with_ = by_hand(frame, lambda d: d["work"] == "farm", holds("debt"))
    # from the same people exactly; from others like them nearly
    same = measure(released_effect(measured, QUESTION, frame), "risk_difference")["estimate"]
    alike = measure(released_effect(measured, QUESTION, people(rng, 4000, many=0.5)), "risk_difference")
    kept = measure(released_effect(replace(measured, lost=0.0), QUESTION), "risk_difference")["estimate"]
    assert same == pytest.approx(with_ - without, abs=1e-4)
    assert abs(alike["estimate"] - (with_ - without)) < 0.3 * abs(kept - (with_ - without))
    with pytest.raises(ReleaseError, match="Release them too"):
        released_effect(measured, QUESTION)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"confounders": ("group", "kin", ("means", "drugs"))}, "release with reporting_length 5"),
        ({"confounders": ("means",)}, "holds several values a person"),
        ({"confounders": ("work",)}, "of one column"),
        ({"confounders": ("colour",)}, "no column 'colour'"),
        ({"confounders": (("group", ("g9",)),)}, "no value 'g9'"),
        ({"confounders": (("group", ("g0", "g0")),)}, "named twice"),
        ({"outcome": ("work", "home")}, "'work: home or farm' and 'work: farm or home' are of one column"),
        ({"outcome": ("means", "gold")}, "no value 'gold'"),
        ({"exposure": ("means", "hunger")}, r"are in: g2 \(exposed\)"),
    ],
)
def test_what_a_release_cannot_answer_is_refused(change, told):
    measured = exactly(people(np.random.default_rng(7), 2000), np.random.default_rng(7))
    with pytest.raises((EffectError, ReleaseError), match=told):
        released_effect(measured, replace(QUESTION, **change))


def test_arms_too_small_for_the_noise_are_refused_and_named():
    measured = exactly(people(np.random.default_rng(8), 2000), np.random.default_rng(8), sd=60.0)
    with pytest.raises(EffectError, match="times the noise"):
        released_effect(measured, QUESTION)


def test_measurements_come_back_from_their_files():
    measured = exactly(people(np.random.default_rng(9), 2000), np.random.default_rng(9))
    again = Measured.from_table(measured_table(measured.to_artefacts()))
    one, other = (released_effect(each, QUESTION).effect for each in (measured, again))
    pd.testing.assert_frame_equal(one, other)


def test_every_number_is_told_with_its_interval():
    rng = np.random.default_rng(10)
    found = released_effect(exactly(people(rng, 3000), rng, sd=8.0), QUESTION)
    facts = released_effect_facts("farms", found.effect, "farm", "debt")
    told = {fact.fact_id: fact for fact in facts}
    head = measure(found, "risk_difference")
    assert (told["farms/risk_difference"].value, told["farms/risk_difference"].low) == (
        head["estimate"],
        head["low"],
    )
    assert told["farms/people"].value == head["people"]
    report = released_effect_report(
        "farms", "Farms", facts, hypothesis=QUESTION.hypothesis, release="cases",
        **{name: getattr(found, name) for name in ("effect", "strata", "variables", "notes")},
    )  # fmt: skip
    assert set(report.cited()) <= set(told) and report.promise == "differential-privacy"
