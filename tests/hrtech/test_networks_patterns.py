import pandas as pd
import pytest

from hrtech.mock import generate_world
from hrtech.networks import NetworkError
from hrtech.networks.ownership import integrated_ownership
from hrtech.networks.patterns import PATTERNS, PatternSpec, ownership_patterns
from hrtech.networks.spec import Rejects

FIRMS = pd.DataFrame({"entity_id": [f"C{i}" for i in range(12)], "jurisdiction": ["GB"] * 10 + ["VG", "PA"]})


def flags(*rows, spec=None, control_by=None, **more):
    frame = pd.DataFrame(rows, columns=["owner_id", "company_id", "share_minimum", "share_maximum"])
    frame = frame.assign(
        owner_company_id=frame["owner_id"].where(frame["owner_id"].str.startswith("C")), control_by=control_by
    )
    found = integrated_ownership(frame, set(FIRMS["entity_id"]), 25, Rejects())
    made = ownership_patterns(found, FIRMS, spec, **more)
    return made, made.groupby("flag")["entity_id"].agg(list).to_dict()


def test_circles_and_nominees_are_flagged_with_definition_and_innocent_cause():
    spec = PatternSpec(nominee_companies=3, weights={"nominee": 0.3})
    directors = pd.DataFrame({"source": ["P"], "target": ["C4"], "kind": ["Directorship"]})
    made, found = flags(
        ("C1", "C2", 50, 50), ("C2", "C1", 50, 50), ("P", "C1", 50, 50), ("P", "C3", 100, 100),
        spec=spec, relationships=directors,
    )  # fmt: skip
    assert found["circular ownership"] == ["C1", "C2"]
    assert found["nominee"] == ["P"]
    row = made.loc[made["flag"] == "nominee"].iloc[0]
    assert row["weight"] == 0.3 and row["evidence"].startswith("direct owner or director of 3 companies")
    assert row["innocent"] == PATTERNS["nominee"].innocent
    assert made.loc[made["flag"] != "nominee", "weight"].eq(0).all()
    assert "nominee" not in flags(("P", "C1", 50, 50), ("P", "C3", 100, 100), spec=spec)[1]


def test_a_shell_needs_layers_a_listed_place_and_no_activity():
    chain = [("P", "C10", 100, 100), ("C10", "C1", 100, 100), ("C1", "C2", 100, 100)]
    spec = PatternSpec(secrecy_jurisdictions=["vg"])
    made, found = flags(*chain, spec=spec, active={"C1", "C10"})
    assert found["shell"] == ["C2"]
    assert "C10 in VG" in made.loc[made["flag"] == "shell", "evidence"].iloc[0]
    assert "shell" not in flags(*chain, spec=spec, active={"C1", "C2", "C10"})[1]
    assert "shell" not in flags(*chain, spec=spec)[1]
    assert "shell" not in flags(*chain, spec=PatternSpec(secrecy_jurisdictions=["KY"]), active=set())[1]
    assert (
        "shell"
        not in flags(*chain, spec=PatternSpec(shell_layers=3, secrecy_jurisdictions=["VG"]), active=set())[1]
    )


def test_owners_who_are_not_named_or_not_known_are_told_apart():
    unspecified = pd.DataFrame(
        {"company_id": ["C1", "C1", "C5"], "reason": ["noBeneficialOwners", "unknown", None]}
    )
    made, found = flags(("P", "C3", 0, 50), ("Q", "C4", 30, 30), unspecified=unspecified)
    assert found["owner not named"] == ["C1", "C5"]
    assert made.loc[made["entity_id"] == "C1", "evidence"].tolist() == ["noBeneficialOwners; unknown"]
    assert found["owner in the dark"] == ["C3"]
    assert flags(("P", "C3", 0, 0), control_by="nominee")[1]["declared nominee"] == ["C3"]


def test_settings_that_make_no_sense_are_refused():
    for given, words in (
        ({"nominee_companies": 1}, "nominee_companies must be at least 2"),
        ({"weights": {"shells": 1}}, "no pattern 'shells'"),
        ({"weights": {"shell": 2}}, "between 0 and 1"),
    ):
        with pytest.raises(NetworkError, match=words):
            PatternSpec(**given)


def test_the_planted_circle_of_a_world_is_found_and_no_other():
    world = generate_world("tiny", seed=5)
    companies = world.tables["companies"].rename(columns={"company_id": "entity_id"})
    found = integrated_ownership(world.tables["owners"], set(companies["entity_id"]), 25, Rejects())
    made = ownership_patterns(found, companies)
    planted = world.truth["truth_structures"].query("kind == 'cycle'")["company_id"]
    assert set(made.loc[made["flag"] == "circular ownership", "entity_id"]) == set(planted)
