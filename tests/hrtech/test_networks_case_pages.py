"""The pages of single entities: what they show is what the tables hold."""

import pandas as pd
import pytest

from hrtech.facts import JudgementForm
from hrtech.facts.parts import PAGE, DataTable, Network
from hrtech.networks import build_networks
from hrtech.networks.case_pages import Surroundings, address, network_pages
from hrtech.networks.remarks import remark_log
from hrtech.networks.why import answers


@pytest.fixture(scope="module")
def tables():
    firms = pd.DataFrame({"entity_id": list("abcd"), "name": ["Alpha", "Beta", "Gamma", "Delta"]})
    shared = pd.DataFrame(
        [("a", "phone", "+44 20 7946 0958"), ("b", "phone", "+44 20 7946 0958")],
        columns=["entity_id", "attribute", "value"],
    )
    owners = pd.DataFrame({
        "company_id": ["c"], "owner_id": ["b"], "owner_name": ["Beta"], "share_minimum": [60.0], "share_maximum": [75.0]
    })  # fmt: skip
    flags = pd.DataFrame(
        {"entity_id": ["a"], "flag": ["unpaid wages"], "weight": [0.8], "evidence": ["case 1"]}
    )
    result = build_networks(firms, shared, owners, flags)
    nothing = pd.DataFrame(
        {name: [] for name in ("judgement_id", "judged_at", "judged_by", "field", "value")}
    )
    names = ("nodes", "edges", "beneficial_owners", "control", "co_bids")
    return {name: getattr(result, name) for name in names} | {
        "answers": answers(result.nodes, result.edges, result.paths, list("abc"), flags),
        "watch_list": pd.DataFrame({"entity_id": list("abc")}),
        "red_flags_used": flags,
        "remarks": remark_log(nothing),
    }


def table(report, title):
    return next(part for part in report.parts if isinstance(part, DataTable) and part.title == title)


def test_a_page_says_why_and_its_parts_add_up_to_the_risk(tables):
    pages = network_pages("study", tables)
    assert list(pages) == ["entities/a", "entities/b", "entities/c"]
    risk = tables["nodes"].set_index("entity_id")["risk"]
    made = table(pages["entities/c"], "What its risk is made of")
    assert sum(row[1] for row in made.rows) == pytest.approx(risk["c"], abs=1e-3)
    words = made.rows[0][0]
    assert words.startswith("Alpha (a) is flagged: unpaid wages.") and "owns 60–75 % of Gamma (c)" in words
    assert pages["entities/c"].promise == "restricted"


def test_a_page_shows_links_owners_flags_and_a_form_for_its_own_entity_alone(tables):
    page = network_pages("study", tables)["entities/b"]
    assert [row[0] for row in table(page, "Its links, the surest first").rows] == ["Alpha", "Gamma"]
    assert not any(isinstance(part, DataTable) and part.title == "Its own red flags" for part in page.parts)
    form = next(part for part in page.parts if isinstance(part, JudgementForm))
    assert form.action == "/casework/study/judgements" and form.fields[0].value == "b"
    drawing = next(part for part in page.parts if isinstance(part, Network))
    assert {node.node_id for node in drawing.nodes} == {"a", "b", "c"}
    assert next(node for node in drawing.nodes if node.node_id == "b").rank == -1


def test_surroundings_take_the_surest_links_first(tables):
    edges = pd.DataFrame({
        "source": ["a", "a", "b", "d"], "target": ["b", "c", "d", "e"], "probability": [0.2, 0.9, 0.5, 0.5]
    })  # fmt: skip
    near = Surroundings(tables["nodes"], edges)
    assert near.around("a", 2) == ["a", "c"]
    assert near.around("a", 4) == ["a", "c", "b", "d"]
    assert near.around("z") == ["z"]


@pytest.mark.parametrize("odd", ["../x", "a b", "", "é", "/etc", "C-1", "a.b", "x" * 200])
def test_an_id_that_is_no_address_gets_a_digest(odd):
    assert PAGE.fullmatch(address(odd) + ".html")
    assert address(odd) != address(odd + "1")
    assert address("c-1_x") == "entities/c-1_x"
