"""Each rule of the zones, with the message that the author of a wrong study sees."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.zones import HEIGHT, ZONES, Node, ZoneError, check_model_endpoint, check_zones

RECORDS = Node("cases/records", zone="restricted", store="restricted")
RELEASE = Node(
    "cases/aggregates",
    zone="released",
    barrier="differential-privacy",
    parents=("cases/records",),
    resources=frozenset({"privacy_ledger"}),
    store="released",
    code_version="marginals/1",
)


def problem(*nodes: Node) -> str:
    with pytest.raises(ZoneError) as caught:
        check_zones(nodes)
    return str(caught.value)


def test_a_graph_that_keeps_the_rules_loads():
    site = Node(
        "evidence/site",
        zone="public",
        parents=("cases/aggregates",),
        resources=frozenset({"publisher"}),
        store="public",
        publishes=True,
    )
    check_zones([RECORDS, RELEASE, site])


def test_rule_1_an_asset_without_a_zone_does_not_load():
    assert "cases/notes: rule 1: it has no zone. Tag it hrtech/zone" in problem(Node("cases/notes"))
    assert "('secret' is none)" in problem(Node("cases/notes", zone="secret"))


def test_rule_1_an_input_outside_the_graph_has_no_zone():
    assert "its input cases/gone is not in the graph" in problem(
        Node("cases/table", zone="restricted", parents=("cases/gone",))
    )


def test_rule_2_a_zone_never_drops_without_a_barrier():
    message = problem(RECORDS, Node("cases/table", zone="released", parents=("cases/records",)))
    assert "cases/table: rule 2: it is released but reads cases/records, which is restricted." in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resources": frozenset()}, "must be written in the privacy ledger"),
        ({"code_version": None}, "needs a declared mechanism version"),
        ({"barrier": "rounding"}, "'rounding' is no disclosure mechanism"),
        ({"zone": "public", "store": "public"}, "it does not publish"),
    ],
)
def test_rule_2_a_barrier_must_be_whole(change, words):
    assert words in problem(RECORDS, Node(**{**RELEASE.__dict__, **change}))


def test_rule_3_only_restricted_assets_and_barriers_hold_the_restricted_store():
    node = Node("cases/open", zone="released", resources=frozenset({"restricted"}))
    assert "rule 3: it is released but holds the restricted store" in problem(node)
    barrier = Node(**{**RELEASE.__dict__, "resources": frozenset({"privacy_ledger", "restricted"})})
    check_zones([RECORDS, barrier])


def test_rule_3_an_asset_is_written_to_the_store_of_its_zone():
    assert "is written to the store 'public'" in problem(Node("cases/x", zone="restricted", store="public"))


@pytest.mark.parametrize("outlet", ["publisher", "mailer"])
def test_rule_4_nothing_restricted_is_published_or_mailed(outlet):
    node = Node("cases/mail", zone="restricted", parents=("cases/records",), resources=frozenset({outlet}))
    message = problem(RECORDS, node)
    assert f"rule 4: it holds the {outlet} but reads cases/records, which is restricted" in message


def test_rule_4_a_language_model_sees_public_data_only():
    node = Node(
        "cases/text", zone="restricted", parents=("cases/records",), resources=frozenset({"language_model"})
    )
    assert "to a language model that may see public data only" in problem(RECORDS, node)


def test_rule_4_what_a_trusted_model_writes_is_restricted():
    trusted = frozenset({"restricted_language_model"})
    check_zones([RECORDS, Node("cases/a", zone="restricted", parents=("cases/records",), resources=trusted)])
    assert "what a model that may see restricted data writes is restricted" in problem(
        Node("cases/a", zone="released", resources=trusted)
    )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://10.1.2.3/v1", "http://[::1]/"]
)
def test_rule_4_a_model_on_our_own_machines_may_be_trusted(url):
    check_model_endpoint(url, "restricted")


@pytest.mark.parametrize(
    "url", ["https://api.example.org/v1", "http://8.8.8.8/v1", "not a url", "http://10.0.0.1.example.org"]
)
def test_rule_4_a_model_elsewhere_may_not(url):
    with pytest.raises(ZoneError, match="may_see"):
        check_model_endpoint(url, "restricted")
    check_model_endpoint(url, "public")


def test_rule_5_scores_about_entities_are_restricted_whatever_they_stand_on():
    register = Node("open/register", zone="public")
    node = Node("open/scores", zone="public", parents=("open/register",), about_entities=True)
    assert "open/scores: rule 5: matches, flags and scores" in problem(register, node)


def test_rule_5_a_barrier_may_release_what_is_about_entities_one_by_one():
    drafts = Node("firms/drafts", zone="restricted", about_entities=True)
    pages = Node(
        "firms/pages", zone="released", barrier="disclosure-control", parents=("firms/drafts",), about_entities=True,
        resources=frozenset({"privacy_ledger"}), code_version="1", one_by_one=True,
    )  # fmt: skip
    check_zones([drafts, pages])
    for changes in ({"one_by_one": False}, {"barrier": "k-anonymity"}, {"zone": "public"}, {"barrier": None}):
        assert "firms/pages: rule 5: matches, flags and scores" in problem(drafts, replace(pages, **changes))


def test_rule_6_publishing_is_an_act():
    quiet = Node("evidence/page", zone="public", parents=("cases/aggregates",), store="public")
    message = problem(RECORDS, RELEASE, quiet)
    assert "evidence/page: rule 6: it is public and reads released data" in message
    assert "(1 found)" in message
    assert "rule 6: an act of publishing makes a public asset" in problem(
        Node("evidence/site", zone="public", publishes=True)
    )


def test_rule_7_truth_tables_are_public_and_comparisons_with_records_are_not():
    world = Node("world/cases", zone="restricted", simulated=True, generator=True)
    truth = Node("world/truth", zone="public", simulated=True, generator=True)
    both = ("world/cases", "world/truth")
    check_zones([world, truth, Node("cases/evaluation", zone="restricted", parents=both, simulated=True)])
    assert "rule 2: it is public but reads world/cases" in problem(
        world, truth, Node("cases/evaluation", zone="public", parents=both, simulated=True)
    )


def test_rule_7_only_what_the_generator_made_is_simulated():
    assert "it calls itself simulated but was not made by the generator" in problem(
        Node("cases/records", zone="restricted", simulated=True)
    )
    assert "it calls itself simulated but reads cases/records, which is not" in problem(
        RECORDS, Node("cases/table", zone="restricted", parents=("cases/records",), simulated=True)
    )
    assert "what the generator makes stands on a seed alone" in problem(
        RECORDS, Node("w/t", zone="restricted", parents=("cases/records",), simulated=True, generator=True)
    )


def test_every_problem_is_told_at_once():
    message = problem(Node("b/x"), Node("a/y", zone="public", about_entities=True))
    assert message.index("a/y: rule 5") < message.index("b/x: rule 1")
    assert "(2 found)" in message


@st.composite
def graphs(draw):
    size = draw(st.integers(2, 7))
    return [
        Node(
            f"g/{index}",
            zone=draw(st.sampled_from(ZONES)),
            parents=tuple(f"g/{parent}" for parent in range(index) if draw(st.booleans())),
        )
        for index in range(size)
    ]


@given(graphs())
def test_checking_edges_proves_paths(nodes):
    """Without barriers, no path that the rules accept leads from a higher zone to a lower one."""
    try:
        check_zones(nodes)
    except ZoneError:
        return
    by_key = {node.key: node for node in nodes}

    def ancestors(key):
        return {key}.union(*(ancestors(parent) for parent in by_key[key].parents))

    for node in nodes:
        assert all(HEIGHT[by_key[key].zone] <= HEIGHT[node.zone] for key in ancestors(node.key))
