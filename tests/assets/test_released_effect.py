"""An effect from a private release, run from YAML: no record is read for it, and the ledger is not asked again."""

import dagster as dg
import numpy as np
import pytest
from studies import failures, materialised, plain

from resources.lake import read_table

pytestmark = pytest.mark.slow

COLUMNS = [
    {"name": "group", "role": "category", "values": ["g0", "g1"]},
    {"name": "work", "role": "category", "values": ["farm", "home"]},
    {"name": "means", "role": "multi_valued", "separator": ";", "values": ["debt", "threats"]},
]
RELEASE = {
    "population": "people",
    "purpose": "Show what is done to whom",
    "source": {"path": "cases.csv", "columns": COLUMNS},
    "reporting_length": 3,
    "epsilon": 6.0,
    "delta": 1e-6,
}
#: What is made of the records before the effect; the release's pages and evaluations are not needed.
RELEASED = ("cases/records", "cases/people", "cases/measured")
EFFECT = {
    "hypothesis": "Farms bind people by debt",
    "direction": "increases",
    "release": "cases",
    "exposure": {"work": "farm"},
    "outcome": {"means": "debt"},
    "confounders": ["group"],
}


@pytest.fixture
def cases(project):
    rng = np.random.default_rng(3)
    group = rng.random(2000) < 0.4
    farm = rng.random(2000) < np.where(group, 0.6, 0.3)
    debt = rng.random(2000) < 0.2 + 0.2 * group + 0.25 * farm
    threats = rng.random(2000) < 0.3
    means = [
        ";".join(m for m, h in (("debt", d), ("threats", t)) if h) for d, t in zip(debt, threats, strict=True)
    ]
    rows = zip(np.where(group, "g1", "g0"), np.where(farm, "farm", "home"), means, strict=True)
    project.file("cases.csv", "group,work,means\n" + "\n".join(",".join(row) for row in rows) + "\n")
    project.study("cases", "CaseRelease", **RELEASE)
    differences = [
        debt[farm & (group == g)].mean() - debt[~farm & (group == g)].mean() for g in (False, True)
    ]
    project.truth = float(np.average(differences, weights=[(~group).mean(), group.mean()]))
    return project


def test_an_effect_is_told_from_the_release_alone(cases, home):
    cases.study("farms", "ReleasedEffect", **EFFECT)
    defs = cases.load()
    result = cases.run(*RELEASED, "farms", defs=defs)
    assert result.success, failures(result)
    found = read_table(home, "released", ("farms", "effect")).set_index("measure")
    head = found.loc["risk_difference"]
    assert abs(head["estimate"] - cases.truth) < 4 * head["noise_sd"]
    assert head["low"] < head["estimate"] < head["high"] and head["noise_sd"] > 0 and head["sampling_sd"] > 0
    facts = read_table(home, "released", ("farms", "facts")).set_index("fact_id")
    assert facts.loc["farms/risk_difference", "value"] == head["estimate"]
    assert plain(materialised(result)["farms/effect"].metadata)["verdict"] == head["verdict"]
    effect = defs.resolve_asset_graph().get(dg.AssetKey(["farms", "effect"]))
    assert {key.to_user_string() for key in effect.parent_keys} == {
        "cases/measured",
        "cases/synthetic_records",
    }
    # asked again, nothing is drawn and nothing charged
    ledger = defs.resources["privacy_ledger"]
    before = len(ledger.entries())
    again = cases.run("farms")
    assert again.success and len(ledger.entries()) == before
    assert read_table(home, "released", ("farms", "effect")).equals(found.reset_index())


def test_what_the_release_cannot_answer_is_refused_in_words(cases):
    cases.study("many", "ReleasedEffect", **(EFFECT | {"confounders": ["group", {"means": "threats"}]}))
    cases.study("gold", "ReleasedEffect", **(EFFECT | {"outcome": {"means": "gold"}}))
    cases.study("lists", "ReleasedEffect", **(EFFECT | {"confounders": ["means"]}))
    result = cases.run(*RELEASED, "many", "gold", "lists")
    assert not result.success
    told = {step.split("__")[0]: message for step, message in failures(result).items()}
    assert "release with reporting_length 4" in told["many"]
    assert "no value 'gold'" in told["gold"] and "debt, threats" in told["gold"]
    assert "holds several values a person" in told["lists"]


def test_a_release_by_k_has_no_noise_to_reckon_with(cases):
    by_k = {name: value for name, value in RELEASE.items() if name not in ("epsilon", "delta")}
    cases.study("cases", "CaseRelease", **by_k, promise="k-anonymity", k_anonymity={"k": 10})
    cases.study("farms", "ReleasedEffect", **EFFECT)
    with pytest.raises(Exception, match="measured"):
        cases.load()


def test_synthetic_records_are_no_records(cases):
    source = {"asset": "cases/synthetic_records", "columns": COLUMNS}
    cases.study(
        "wrong",
        "EffectStudy",
        hypothesis="Farms bind people",
        source=source,
        treatment="work == 'farm'",
        outcome="group",
    )
    with pytest.raises(Exception, match="ReleasedEffect"):
        cases.load()
