"""What a CaseRelease may declare, through real runs: either promise, hierarchies, what cannot be, and no records."""

import dagster as dg
import pytest
from studies import failures, materialised, plain

from hrtech.counts import parse_attributes
from resources.lake import read_table

COUNTRIES = {"Norland": "North", "Sudland": "South", "Mitland": "South"}
COLUMNS = [
    {"name": "id", "role": "identifier", "unique": True},
    {"name": "status", "role": "category", "values": ["Adult", "Minor"]},
    {"name": "age", "role": "category", "values": ["0-17", "18+"]},
    {"name": "country", "role": "category", "values": list(COUNTRIES)},
    {"name": "region", "role": "category", "values": ["North", "South"]},
    {"name": "means", "role": "multi_valued", "separator": ";", "values": ["debt", "threats", "drugs"]},
    {"name": "kin", "role": "category", "values": ["0", "1"]},
]
RELEASE = {
    "population": "people",
    "purpose": "Show what is done to whom",
    "source": {"path": "cases.csv", "columns": COLUMNS},
    "hierarchies": [{"column": "country", "parent": "region", "values": COUNTRIES}],
    "impossible": [
        {"one": {"status": "Adult"}, "other": {"age": "0-17"}, "says": "the definition of adult"},
        {"one": {"status": "Minor"}, "other": {"age": "18+"}, "says": "the definition of minor"},
    ],
    "reporting_length": 2,
}
PRIVATE = RELEASE | {"epsilon": 4.0, "delta": 1e-6, "people": {"number": 900, "says": "the annual report"}}
BY_K = RELEASE | {"promise": "k-anonymity", "k_anonymity": {"k": 10}}


def row(n):
    country = list(COUNTRIES)[n % 3]
    young = n % 4 == 0
    means = ";".join(m for k, m in enumerate(("debt", "threats", "drugs")) if (n // (k + 1)) % 2)
    # the region is left blank in places: it follows from the country
    region = "" if n % 5 == 0 else COUNTRIES[country]
    return (
        f"p{n}",
        "Minor" if young else "Adult",
        "0-17" if young else "18+",
        country,
        region,
        means,
        str(n % 7 == 0 and 1),
    )


@pytest.fixture
def cases(project):
    header = ",".join(c["name"] for c in COLUMNS)
    text = "\n".join(",".join(map(str, row(n))).replace("False", "0") for n in range(900))
    project.file("cases.csv", f"{header}\n{text}\n")
    return project


def released(project, home, terms):
    project.study("cases", "CaseRelease", **terms)
    result = project.run("cases")
    assert result.success, failures(result)
    tables = {
        noun: read_table(home, "released", ("cases", noun))
        for noun in ("aggregates", "terms", "synthetic_records")
        if f"cases/{noun}" in materialised(result)
    }
    return result, tables


@pytest.mark.parametrize("terms", [PRIVATE, BY_K], ids=["private", "by k"])
def test_either_promise_keeps_what_is_public_knowledge(cases, home, terms):
    result, tables = released(cases, home, terms)
    records, aggregates = tables["synthetic_records"], tables["aggregates"]
    told = [parse_attributes(text) for text in aggregates["attributes"]]
    assert len(records) > 500 and len(told) > 15
    assert not ((records["status"] == "Adult") & (records["age"] == "0-17")).any()
    assert not any({("status", "Adult"), ("age", "0-17")} <= set(one) for one in told)
    known = records["country"].notna()
    assert known.sum() > 500
    assert (records.loc[known, "region"] == records.loc[known, "country"].map(COUNTRIES)).all()
    # "0" says no: it is no attribute and in no record
    assert ("kin", "0") not in {one for several in told for one in several}
    assert not (records["kin"] == "0").any()
    assert "cases/files" in materialised(result) and "cases/casework" in materialised(result)


def test_a_declared_number_of_people_is_not_measured(cases, home):
    _, tables = released(cases, home, PRIVATE)
    terms = dict(zip(tables["terms"]["term"], tables["terms"]["value"], strict=True))
    assert terms["people"] == terms["people_low"] == terms["people_high"] == "900"
    assert "the annual report" in terms["says"]
    assert len(tables["synthetic_records"]) == 900


def test_by_k_claims_no_epsilon_and_rounds_down(cases, home):
    result, tables = released(cases, home, BY_K)
    assert (tables["aggregates"]["count"] % 10 == 0).all() and tables["aggregates"]["count"].min() >= 10
    assert "low" not in tables["aggregates"]
    made = plain(materialised(result)["cases/aggregates"].metadata)
    assert made["rho"] == 0


def test_zeros_that_matter_are_released(cases, home):
    _, tables = released(cases, home, PRIVATE | {"sensitive_zeros": ["kin"]})
    assert (tables["synthetic_records"]["kin"] == "0").sum() > 500


def test_aggregates_alone(cases, home):
    result, tables = released(cases, home, PRIVATE | {"synthetic_records": False})
    assert set(tables) == {"aggregates", "terms"}
    assert "cases/attacks" not in materialised(result)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"epsilon": None}, "epsilon"),
        ({"k_anonymity": {"k": 5}}, "promise k-anonymity"),
        ({"promise": "k-anonymity"}, "needs its terms"),
        ({"sensitive_zeros": ["nothing"]}, "nothing"),
        ({"reporting_length": 6}, "reporting_length"),
        ({"epsilon": 13.0}, "epsilon"),
        ({"hierarchies": [{"column": "country", "parent": "nowhere"}]}, "country"),
        ({"impossible": [{"one": {"age": "99"}, "other": {"status": "Adult"}, "says": "nobody"}]}, "99"),
    ],
)
def test_what_cannot_be_promised_does_not_load(cases, change, told):
    cases.study("cases", "CaseRelease", **(PRIVATE | change))
    with pytest.raises(Exception) as refused:
        cases.load()
    assert told in str(refused.getrepr(style="short", chain=True))


def test_parts_of_a_series_share_a_charge_and_changes_are_told(cases, home):
    dated = [*COLUMNS, {"name": "seen", "role": "date"}]
    header = ",".join(c["name"] for c in dated)
    year = {n: 2023 if n < 300 else 2024 for n in range(900)}
    text = "\n".join(
        f"{','.join(map(str, row(n))).replace('False', '0')},{year[n]}-03-01" for n in range(900)
    )
    cases.file("cases.csv", f"{header}\n{text}\n")
    source = {"path": "cases.csv", "columns": dated}
    series = {"name": "yearly", "period": "year", "people": "new", "first_seen": "seen"}
    terms = {k: v for k, v in PRIVATE.items() if k != "people"} | {"source": source, "subject_id": "id"}
    keys, spent = [], []
    for part in ("2023", "2024"):
        more = {"compared_with": {"release_key": keys[0], "called": "2023"}} if keys else {}
        result, tables = released(cases, home, terms | {"series": series | {"part": part}} | more)
        made = plain(materialised(result)["cases/aggregates"].metadata)
        keys.append(made["release_key"])
        spent.append(made["epsilon_left"])
        people = {"2023": 300, "2024": 600}[part]
        assert abs(len(tables["synthetic_records"]) - people) < 60
    assert spent[0] == spent[1], "the second part is about other people"
    changes = read_table(home, "released", ("cases", "changes"))
    adult = changes.loc[changes["attributes"] == "status:Adult"].iloc[0]
    assert adult["verdict"] == "rose" and abs(adult["difference"] - 225) < 80
    facts = read_table(home, "released", ("cases", "facts"))
    assert "cases/combinations_changed" in set(facts["fact_id"])


LINKED_COLUMNS = [
    {"name": "status", "role": "category", "values": ["Adult", "Minor"]},
    {"name": "relation", "role": "category", "values": ["family", "stranger"]},
    {"name": "by", "role": "multi_valued", "separator": ";", "values": ["threats", "debt"]},
    {"name": "who", "role": "identifier"},
]


def test_both_kinds_of_people_are_charged_and_protected(cases, home):
    cases.population("perpetrators", epsilon=40.0)
    # one perpetrator is in the records of very many
    rows = [
        f"{'Minor' if n % 3 else 'Adult'},{'family' if n % 2 else 'stranger'},threats,{'q0' if n < 400 else f'q{n}'}"
        for n in range(800)
    ]
    cases.file("cases.csv", "status,relation,by,who\n" + "\n".join(rows) + "\n")
    linked = {"population": "perpetrators", "id": "who", "columns": ["relation", "by"], "at_most": 2}
    terms = {
        "population": "people",
        "purpose": "Show who does it",
        "source": {"path": "cases.csv", "columns": LINKED_COLUMNS},
        "epsilon": 7.0,
        "delta": 1e-6,
        "reporting_length": 2,
        "linked": linked,
    }
    result, tables = released(cases, home, terms)
    made = plain(materialised(result)["cases/aggregates"].metadata)
    assert 0 < made["epsilon"] <= 7.0
    ledger = cases.load().resources["privacy_ledger"]
    (reserved,) = [entry for entry in ledger.entries() if entry.kind == "reserved"]
    assert "perpetrators" in ledger.statement() and "perpetrators" in str(reserved.content)
    # the 400 records of one perpetrator tell about two of them at most
    counts = tables["aggregates"].set_index("attributes")
    assert abs(counts.loc["by:threats", "count"] - 402) < 120
    assert abs(len(tables["synthetic_records"]) - 800) < 120


def test_linked_people_without_declared_values_are_refused(cases):
    columns = [{k: v for k, v in c.items() if k != "values"} for c in LINKED_COLUMNS]
    linked = {"population": "people", "id": "who", "columns": ["relation", "by"], "at_most": 2}
    terms = PRIVATE | {"source": {"path": "cases.csv", "columns": columns}, "linked": linked}
    cases.study(
        "cases", "CaseRelease", **{k: v for k, v in terms.items() if k not in ("hierarchies", "impossible")}
    )
    with pytest.raises(Exception) as refused:
        cases.load()
    assert "declare the values" in str(refused.getrepr(style="short", chain=True))


def test_advice_needs_no_record_and_spends_nothing(cases, home):
    (cases.folder / "cases.csv").unlink()
    cases.study("cases", "CaseRelease", **(PRIVATE | {"advice": {"people": 900, "epsilons": [1.0, 4.0]}}))
    result = cases.run("cases/advice", "cases/advice_pages")
    assert result.success, failures(result)
    assert "cases/aggregates" not in materialised(result)
    summary = read_table(home, "released", ("cases", "advice_summary")).set_index("epsilon")
    assert summary.loc[1.0, "mean_error"] > summary.loc[4.0, "mean_error"] > 0
    steps = read_table(home, "released", ("cases", "dry_run"))
    assert abs(steps["rho_share"].sum() - 1) < 1e-9
    assert not cases.load().resources["privacy_ledger"].entries()
    files = read_table(home, "released", ("cases", "advice_pages")).set_index("path")["content"]
    page = files["studies/cases.html"].decode()
    assert "What each budget buys" in page and "Every step of the release" in page
    assert f"{summary.loc[4.0, 'mean_error']:.1f}" in page and page.count("<svg") == 2
    stated = read_table(home, "released", ("cases", "advice_facts")).set_index("fact_id")
    assert stated.loc["cases/advice.epsilon", "value"] == 4.0 and "900" in files["index.html"].decode()
    graph = cases.load().resolve_asset_graph()
    above = graph.get_ancestor_asset_keys(dg.AssetKey(["cases", "advice_pages"]))
    assert {key.path[1] for key in above} == {
        "advice",
        "advice_summary",
        "advice_columns",
        "dry_run",
        "advice_facts",
        "advice_report",
    }
