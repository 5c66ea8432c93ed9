import re
from xml.etree import ElementTree

import pytest

from hrtech.facts import Edge, Network, Node
from hrtech.pages import PageError, charts
from hrtech.pages.draw import chart_table, check_spec, clean_svg, draw_svg, live_spec, vega_bundle
from hrtech.pages.network import draw_network, network_tables

ROWS = [
    {"what": "a", "n": 10, "lo": 8, "hi": 12, "true": 11, "day": "2023-01-01", "main": True},
    {"what": "b", "n": 20, "lo": 17, "hi": 23, "true": 19, "day": "2023-02-01", "main": False},
]
SPECS = {
    "bars": charts.bars(ROWS, category="what", value="n", low="lo", high="hi", value_title="People"),
    "timeline": charts.timeline(
        ROWS, time="day", value="n", low="lo", high="hi", series="what", event="2023-01-15", event_label="Law"
    ),
    "forest": charts.forest(ROWS, label="what", estimate="n", low="lo", high="hi", highlighted="main"),
    "specification_curve": charts.specification_curve(
        ROWS, estimate="n", low="lo", high="hi", choices=["what", "main"]
    ),
    "dots_compared": charts.dots_compared(ROWS, category="what", released="n", truth="true"),
    "heatmap": charts.heatmap(ROWS, x="day", y="what", value="n"),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_form_of_chart_is_drawn_alone_and_labelled(name):
    check_spec(name, SPECS[name])
    svg = draw_svg(SPECS[name], prefix=name, label='Label "quoted" & <b>')
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label") == 'Label "quoted" & <b>'
    assert "href" not in svg and "<script" not in svg and "<style" not in svg and " style=" not in svg
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(each.startswith(f"{name}-") for each in ids)
    words = {element.text for element in root.iter() if element.text}
    assert {"a", "b"} <= words or name in ("timeline", "specification_curve")


def test_lengths_of_bars_are_to_scale():
    svg = draw_svg(charts.bars(ROWS, category="what", value="n"), prefix="b", label="l")
    lengths = [float(each) for each in re.findall(r'd="M0,[\d.]+h([\d.]+)v[^"]*"[^>]*fill="#0072b2"', svg)]
    assert len(lengths) == 2 and lengths[1] / lengths[0] == pytest.approx(2)


def test_a_drawing_does_not_depend_on_those_before_it():
    assert draw_svg(SPECS["bars"], prefix="p", label="l") == draw_svg(SPECS["bars"], prefix="p", label="l")


@pytest.mark.parametrize(
    ("name", "columns", "first"),
    [
        ("bars", ["what", "People", "From", "To"], ["a", 10, 8, 12]),
        ("timeline", ["day", "what", "n", "From", "To"], ["2023-01-01", "a", 10, 8, 12]),
        (
            "specification_curve",
            ["Specification", "n", "From", "To", "what", "main"],
            [1, 10, 8, 12, "a", True],
        ),
        ("dots_compared", ["what", "Released", "Truth"], ["a", 10, 11]),
        ("heatmap", ["what", "day", "n"], ["a", "2023-01-01", 10]),
    ],
)
def test_every_chart_has_its_table(name, columns, first):
    assert chart_table(SPECS[name])[0] == columns
    assert chart_table(SPECS[name])[1][0] == first


def test_a_table_without_notes_has_all_fields():
    assert chart_table({"data": {"values": [{"a": 1}, {"b": 2}]}}) == (["a", "b"], [[1, None], [None, 2]])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"data": {"values": []}, "layer": [{"data": {"url": "x"}}]}, r"layer\[0\].data.url"),
        ({"data": {"values": []}, "encoding": {"href": {"field": "a"}}}, "encoding.href"),
        ({"data": {"values": []}, "mark": {"type": "image"}}, "draws an image"),
        ({"data": {"name": "x"}}, "no data of its own"),
    ],
)
def test_a_chart_that_reaches_outside_is_refused(spec, says):
    with pytest.raises(PageError, match=says):
        check_spec("c", spec)


def test_a_field_may_be_called_url():
    check_spec("c", {"data": {"values": [{"url": "x"}]}, "mark": "bar"})


def test_notes_that_could_steer_the_embedding_script_never_leave():
    spec = {"data": {"values": []}, "usermeta": {"embedOptions": {"actions": True}}, "config": {"font": "x"}}
    kept = live_spec(spec, "d")
    assert "usermeta" not in kept and kept["config"]["font"] != "x" and kept["description"] == "d"


def test_an_svg_loses_all_that_could_run_or_load():
    dirty = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" onload="a()">'
        '<script>a()</script><a x:href="javascript:a()"><text>in</text></a><image href="http://e.example/"/>'
        '<foreignObject/><style>@import "x"</style>'
        '<g id="g" clip-path="url(#c)" fill="url(http://e.example/)" style="x"><text onclick="a()">kept</text></g>'
        "</svg>"
    )
    svg = clean_svg(dirty, prefix="p", label="l")
    for gone in (
        "onload",
        "script",
        "javascript",
        "image",
        "foreign",
        "style",
        "onclick",
        "e.example",
        "in<",
    ):
        assert gone not in svg
    assert 'id="p-1"' in svg and 'clip-path="url(#p-2)"' in svg and "kept" in svg


def test_the_bundle_is_the_same_each_time_and_is_no_module():
    first = vega_bundle()
    vega_bundle.cache_clear()
    assert vega_bundle() == first
    assert not first.startswith(b"import ") and b"vegaEmbed" in first and len(first) < 1_200_000


def test_a_network_is_drawn_with_labels_escaped_and_told_as_tables():
    network = Network(
        "Net",
        (Node("1", "<b>&", 0, 0, "Firm"), Node("2", "Two", 3, 1, "Person", True)),
        (Edge("1", "2", "owns", True),),
        "Two nodes.",
    )
    svg = draw_network(network, prefix="n")
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == "Two nodes." and "<b>" not in svg
    assert [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")] == ["owns", "Two", "<b>&"]
    assert network_tables(network)[1] == ("Links", ["From", "To", "Link"], [["<b>&", "Two", "owns"]])


def crowd(size: int, groups: int = 5) -> Network:
    nodes = tuple(
        Node(str(k), f"Firm number {k}", float(k % 25), float(k // 25), "Firm", rank=k, group=str(k % groups))
        for k in range(size)
    )
    edges = tuple(Edge(str(k), str(k + 1), "phone", strength=0.5, details="a phone") for k in range(size - 1))
    return Network("Crowd", nodes, edges, "Many.")


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_labels_that_are_shown_do_not_lie_on_each_other(size):
    root = ElementTree.fromstring(draw_network(crowd(size), prefix="n"))
    texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if t.get("data-of")]
    shown = [t for t in texts if t.get("display") != "none"]
    assert len(texts) == size and len(shown) >= 4
    assert shown[0].get("data-of") == "0"
    boxes = []
    for text in shown:
        x, width = float(text.get("x")), 6.5 * len(text.text)
        left = x - width if text.get("text-anchor") == "end" else x
        boxes.append((left, left + width, float(text.get("y"))))
    for k, (left, right, y) in enumerate(boxes):
        assert all(right < a or b < left or abs(y - c) >= 14 for a, b, c in boxes[:k])


def test_nodes_are_smaller_where_they_are_many():
    def radius(size):
        root = ElementTree.fromstring(draw_network(crowd(size), prefix="n"))
        return float(next(root.iter("{http://www.w3.org/2000/svg}circle")).get("r"))

    assert radius(10) > radius(300) > radius(1000) >= 3


def test_groups_lie_on_a_ground_and_evidence_is_at_hand():
    root = ElementTree.fromstring(draw_network(crowd(20, 2), prefix="n"))
    assert len([p for p in root.iter("{http://www.w3.org/2000/svg}path") if p.get("class") == "ground"]) == 2
    line = next(root.iter("{http://www.w3.org/2000/svg}line"))
    assert (line.get("data-details"), line.get("data-strength")) == ("a phone", "0.500")
    assert network_tables(crowd(3))[1][1] == ["From", "To", "Link", "Evidence"]


def test_networks_without_extent_are_drawn():
    assert "<circle" in draw_network(Network("N", (Node("1", "One", 5, 5),), (), "d"), prefix="n")
    assert "<circle" not in draw_network(Network("N", (), (), "d"), prefix="n")
