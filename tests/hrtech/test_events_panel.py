"""Panels: what is refused with one message, and what is left out or filled in by a named rule."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.events import EventError, EventQuestion, study_event
from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.panel import make_panel
from hrtech.causal.events.windows import make_windows

QUESTION = EventQuestion("It did something", "unit", "year", ("y",), treated="on")


def long(units=8, years=12, event=7, treated=2, seed=0):
    """A panel of the last `treated` units coming under an event, which adds 3."""
    rng = np.random.default_rng(seed)
    y = (
        rng.normal(size=(units, 1))
        + np.cumsum(rng.normal(size=years))
        + 0.3 * rng.normal(size=(units, years))
    )
    on = (np.arange(units)[:, None] >= units - treated) & (np.arange(years)[None, :] >= event)
    return pd.DataFrame(
        {
            "unit": pd.array(np.repeat([f"u{at}" for at in range(units)], years), dtype="str"),
            "year": np.tile(np.arange(2000, 2000 + years), units),
            "y": (y + 3 * on).ravel(),
            "on": on.ravel().astype(int),
        }
    )


def set_at(frame, unit, year, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame[name] = frame[name].astype("object" if isinstance(value, str) else "Float64")
        frame.loc[(frame["unit"] == unit) & (frame["year"] == year), name] = value
    return frame


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.assign(on=(f["unit"] == "u7").astype(int)),
         "Unit 'u7' is under the event when the panel starts"),
        (lambda f: f.assign(on=(f["year"] >= 2007).astype(int)), "there are no donors"),
        (lambda f: f.assign(on=0), "No unit comes under the event"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "repeat a unit and period, first 'u0' in 2003"),
        (lambda f: set_at(f, "u7", 2010, on=0), "Unit 'u7' comes out of the event in 2010"),
        (lambda f: f.assign(y=1.0), "The outcome 'y' is constant"),
        (lambda f: f.assign(on=f["on"] * 2), "'on' is not 0 or 1"),
        (lambda f: f.assign(y="a"), "'y' holds no numbers"),
        (lambda f: f.drop(columns="y"), "No column is called 'y'"),
        (lambda f: f.assign(year=f["year"] + 0.5), "'year' holds fractions"),
        (lambda f: f.assign(year=f["year"].astype(str)), "'year' holds text"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.assign(unit=f["unit"].where(f["unit"] != "u1")), "12 rows have no unit"),
        (lambda f: f.assign(y=np.where(f.index == 5, np.inf, f["y"])), "infinite"),
    ],
)  # fmt: skip
def test_each_unusable_panel_is_refused_with_the_mend(change, words):
    with pytest.raises(EventError, match=words.replace("(", "\\(")) as refused:
        make_panel(change(long()), QUESTION, "y")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"outcomes": ()}, "No outcome"),
        ({"adopted": "year_of"}, "one way"),
        ({"treated": None}, "one way"),
        ({"treated": None, "treated_units": ("u7",)}, "belong together"),
        ({"outcomes": ("y", "y")}, "named twice"),
        ({"per": "y"}, "two roles"),
        ({"estimators": ("magic",)}, "Estimator 'magic' is unknown"),
        ({"alignment": "loose"}, "no alignment"),
        ({"anticipation": -1}, "anticipation is 0 or more"),
        ({"confidence": 1.5}, "between 0.5 and 1"),
        ({"honest": (-1.0,)}, "0 or more"),
    ],
)
def test_a_question_that_cannot_be_is_refused(settings, words):
    with pytest.raises(EventError, match=words):
        replace(QUESTION, **settings)


def test_the_event_may_be_said_in_three_ways():
    frame = long()
    by_rows, _ = make_panel(frame, QUESTION, "y")
    frame["first"] = pd.array(np.where(frame["unit"].isin(["u6", "u7"]), 2007, 0), dtype="Int64")
    frame["first"] = frame["first"].mask(frame["first"] == 0)
    by_column, _ = make_panel(frame, replace(QUESTION, treated=None, adopted="first"), "y")
    listed = replace(QUESTION, treated=None, treated_units=("u6", "u7"), event_period="2007")
    by_list, _ = make_panel(frame, listed, "y")
    for panel in (by_rows, by_column, by_list):
        assert panel.adopted.tolist() == [NEVER] * 6 + [7, 7]
        assert panel.outcomes.shape == (8, 12)
    with pytest.raises(EventError, match="No unit is called 'u9'"):
        make_panel(frame, replace(listed, treated_units=("u9",)), "y")
    with pytest.raises(EventError, match="'soon' is no period"):
        make_panel(frame, replace(listed, event_period="soon"), "y")
    with pytest.raises(EventError, match="when the panel starts or before"):
        make_panel(frame, replace(listed, event_period="1999"), "y")


def test_missing_cells_and_short_histories_are_named_and_handled_by_the_rule():
    frame = long()
    frame.loc[(frame["unit"] == "u1") & (frame["year"] == 2004), "y"] = np.nan
    frame = frame.loc[~((frame["unit"] == "u2") & (frame["year"] == 2011))]
    panel, notes = make_panel(frame, QUESTION, "y")
    assert set(panel.units) == {"u0", "u3", "u4", "u5", "u6", "u7"}
    assert notes["unit"].tolist() == ["u1", "u2"]
    assert notes["detail"].tolist() == ["1 periods: 2004", "1 periods: 2011"]
    filled, notes = make_panel(frame, replace(QUESTION, missing="interpolate"), "y")
    assert "u1" in filled.units and "u2" not in filled.units
    row = filled.outcomes[filled.units == "u1"][0]
    assert row[4] == pytest.approx((row[3] + row[5]) / 2)
    assert notes["rule"].str.startswith(("filled in", "left out")).all()
    with pytest.raises(EventError, match="2 units lack periods, such as 'u1'"):
        make_panel(frame, replace(QUESTION, missing="refuse"), "y")
    early = long()
    early.loc[(early["unit"] == "u7") & (early["year"] >= 2002), "on"] = 1
    panel, notes = make_panel(early, QUESTION, "y")
    assert "u7" not in panel.units
    assert notes["rule"].tolist() == ["left out: short history"]
    with pytest.raises(EventError, match="No unit comes under the event within the panel"):
        make_panel(early, replace(QUESTION, min_before=20), "y")


def test_a_period_that_nobody_has_is_named():
    frame = long()
    _, notes = make_panel(frame.loc[frame["year"] != 2003], QUESTION, "y")
    assert notes.to_numpy().tolist() == [["every unit", "no such period", "nothing between 2002 and 2004"]]
    frame["year"] = pd.to_datetime(frame["year"].astype(str) + "-03-01")  # years of 365 and 366 days
    assert make_panel(frame, QUESTION, "y")[1].empty


def test_rates_divide_by_the_population_and_dates_are_periods():
    frame = long().assign(people=lambda f: np.where(f["unit"] == "u0", 0, 1000))
    with pytest.raises(EventError, match="divisor 'people' is 0 or less"):
        make_panel(frame, replace(QUESTION, per="people", scale=1e5), "y")
    frame["people"] = 1000
    frame["year"] = pd.to_datetime(frame["year"].astype(str) + "-03-01")
    panel, _ = make_panel(frame, replace(QUESTION, per="people", scale=1e5), "y")
    assert panel.periods[0] == "2000-03-01"
    assert panel.outcomes[0, 0] == pytest.approx(frame["y"].iloc[0] * 100)


def test_windows_follow_the_alignment():
    frame = long(units=10, years=14, event=6, treated=2)
    frame.loc[(frame["unit"] == "u7") & (frame["year"] >= 2009), "on"] = 1
    windows = {}
    for alignment in ("fixed", "shifted", "staggered"):
        question = replace(QUESTION, alignment=alignment)
        panel, _ = make_panel(frame, question, "y")
        windows[alignment] = make_windows(panel, question)
    (fixed,) = windows["fixed"]
    assert (fixed.before, len(fixed.periods)) == (6, 6 + 5)  # past before 2006, after from 2009
    assert fixed.treated.sum() == 3
    shifted = windows["shifted"]
    assert [(w.before, len(w.periods) - w.before) for w in shifted] == [(6, 5), (6, 5)]
    assert [w.weight for w in shifted] == pytest.approx([2 / 3, 1 / 3])
    staggered = windows["staggered"]
    assert [(w.before, len(w.periods) - w.before) for w in staggered] == [(6, 8), (9, 5)]
    assert [w.weight for w in staggered] == pytest.approx([16 / 21, 5 / 21])
    ahead = replace(QUESTION, anticipation=2)
    panel, _ = make_panel(frame, ahead, "y")
    assert [w.before for w in make_windows(panel, ahead)] == [4, 7]
    with pytest.raises(EventError, match="No period is left before the event"):
        make_windows(panel, replace(QUESTION, anticipation=6))


def test_without_untreated_units_the_last_cohort_gives_the_donors():
    frame = long(units=6, years=12, event=5, treated=3)
    frame.loc[(frame["unit"].isin(["u0", "u1", "u2"])) & (frame["year"] >= 2009), "on"] = 1
    question = replace(QUESTION, simulations=50)
    panel, _ = make_panel(frame, question, "y")
    (window,) = make_windows(panel, question)
    assert window.periods[-1] == 8
    assert panel.units[window.donors].tolist() == ["u0", "u1", "u2"]
    effect = study_event(frame, question).effect
    assert effect.loc[0, "estimate"] == pytest.approx(3, abs=0.6)
    with pytest.raises(EventError, match="none was never treated"):
        study_event(frame, replace(question, controls="never_treated"))


def test_several_outcomes_are_allowed_for_together():
    frame = long().assign(z=lambda f: f["y"] - 3 * f["on"])
    result = study_event(frame, replace(QUESTION, outcomes=("y", "z"), simulations=50))
    effect = result.effect.set_index("outcome")
    assert effect.loc["y", "estimate"] - effect.loc["z", "estimate"] == pytest.approx(3, abs=0.8)
    p = effect["p"].astype(float).sort_values()
    assert effect.loc[p.index[0], "p_adjusted"] == pytest.approx(min(2 * p.iloc[0], 1))
    assert effect.loc["y", "verdict"] == "supported" and effect.loc["z", "verdict"] == "not settled"
    assert set(result.unit_effects["unit"]) == {"u6", "u7"}
    assert (result.unit_effects["p_adjusted"] >= result.unit_effects["placebo_p"]).all()
