"""What an event study tells: facts, charts and the report, with and without the restricted tables."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.events import EventQuestion, study_event
from hrtech.causal.events.report import event_report
from hrtech.causal.events.telling import event_facts
from hrtech.facts import Chart, facts_from_frame, facts_to_frame
from hrtech.pages.draw import check_spec, draw_svg


def panel(dates):
    rng = np.random.default_rng(5)
    units, years = 9, 12
    on = (np.arange(units)[:, None] >= 7) & (np.arange(years)[None, :] >= 8)
    y = (
        rng.normal(size=(units, 1))
        + np.cumsum(rng.normal(size=years))
        + 0.3 * rng.normal(size=(units, years))
    )
    period = pd.date_range("2020-01-01", periods=years, freq="MS") if dates else np.arange(1, years + 1)
    return pd.DataFrame(
        {
            "place": pd.array(np.repeat([f"Place {at}" for at in range(units)], years), dtype="str"),
            "at": np.tile(period, units),
            "Calls made": (y + 2 * on).ravel(),
            "other": y.ravel(),
            "law": on.ravel().astype(int),
        }
    )


@pytest.fixture(scope="module", params=[True, False], ids=["dates", "numbers"])
def told(request):
    question = EventQuestion(
        "The law raised calls", "place", "at", ("Calls made", "other"), treated="law", direction="increases",
        simulations=50,
    )  # fmt: skip
    tables = vars(study_event(panel(request.param), question))
    return tables, event_facts("law", tables, truth=2.0)


def test_facts_state_what_the_tables_hold(told):
    tables, facts = told
    by_id = {fact.fact_id: fact for fact in facts}
    head = tables["effect"].set_index("outcome").loc["Calls made"]
    assert by_id["law/effect.calls_made"].value == head["estimate"]
    assert by_id["law/effect.calls_made"].low == head["low"]
    assert by_id["law/p.calls_made"].value == max(head["p_adjusted"], 0.001)  # never 0
    assert by_id["law/true_effect"].value == 2.0
    assert by_id["law/treated_units.other"].value == 2
    assert by_id["law/estimate.other.synthetic_control"].value == pytest.approx(
        tables["estimates"]
        .set_index(["outcome", "estimator"])
        .loc[("other", "synthetic_control"), "estimate"]
    )
    checks = tables["checks"].loc[lambda t: (t["outcome"] == "other") & t["passed"].notna()]
    assert by_id["law/checks_made.other"].value == len(checks)
    assert by_id["law/checks_withstood.other"].value == checks["passed"].sum()
    assert facts_from_frame(facts_to_frame(facts)) == facts


def test_the_restricted_report_draws_every_chart_and_the_released_one_shows_no_unit(told):
    tables, facts = told
    report = event_report("law", "The law", facts, hypothesis="The law raised calls", **tables)
    charts = [part for part in report.parts if isinstance(part, Chart)]
    titles = [chart.title.split(",")[0].split(" from ")[0] for chart in charts]
    for title in ("Estimates with their intervals", "Effect by periods since the event", "Gap",
                  "The outcome as it was recorded", "Donors and their weights"):  # fmt: skip
        assert titles.count(title) == 2, title  # one an outcome
    for place, chart in enumerate(charts):
        check_spec(chart.title, chart.spec)
        svg = draw_svg(chart.spec, prefix=f"c{place}", label=chart.description)
        assert ElementTree.fromstring(svg).get("role") == "img"
    released = event_report("law", "The law", facts, hypothesis="The law raised calls")
    assert released.promise == "disclosure-control" and report.promise == "restricted"
    assert "Place" not in str(released) and "Place" in str(report)


def test_the_gap_drawn_is_the_gap_estimated(told):
    tables, facts = told
    report = event_report("law", "The law", facts, **tables)
    gap = next(part for part in report.parts if isinstance(part, Chart) and part.title.startswith("Gap"))
    drawn = [row["gap"] for row in gap.spec["data"]["values"]]
    assert len(drawn) == 12
    estimate = (
        tables["estimates"]
        .set_index(["outcome", "estimator"])
        .loc[("Calls made", "synthetic_did"), "estimate"]
    )
    assert np.mean(drawn[8:]) == pytest.approx(estimate)
