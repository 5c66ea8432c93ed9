import io
import json
from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from hrtech.mock import generate_world
from hrtech.networks import NetworkError, build_networks
from hrtech.networks.exports import FORMATS, export_network
from hrtech.networks.ownership import share_text
from hrtech.networks.readers import read_followthemoney
from hrtech.networks.watch import add_snapshot, watch_list
from hrtech.networks.why import chain, why

START = datetime(2025, 1, 1, tzinfo=UTC)


def small():
    firms = pd.DataFrame({"entity_id": list("ABD"), "name": ["A", "B", "=SUM(1,1) & <Dee>\x0b"]})
    attributes = pd.DataFrame(
        [("A", "phone", "1"), ("B", "phone", "1")], columns=["entity_id", "attribute", "value"]
    )
    owners = pd.DataFrame(
        {
            "company_id": ["B"],
            "owner_id": ["C"],
            "owner_name": ["C"],
            "share_minimum": [60],
            "share_maximum": [75],
        }
    )
    flags = pd.DataFrame({"entity_id": ["A"], "flag": ["unpaid wages"], "weight": [0.8]})
    return build_networks(firms, attributes, owners, flags), flags


def test_the_answer_to_why_reads_as_the_paths_do():
    result, flags = small()
    told = why(result, "C", flags)
    assert told["sentence"].tolist() == [
        "A is flagged: unpaid wages. B shares a phone, seen nowhere else, with A. C owns 60–75 % of B."
    ]
    risk = result.nodes.set_index("entity_id").loc["C", "risk"]
    assert told["contribution"].sum() == pytest.approx(risk) and told["share"].tolist() == [1.0]
    assert why(result, "A", flags)["sentence"].tolist() == ["A is flagged: unpaid wages."]
    assert why(result, "D", flags).empty
    with pytest.raises(NetworkError, match="No entity has this id"):
        why(result, "Z")


@pytest.fixture(scope="module")
def world():
    tables = generate_world("tiny", seed=6).tables
    attributes = tables["companies"].melt("company_id", ["address", "phone", "email"], "attribute", "value")
    offers = (
        tables["bids"].rename(columns={"amount": "value"}).merge(tables["tenders"][["tender_id", "category"]])
    )
    result = build_networks(
        tables["companies"], attributes, tables["owners"], tables["red_flags"], bids=offers
    )
    return tables, result


def test_answers_add_up_to_the_risk_of_every_entity_and_name_every_hop(world):
    tables, result = world
    risk = result.nodes.set_index("entity_id")["risk"]
    for entity in risk.index[risk > 0]:
        told = why(result, entity, tables["red_flags"], most=2)
        assert told["contribution"].sum() == pytest.approx(risk[entity])
        assert len(told) <= 3
        path = result.paths.query("entity_id == @entity").iloc[0]
        ids, kinds = chain(path["via"])
        if kinds:
            assert len(ids) == path["hops"] + 1 and ids[-1] == path["source"] and ids[0] == entity
            assert all(one in told["sentence"].iloc[0] for one in ids)


def tables_of(result, flags):
    return {"nodes": result.nodes, "edges": result.edges, "paths": result.paths, "red_flags": flags}


def test_graphml_json_and_excel_say_the_same_as_the_tables(world):
    tables, result = world
    files = export_network(tables_of(result, tables["red_flags"]), FORMATS).set_index("path")["content"]
    graph = nx.read_graphml(io.BytesIO(files["network.graphml"]))
    assert set(graph) == set(result.nodes["entity_id"]) and graph.number_of_edges() == len(result.edges)
    risk = result.nodes.set_index("entity_id")["risk"]
    assert all(graph.nodes[one]["risk"] == pytest.approx(risk[one]) for one in graph)
    data = json.loads(files["network.json"])
    assert len(data["edges"]) == len(result.edges) and len(data["red_flags"]) == len(tables["red_flags"])
    sheet = pd.read_excel(io.BytesIO(files["network.xlsx"]), sheet_name="nodes")
    assert np.allclose(sheet["risk"], result.nodes["risk"])
    assert sheet["entity_id"].tolist() == result.nodes["entity_id"].tolist()


def test_followthemoney_comes_back_as_it_went(tmp_path, world):
    tables, result = world
    files = export_network(tables_of(result, tables["red_flags"]), ["followthemoney"])
    path = tmp_path / files["path"].iloc[0]
    path.write_bytes(files["content"].iloc[0])
    back = read_followthemoney(path)
    assert set(back.entities["entity_id"]) == set(result.nodes["entity_id"])
    owned = result.edges.query("kind == 'ownership'")
    both = back.ownership.merge(owned, left_on=["owner_id", "company_id"], right_on=["source", "target"])
    assert len(both) == len(owned) == len(back.ownership)
    said = [
        f"owns {share_text(*ends)}" for ends in zip(both["share_minimum"], both["share_maximum"], strict=True)
    ]
    assert said == both["evidence"].tolist()
    assert len(back.relationships) == len(result.edges) - len(owned)
    assert back.rejects.empty


def test_texts_stay_texts_in_a_sheet_and_legal_in_xml():
    from openpyxl import load_workbook

    result, flags = small()
    files = export_network(tables_of(result, flags), ["excel", "graphml"]).set_index("path")["content"]
    cells = [
        cell for row in load_workbook(io.BytesIO(files["network.xlsx"]))["nodes"].iter_rows() for cell in row
    ]
    odd = [cell for cell in cells if str(cell.value).startswith("=")]
    assert [cell.data_type for cell in odd] == ["s"] and odd[0].value == "=SUM(1,1) & <Dee>"
    assert nx.read_graphml(io.BytesIO(files["network.graphml"])).nodes["D"]["name"] == "=SUM(1,1) & <Dee>"


def test_exports_that_cannot_be_made_say_why():
    result, flags = small()
    with pytest.raises(NetworkError, match="no format 'gexf'"):
        export_network(tables_of(result, flags), ["gexf"])
    with pytest.raises(NetworkError, match="'edges' is missing"):
        export_network({"nodes": result.nodes}, ["json"])
    with pytest.raises(NetworkError, match="'nodes' has no column name"):
        export_network({"nodes": result.nodes.drop(columns="name"), "edges": result.edges}, ["json"])


def nodes(**scores):
    frame = pd.DataFrame({"entity_id": list(scores), "name": list(scores), "risk": list(scores.values())})
    return frame.assign(node_kind="entity")


def day(number):
    return START + timedelta(days=number)


def test_the_watch_list_says_who_is_new_risen_fallen_and_gone():
    history = add_snapshot(nodes(a=0.5, b=0.4, c=0.3, x=0.0), None, START)
    first = watch_list(history)
    assert first["status"].tolist() == ["new"] * 3 and first["compared_with"].isna().all()
    history = add_snapshot(nodes(a=0.5, b=0.6, c=0.1, d=0.2, x=0.0), history, day(1))
    history = add_snapshot(nodes(a=0.5, b=0.6, d=0.2), history, day(2))
    made = watch_list(history).set_index("entity_id")
    assert made["status"].to_dict() == {"b": "same", "a": "same", "d": "same", "c": "gone"}
    made = watch_list(history.query("snapshot < 3")).set_index("entity_id")
    assert made["status"].to_dict() == {"b": "risen", "a": "same", "d": "new", "c": "fallen"}
    assert made.loc["b", ["rank", "rank_before", "score_before"]].tolist() == [1, 2, 0.4]
    assert made.loc["b", "since"] == pd.Timestamp(START) and made.loc["d", "since"] == pd.Timestamp(day(1))
    assert (made["compared_with"] == pd.Timestamp(START)).all()


def test_a_list_made_again_from_the_same_data_changes_nothing():
    history = add_snapshot(nodes(a=0.5), None, START)
    history = add_snapshot(nodes(a=0.5, b=0.4), history, day(1))
    again = add_snapshot(nodes(a=0.5, b=0.4), history, day(2))
    pd.testing.assert_frame_equal(again, history)
    pd.testing.assert_frame_equal(watch_list(again), watch_list(history))
    assert watch_list(again).set_index("entity_id").loc["b", "status"] == "new"


def test_an_emptied_list_and_one_who_comes_back():
    history = add_snapshot(nodes(a=0.5), None, START)
    for number, scores in enumerate(({"a": 0.0}, {"a": 0.7}), start=1):
        history = add_snapshot(nodes(**scores), history, day(number))
    assert watch_list(add_snapshot(nodes(a=0.0), None, START)).empty
    made = watch_list(history)
    assert made["status"].tolist() == ["new"] and made["since"].iloc[0] == pd.Timestamp(day(2))


def test_only_the_highest_entities_are_listed():
    made = nodes(a=0.5, b=0.4, c=0.3).assign(node_kind=["owner", "entity", "entity"])
    assert add_snapshot(made, None, START, most=1)["entity_id"].tolist() == ["b"]
    assert add_snapshot(made, None, START, least=0.35)["entity_id"].tolist() == ["b"]
    with pytest.raises(NetworkError, match="no score 'guilt'"):
        add_snapshot(made, None, START, score="guilt")
