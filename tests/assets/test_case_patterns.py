"""CasePatterns through real runs on small tables: what is found, told, watched and refused."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object
from scipy import stats
from studies import WORLD, failures

from hrtech_dagster.load_errors import StudyError
from resources.lake import read_table

MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 13))
COLUMNS = [
    {"name": "seen_on", "role": "date"},
    {"name": "form", "role": "category"},
    {"name": "region", "role": "category"},
    {"name": "means", "role": "multi_valued", "separator": ";"},
    {"name": "age", "role": "number", "bands": [0, 18, 30, 60]},
]
DISCLOSE = {"population": "people", "purpose": "Tell what is changing", "approvers": ["A reviewer"]}
SEARCH = {"time": "seen_on", "max_length": 2, "windows": [1, 2], "draws": 100}


QUARTERS = tuple(f"{year}-Q{quarter}" for year in (2022, 2023) for quarter in (1, 2, 3, 4))
RELEASE = {
    "population": "people",
    "purpose": "Show what is changing",
    "epsilon": 6.0,
    "delta": 1e-6,
    "source": {
        "path": "cases.csv",
        "columns": [
            {"name": "quarter", "role": "category", "values": list(QUARTERS)},
            {"name": "form", "role": "category", "values": ["labour", "sexual", "domestic"]},
            {"name": "region", "role": "category", "values": ["north", "south", "east"]},
        ],
    },
}


def cases(seed: int = 5, rows: int = 1800, risen: int = 45, month: str = "2024-09") -> pd.DataFrame:
    """Cases without any change, and many of one kind in one month."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "seen_on": [f"{MONTHS[at]}-{day:02d}" for at, day in rng.integers((0, 1), (12, 28), (rows, 2))],
            "form": rng.choice(["labour", "sexual", "domestic", "begging"], rows),
            "region": rng.choice(["north", "south", "east", "west", "coast"], rows),
            "means": [
                ";".join(sorted(rng.choice(["debt", "papers", "threats"], k, replace=False)))
                for k in rng.integers(1, 3, rows)
            ],
            "age": rng.integers(10, 70, rows),
        }
    )
    more = frame.sample(risen, random_state=seed).assign(
        seen_on=f"{month}-15", form="begging", region="coast"
    )
    return pd.concat([frame, more], ignore_index=True)


def declare(project, frame: pd.DataFrame, *, study: str = "changes", **more) -> None:
    path = project.file("cases.csv", frame.to_csv(index=False))
    source = {"path": str(path), "columns": COLUMNS}
    project.study(study, "CasePatterns", **({"source": source} | SEARCH | more))


def leaders(home, study: str = "changes") -> pd.DataFrame:
    patterns = read_table(home, "restricted", (study, "patterns"))
    return patterns.loc[~patterns["folded"].astype(bool)].reset_index(drop=True)


def checks(result) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_what_rose_is_found_described_and_told(project, home):
    frame = cases()
    declare(project, frame, disclose=DISCLOSE | {"minimum_cell": 5})
    project.study(
        "site", "EvidenceSite", summary="What is changing.", studies=["changes"], organisation="A coalition"
    )
    defs = project.load()
    result = project.run("changes", "site/candidate", defs=defs)
    assert result.success, failures(result)
    found = leaders(home)
    assert found.loc[0, "attributes"] == "form:begging;region:coast"
    assert (found.loc[0, "first"], found.loc[0, "last"], found.loc[0, "tier"]) == (
        "2024-09",
        "2024-09",
        "strict",
    )

    month = pd.to_datetime(frame["seen_on"]).dt.strftime("%Y-%m") == "2024-09"
    held = (frame["form"] == "begging") & (frame["region"] == "coast")
    inside, outside = int((held & month).sum()), int((held & ~month).sum())
    ratio = (inside / month.sum()) / (outside / (~month).sum())
    tail = stats.hypergeom.sf(inside - 1, len(frame), held.sum(), month.sum())
    assert found.loc[0, "observed"] == inside
    assert found.loc[0, "ratio"] == pytest.approx(ratio)
    assert found.loc[0, "p"] == pytest.approx(tail, rel=1e-6)

    key = found.loc[0, "pattern_id"].lower()
    facts = read_table(home, "released", ("changes", "facts")).set_index("fact_id")
    assert facts.loc[f"changes/observed.{key}", "value"] == inside
    assert facts.loc[f"changes/ratio.{key}", "value"] == pytest.approx(ratio)
    assert facts.loc[f"changes/share_in.{key}", "value"] == round(inside / month.sum(), 3)
    assert facts.loc["changes/records", "value"] == len(frame)

    timeline = read_table(home, "restricted", ("changes", "timeline"))
    mine = timeline.loc[timeline["pattern_id"] == found.loc[0, "pattern_id"]]
    assert list(mine["period"]) == list(MONTHS)
    assert mine["observed"].sum() == held.sum()
    told = read_table(home, "released", ("changes", "told_timeline"))
    told = told.loc[told["pattern_id"] == found.loc[0, "pattern_id"]]
    assert told["observed"].sum() == held.sum() and (told["observed"] >= 5).all()

    pages = read_table(home, "restricted", ("changes", "casework")).set_index("path")["content"]
    page, own = (bytes(pages[path]).decode() for path in ("index.html", f"patterns/{key}.html"))
    for words in ("The life of each pattern", "How much each share changed", "All records by period"):
        assert words in page
    assert f"patterns/{key}.html" in page
    assert "Who is in it" in own and "All patterns" in own
    site = read_table(home, "released", ("site", "candidate")).set_index("path")["content"]
    public = bytes(site["studies/changes.html"]).decode()
    assert "Form begging and region coast: emerging in 2024-09" in public and "Who is in it" not in public
    assert {name for name in project.stale(defs) if name.startswith("changes")} == set()


def test_the_make_up_of_a_pattern_is_that_of_its_records(project, home):
    frame = cases()
    declare(project, frame)
    assert project.run("changes/records", "changes/patterns").success
    found = read_table(home, "restricted", ("changes", "composition"))
    found = found.loc[found["pattern_id"] == leaders(home).loc[0, "pattern_id"]]
    assert found["attribute"].str.startswith("means:").any()
    month = pd.to_datetime(frame["seen_on"]).dt.strftime("%Y-%m") == "2024-09"
    held = (frame["form"] == "begging") & (frame["region"] == "coast")
    for row in found.loc[found["attribute"].str.startswith("means:")].itertuples():
        has = frame["means"].str.split(";").map(lambda items, value=row.attribute[6:]: value in items)
        assert row.records == int((held & month & has).sum())
        assert row.share == pytest.approx(has[held & month].mean())
        assert row.share_outside == pytest.approx(has[held & ~month].mean())
        assert row.share_of_all == pytest.approx(has[month].mean())
    values = read_table(home, "restricted", ("changes", "values")).set_index(["column", "value"])["records"]
    assert values["form", "begging"] == (frame["form"] == "begging").sum()
    assert values["means", "debt"] == frame["means"].str.contains("debt").sum()


def test_small_counts_stay_inside(project, home):
    declare(project, cases(), disclose=DISCLOSE | {"minimum_cell": 80})
    asked = ("records", "patterns", "findings", "facts", "report")
    result = project.run(*(f"changes/{noun}" for noun in asked))
    assert result.success, failures(result)
    assert len(leaders(home)) >= 1
    assert read_table(home, "released", ("changes", "told_patterns")).empty
    facts = read_table(home, "released", ("changes", "facts"))
    assert not facts["statement"].str.contains("begging").any()
    assert facts.set_index("fact_id").loc["changes/withheld", "value"] == len(leaders(home))


def test_what_is_new_since_the_last_answer_fails_a_check_until_data_change(project, home):
    asked = [f"changes/{noun}" for noun in ("records", "patterns", "history")]
    declare(project, cases(risen=0))
    first = project.run(*asked)
    assert first.success and leaders(home).empty
    names = ("records_have_a_time", "no_period_is_empty", "no_new_strict_pattern")
    assert [checks(first)[name] for name in names] == [True, True, True]
    declare(project, cases())
    second = project.run(*asked)
    assert second.success
    assert [checks(second)[name] for name in names] == [True, True, False]
    history = read_table(home, "restricted", ("changes", "history"))
    assert list(history["snapshot"].unique()) == [1, 2]
    again = project.run(*asked)
    assert checks(again)["no_new_strict_pattern"] is False
    assert read_table(home, "restricted", ("changes", "history")).equals(history)


def test_a_period_is_looked_at_once_whatever_runs_again(project, home):
    asked = [f"changes/{noun}" for noun in ("records", "decisions")]
    watch = {"watch": {"first": "2024-08", "unfinished": 1}}
    frame = cases()
    until = frame.loc[frame["seen_on"] < "2024-11"]
    declare(project, until, **watch)
    first = project.run(*asked)
    assert first.success, failures(first)
    assert checks(first)["last_look_raised_no_alert"] is False
    decisions = read_table(home, "restricted", ("changes", "decisions"))
    looks = decisions.loc[decisions["decision"] == "looked"]
    assert list(looks["period"]) == ["2024-08", "2024-09"]  # October may still change
    assert list(looks["alpha"]) == pytest.approx([0.05 * 6 / (np.pi * look) ** 2 for look in (1, 2)])
    alerts = decisions.loc[decisions["decision"] == "alert"]
    assert list(alerts["attributes"]) == ["form:begging;region:coast"]
    assert list(alerts["period"]) == ["2024-09"]

    again = project.run(*asked)
    assert again.success
    assert read_table(home, "restricted", ("changes", "decisions")).equals(decisions)

    late = until.tail(60).assign(seen_on="2024-08-20")
    declare(project, pd.concat([frame, late], ignore_index=True), **watch)
    assert project.run(*asked).success
    after = read_table(home, "restricted", ("changes", "decisions"))
    assert after.head(len(decisions)).equals(decisions)  # what was decided stays, though records came in late
    looked = after.loc[after["decision"] == "looked"]
    assert list(looked["period"]) == ["2024-08", "2024-09", "2024-10", "2024-11"]
    assert looked["alpha"].sum() < 0.05
    lives = read_table(home, "restricted", ("changes", "lives")).set_index("attributes")
    assert lives.loc["form:begging;region:coast", "first_seen"] == "2024-09"
    assert lives.loc["form:begging;region:coast", "status"] in ("lasting", "ended")


def test_a_first_period_without_history_is_refused(project):
    declare(project, cases(rows=300), watch={"first": "2024-01"})
    result = project.run("changes/records", "changes/decisions")
    assert "Name one after the first [setting: watch.first]" in " ".join(failures(result).values())


def test_what_goes_together_is_told_apart_from_what_changes(project, home):
    frame = cases(risen=0)
    frame.loc[(frame["form"] == "labour") & (frame.index % 2 == 0), "region"] = "north"
    declare(project, frame, stable=True)
    result = project.run("changes")
    assert result.success, failures(result)
    stable = read_table(home, "restricted", ("changes", "stable"))
    assert stable.loc[0, "attributes"] == "form:labour;region:north"
    assert stable.loc[0, "observed"] == ((frame["form"] == "labour") & (frame["region"] == "north")).sum()
    page = read_table(home, "restricted", ("changes", "casework")).set_index("path")["content"]["index.html"]
    assert "What goes together in every period" in bytes(page).decode()


def test_time_that_is_missing_is_told_by_checks(project, home):
    frame = cases()
    frame.loc[frame["seen_on"].str.startswith("2024-05"), "seen_on"] = ""
    declare(project, frame)
    result = project.run("changes/records", "changes/patterns")
    assert result.success, failures(result)
    assert checks(result)["records_have_a_time"] is False
    assert checks(result)["no_period_is_empty"] is False
    share = read_table(home, "restricted", ("changes", "search"))["without_period"].iloc[0]
    assert share == pytest.approx((frame["seen_on"] == "").mean())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"time": "day"}, "No column that is read is called 'day'"),
        ({"time": "means"}, "'means' has the role multi_valued"),
        ({"combine": ["form", "seen_on"]}, "'seen_on' has the role date"),
        ({"blank_means_no": ["colour"]}, "No column that is read is called 'colour'"),
        ({"windows": [0]}, "A window has 1 period or more"),
        ({"period": "declared"}, "Declared periods are listed"),
        ({"aggregates": "cases/aggregates"}, "either a source of records or the aggregates"),
        (
            {"source": None, "aggregates": "x/aggregates", "watch": {"first": "2024-06"}},
            "watch needs records",
        ),
        ({"max_length": 9}, "max_length"),
        ({"cycle": "moon"}, "cycle"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_loaded(project, settings, words):
    declare(project, cases(rows=50, risen=0), **settings)
    with pytest.raises(StudyError, match=words):
        project.load()


def test_synthetic_records_are_refused_with_the_reason(project):
    source = {"asset": "cases/synthetic_records", "zone": "released", "columns": COLUMNS}
    project.study("changes", "CasePatterns", source=source, **SEARCH)
    with pytest.raises(StudyError, match="Name its aggregates instead"):
        project.load()


@pytest.mark.parametrize(
    ("frame", "settings", "words"),
    [
        (cases().query("seen_on.str.startswith('2024-03')"), {}, "one month only"),
        (cases().assign(form="", region="", means="", age=""), {}, "every column is blank"),
        (cases(), {"max_cells": 1000, "max_length": 5, "min_count": 2}, "Leave out or band"),
    ],
)
def test_data_that_cannot_be_searched_fail_with_the_mend(project, frame, settings, words):
    declare(project, frame, **settings)
    result = project.run("changes/records", "changes/patterns")
    assert not result.success
    told = " ".join(failures(result).values())
    assert words in told
    assert "begging" not in told


def test_planted_patterns_are_compared_with_what_was_found(project, home):
    project.study("world", "MockData", **WORLD)
    names = ("region", "sector", "channel", "worker_origin", "gender", "recruiter")
    columns = [{"name": "date", "role": "date"}, *({"name": name, "role": "category"} for name in names)]
    columns.append({"name": "issue", "role": "multi_valued"})
    project.study(
        "complaints",
        "CasePatterns",
        simulated=True,
        source={"asset": "world/complaints", "columns": columns},
        time="date",
        max_length=3,
        truth="world/truth_patterns",
        disclose=DISCLOSE,
    )
    asked = ("records", "patterns", "findings", "planted", "facts", "report")
    result = project.run(
        "world/complaints", "world/truth_patterns", *(f"complaints/{noun}" for noun in asked)
    )
    assert result.success, failures(result)
    planted = read_table(home, "restricted", ("complaints", "planted"))
    truth = read_table(home, "public", ("world", "truth_patterns"))
    assert list(planted["attributes"].fillna("")) == list(truth["attributes"].fillna(""))
    found = leaders(home, "complaints")
    exact = planted.loc[planted["kind"] == "emerging"].merge(found, on="attributes", how="inner")
    facts = read_table(home, "restricted", ("complaints", "findings")).set_index("fact_id")["value"]
    assert facts["complaints/planted"] == (truth["kind"] == "emerging").sum()
    assert facts["complaints/planted_found"] == len(exact) >= 1
    assert facts["complaints/decoys_reported"] == 0


def test_a_private_release_is_searched_and_told_without_a_barrier(project, home):
    rng = np.random.default_rng(3)
    rows = 5000
    frame = pd.DataFrame(
        {
            "quarter": rng.choice(QUARTERS, rows),
            "form": rng.choice(["labour", "sexual", "domestic"], rows),
            "region": rng.choice(["north", "south", "east"], rows),
        }
    )
    risen = (frame["quarter"] == "2023-Q3") & (rng.random(rows) < 0.5)
    frame.loc[risen, ["form", "region"]] = ["domestic", "east"]
    path = project.file("cases.csv", frame.to_csv(index=False))
    source = RELEASE["source"] | {"path": str(path)}
    project.study("cases", "CaseRelease", **(RELEASE | {"source": source, "synthetic_records": False}))
    project.study(
        "changes", "CasePatterns", aggregates="cases/aggregates", time="quarter", max_length=2, windows=[1, 2]
    )
    project.study("site", "EvidenceSite", summary="What is changing.", studies=["changes"])
    asked = ("cases/records", "cases/people", "cases/aggregates", "changes", "site/candidate")
    result = project.run(*asked)
    assert result.success, failures(result)
    patterns = read_table(home, "released", ("changes", "patterns"))
    found = patterns.loc[~patterns["folded"].astype(bool)].reset_index(drop=True)
    assert found.loc[0, "attributes"] == "form:domestic;region:east"
    first, last = found.loc[0, ["first", "last"]]
    assert first <= "2023-Q3" <= last  # noise is drawn anew and may add a neighbour
    held = (frame["form"] == "domestic") & (frame["region"] == "east") & frame["quarter"].between(first, last)
    assert abs(found.loc[0, "observed"] - held.sum()) < 100
    facts = read_table(home, "released", ("changes", "facts")).set_index("fact_id")
    key = found.loc[0, "pattern_id"].lower()
    assert facts.loc[f"changes/observed.{key}", "value"] == found.loc[0, "observed"]
    periods = read_table(home, "released", ("changes", "periods"))
    assert list(periods["period"]) == list(QUARTERS)
    assert abs(periods["records"].sum() - rows) < 300
    site = read_table(home, "released", ("site", "candidate")).set_index("path")["content"]
    assert "Form domestic and region east" in bytes(site["studies/changes.html"]).decode()
    page = read_table(home, "restricted", ("changes", "casework")).set_index("path")["content"]
    assert "The life of each pattern" in bytes(page["index.html"]).decode()


def test_a_draft_names_the_time_and_loads(project):
    project.population("our_people")
    path = project.file("cases.csv", cases(rows=60, risen=0).to_csv(index=False))
    folder = project.root / "defs" / "our_changes"
    scaffold_object(folder, "assets.CasePatterns", json.dumps({"source": str(path)}), "yaml", project.root)
    text = (folder / "defs.yaml").read_text(encoding="utf-8")
    drafted = yaml.safe_load(text)["attributes"]
    assert drafted["time"] == "seen_on"
    assert not re.search("begging|coast|debt", text)
    project.load()


def test_the_examples_of_the_documentation_load(project):
    text = (Path(__file__).parents[2] / "docs" / "case_patterns.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("type:")]
    assert len(blocks) == 2
    for place, block in enumerate(blocks):
        project.study(f"example_{place}", "CasePatterns", **yaml.safe_load(block)["attributes"])
    project.study("example_cases", "CaseRelease", **RELEASE)
    project.load()
