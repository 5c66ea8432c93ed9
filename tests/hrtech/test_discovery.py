"""Discovery as a whole: refusals, confidence, what-if, and what is told."""

import numpy as np
import pandas as pd
import pytest
import yaml

from hrtech.causal.discovery import (
    Bounds,
    DiscoveryError,
    DiscoveryQuestion,
    Knowledge,
    WhatIf,
    bind,
    check_columns,
    discover,
    make_table,
    pair_of,
)
from hrtech.causal.discovery.confidence import Calibration, _chance, _fit, calibrate, confidence, frequencies
from hrtech.causal.discovery.effects import what_if
from hrtech.causal.discovery.graphs import class_of, members
from hrtech.causal.discovery.methods import best_order
from hrtech.causal.discovery.models import Prepared
from hrtech.causal.discovery.simulate import draw_world, likeness
from hrtech.causal.discovery.sortability import varsortability
from hrtech.causal.discovery.telling import discovery_facts, discovery_report
from hrtech.facts import facts_to_frame, index_facts
from hrtech.mock import generate_world
from hrtech.pages import LINEAGE_COLUMNS, render_casework

QUICK = {"resamples": 20, "calibration_worlds": 4}


def frame(seed=0, n=500):
    """a → c ← b, c → d; e stands apart."""
    rng = np.random.default_rng(seed)
    a, b, e = rng.normal(size=(3, n))
    c = a - 0.8 * b + rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": 0.9 * c + rng.normal(size=n), "e": e})


def mixed(seed=0, n=1500):
    rng = np.random.default_rng(seed)
    group = rng.choice(["x", "y", "z"], n)
    number = (group == "y") * 1.0 - (group == "z") * 1.0 + rng.normal(size=n)
    yes = (number + rng.logistic(size=n) > 0).astype(int)
    return pd.DataFrame({"group": pd.Series(group, dtype="str"), "number": number, "yes": yes})


# what is refused


@pytest.mark.parametrize(
    ("knowledge", "match"),
    [
        (Knowledge(required=(("a", "b"), ("b", "c"), ("c", "a"))), "circle: 'a' → 'b' → 'c' → 'a'"),
        (
            Knowledge(required=(("a", "b"),), forbidden=(("a", "b"),)),
            "'a' to 'b' is required and at once ruled out by forbidden",
        ),
        (Knowledge(required=(("b", "a"),), tiers=(("a",), ("b",))), "'b' to 'a' .* ruled out by tiers"),
        (Knowledge(required=(("b", "a"),), cause_only=("a",)), "ruled out by cause_only"),
        (Knowledge(required=(("b", "a"),), effect_only=("b",)), "ruled out by effect_only"),
        (Knowledge(cause_only=("a",), effect_only=("a",)), "'a' is both"),
        (Knowledge(tiers=(("a",), ("b", "a"))), "'a' stands in two tiers"),
        (Knowledge(forbidden=(("a", "nobody"),)), "'nobody' is no variable"),
        (Knowledge(required=(("a", "a"),)), "'a' cannot cause itself"),
    ],
)
def test_constraints_that_contradict_are_refused_by_name(knowledge, match):
    with pytest.raises(DiscoveryError, match=match) as caught:
        bind(knowledge, ("a", "b", "c"))
    assert "[setting: " in str(caught.value)


def test_what_would_close_a_circle_with_required_edges_is_ruled_out():
    bounds = bind(Knowledge(required=(("a", "b"), ("b", "c"))), ("a", "b", "c"))
    assert not bounds.allowed[2, 0]
    assert bounds.known[0, 1]
    with pytest.raises(DiscoveryError, match="'a' is no pair"):
        pair_of(["a"], "required")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.assign(k=1.0), "'k' is constant"),
        (lambda f: f.assign(k=2 * f["a"] + 3), "'k' is a copy of 'a'"),
        (lambda f: f.assign(k=f["a"] + f["b"]), "'k' follows exactly from 'a', 'b'"),
        (lambda f: f.head(12), "12 complete rows are too few for 5 variables"),
        (lambda f: f.assign(k=np.where(np.arange(len(f)) < 10, 1.0, np.nan)), "'k' is blank in 490 rows"),
        (
            lambda f: f.assign(k=pd.Series([f"v{i % 40}" for i in range(len(f))], dtype="str")),
            "'k' has 40 levels",
        ),
        (lambda f: f.assign(k=[[1, 2]] * len(f)), "'k' holds several values a cell"),
        (lambda f: f.assign(k=np.inf), "'k' holds infinite numbers"),
        (lambda f: f[["a", "b"]], "2 variables"),
        (
            lambda f: f.assign(**{f"n{i}": np.random.default_rng(i).normal(size=len(f)) for i in range(60)}),
            "65 variables are too many",
        ),
        (
            lambda f: f.assign(k=(f["a"] > 0).astype(int), m=(f["a"] > 0).map({True: "yes", False: "no"})),
            "'m' is a copy of 'k'",
        ),
    ],
)
def test_tables_that_tell_nothing_are_refused_by_name(change, match):
    with pytest.raises(DiscoveryError, match=match) as caught:
        make_table(change(frame()))
    assert "[setting: variables]" in str(caught.value)


def test_more_variables_than_rows_are_refused():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(35, 40)), columns=[f"v{i}" for i in range(40)])
    with pytest.raises(DiscoveryError, match="35 complete rows are too few for 40 variables; at least 50"):
        make_table(wide)


def test_names_are_checked_before_anything_is_read():
    with pytest.raises(DiscoveryError, match="'z' is no category"):
        check_columns(DiscoveryQuestion(variables=("a", "z")), ["a"])
    with pytest.raises(DiscoveryError, match="'z' is asked about"):
        check_columns(
            DiscoveryQuestion(variables=("a", "b", "c"), what_if=(WhatIf("a", 0, 1, "z"),)),
            ["a", "b", "c", "z"],
        )
    with pytest.raises(DiscoveryError, match="'number' is a number, and the model discrete"):
        discover(mixed(), DiscoveryQuestion(model="discrete"))
    with pytest.raises(DiscoveryError, match="'group' is a category, and the model gaussian"):
        discover(mixed(), DiscoveryQuestion(model="gaussian"))


def test_rows_with_a_blank_are_counted_or_kept_as_a_level():
    data = mixed()
    data.loc[:99, "group"] = None
    left_out = make_table(data)
    assert left_out.n == 1400
    assert left_out.rows.set_index("step")["rows"].to_dict() == {
        "rows in the table": 1500, "a variable missing": 100, "rows used": 1400,
    }  # fmt: skip
    kept = make_table(data, missing="own_level")
    assert kept.n == 1500
    assert kept.variables[0].levels == ("unknown", "x", "y", "z")


# confidence


def test_a_logistic_curve_is_the_optimum_of_its_ridge():
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200), rng.normal(size=200), rng.choice([-0.5, 0.5], 200)])
    right = rng.random(200) < _chance(x, np.array([0.3, 1.5, 0.5]))
    start = np.array([0.0, 1.0, 0.0])
    spread = 2.0 * (x**2).mean(axis=0)

    def loss(w):
        odds = x @ w
        return (np.logaddexp(0, odds) - right * odds).sum() + 0.5 * (spread * (w - start) ** 2).sum()

    assert _fit(x, right, start) == pytest.approx(minimize(loss, start).x, abs=1e-3)


def test_without_worlds_chances_are_the_frequencies():
    table, bounds = make_table(frame(n=120)), Bounds.none(5)
    prepared = Prepared(table, "gaussian")
    found = best_order(prepared.data(), "gaussian", bounds, np.random.default_rng(0))
    plain = calibrate(table, "gaussian", found, bounds, np.random.default_rng(0), worlds=0, resamples=20)
    share = frequencies(prepared, bounds, np.random.default_rng(0), resamples=200)
    sure = confidence(share, found.graph, bounds, plain, resamples=200)
    assert np.abs(sure.joined - (share + share.T)).max() < 0.01
    assert (sure.joined == sure.joined.T).all()
    assert np.allclose(sure.directed + sure.directed.T, sure.joined)


def test_confidence_keeps_to_what_is_known():
    bounds = bind(
        Knowledge(required=(("a", "b"),), forbidden=(("c", "a"), ("a", "c"), ("c", "b"))), ("a", "b", "c")
    )
    share = np.full((3, 3), 0.3)
    flat = Calibration(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0]), 0, 0)
    sure = confidence(share, np.zeros((3, 3), bool), bounds, flat, resamples=50)
    assert sure.directed[0, 1] == 1 and sure.directed[1, 0] == 0
    assert sure.joined[0, 2] == 0
    assert sure.directed[1, 2] == pytest.approx(sure.joined[1, 2]) and sure.directed[2, 1] == 0


def test_worlds_are_like_the_table_and_obey_what_is_known():
    table = make_table(mixed())
    bounds = bind(Knowledge(tiers=(("group",), ("number",), ("yes",))), table.names)
    found = best_order(Prepared(table, "mixed").data(), "mixed", bounds, np.random.default_rng(0))
    like = likeness(table, "mixed", found.member)
    for seed in range(5):
        world, truth = draw_world(like, bounds, np.random.default_rng(seed))
        assert world.names == table.names and world.n == table.n
        assert not (truth & ~bounds.allowed).any()
        shares = np.bincount(world.variables[0].values.astype(int), minlength=3) / world.n
        assert np.allclose(shares, 1 / 3, atol=0.08)


@pytest.mark.slow
def test_edges_called_eighty_percent_are_right_about_that_often():
    called, right = [], []
    for seed in range(40):
        rng = np.random.default_rng([seed, 7])
        order = rng.permutation(6)
        weights = np.zeros((6, 6))
        chosen = (
            np.triu(rng.random((6, 6)) < 0.4, 1)
            * rng.choice([-1, 1], (6, 6))
            * rng.uniform(0.15, 0.8, (6, 6))
        )
        weights[np.ix_(order, order)] = chosen
        x = rng.normal(size=(150, 6)) @ np.linalg.inv(np.eye(6) - weights)
        table, bounds = make_table(pd.DataFrame(x, columns=list("uvwxyz"))), Bounds.none(6)
        prepared = Prepared(table, "gaussian")
        found = best_order(prepared.data(), "gaussian", bounds, rng)
        learnt = calibrate(table, "gaussian", found, bounds, rng, worlds=6, resamples=20)
        share = frequencies(prepared, bounds, rng, resamples=20)
        sure = confidence(share, found.graph, bounds, learnt, resamples=20)
        pairs = np.triu_indices(6, 1)
        called += list(sure.joined[pairs])
        right += list((weights != 0)[pairs] | (weights.T != 0)[pairs])
    chance, truth = np.array(called), np.array(right)
    near = (chance > 0.65) & (chance < 0.95)
    assert near.sum() > 40
    assert abs(truth[near].mean() - chance[near].mean()) < 0.15


# what if


def test_an_identified_effect_is_given_and_the_rest_is_bounded():
    table = make_table(frame(n=5000))
    truth = np.zeros((5, 5), bool)
    truth[0, 2] = truth[1, 2] = truth[2, 3] = True
    found = class_of(truth)
    answer = what_if(table, found, "gaussian", WhatIf("a", 0, 1, "d"))
    assert answer.identified
    assert answer.low == pytest.approx(0.9, abs=4 * answer.error_low)
    assert answer.adjusted == (("b",),)
    none = what_if(table, found, "gaussian", WhatIf("d", 0, 1, "a"))
    assert none.identified and none.low == none.high == 0 and "no effect" in none.reason
    chain = np.zeros((5, 5), bool)
    chain[0, 2] = chain[2, 3] = True
    open_ = what_if(table, class_of(chain), "gaussian", WhatIf("c", 0, 1, "d"))
    assert not open_.identified and "'c' and 'd' may point either way" in open_.reason
    assert open_.low == 0 and open_.high == pytest.approx(0.9, abs=0.1)


def test_bounds_are_those_of_all_members_of_the_class():
    rng = np.random.default_rng(1)
    for _ in range(8):
        order = rng.permutation(5)
        dag = np.zeros((5, 5), bool)
        dag[np.ix_(order, order)] = np.triu(rng.random((5, 5)) < 0.5, 1)
        x = rng.normal(size=(400, 5)) @ np.linalg.inv(np.eye(5) - 0.7 * dag)
        table = make_table(pd.DataFrame(x, columns=list("abcde")))
        whole = class_of(dag)
        found = what_if(table, whole, "gaussian", WhatIf("a", 0, 1, "d"))
        z = np.column_stack([v.values for v in table.variables])
        effects = []
        for member in members(whole, 500):
            reach = np.linalg.matrix_power(np.eye(5) + member, 5) > 0
            if not reach[0, 3] or member[3, 0]:
                effects.append(0.0)
                continue
            columns = np.column_stack([z[:, 0], np.ones(400), z[:, member[:, 0]]])
            effects.append(float(np.linalg.lstsq(columns, z[:, 3], rcond=None)[0][0]))
        # other causes of the outcome move the estimate by less than its error
        room = 4 * max(found.error_low, found.error_high) + 0.02
        assert found.low == pytest.approx(min(effects), abs=room)
        assert found.high == pytest.approx(max(effects), abs=room)


@pytest.mark.parametrize(
    ("question", "match"),
    [
        (WhatIf("nobody", 0, 1, "d"), "'nobody' is no variable"),
        (WhatIf("a", 0, 1, "a"), "both set and looked at"),
        (WhatIf("a", 0, 99, "d"), "'a' was never seen as low or as high"),
        (WhatIf("a", "little", "much", "d"), "Give two numbers"),
    ],
)
def test_questions_that_the_table_cannot_answer_are_refused(question, match):
    with pytest.raises(DiscoveryError, match=match):
        what_if(make_table(frame()), np.zeros((5, 5), bool), "gaussian", question)


def test_effects_of_levels_are_differences_of_shares():
    data = mixed(n=6000)
    found = discover(
        data,
        DiscoveryQuestion(
            knowledge=Knowledge(tiers=(("group",), ("number",), ("yes",))),
            what_if=(WhatIf("group", "x", "y", "yes"), WhatIf("number", "-1", "1", "yes", "1")),
            methods=("best_order",),
            **QUICK,
        ),
    )
    assert found.model == "mixed"
    assert found.answers["identified"].all()
    rng = np.random.default_rng(99)
    noise, logistic = rng.normal(size=200_000), rng.logistic(size=200_000)
    expected = (
        (1 + noise + logistic > 0).mean() - (noise + logistic > 0).mean(),
        (1 + logistic > 0).mean() - (-1 + logistic > 0).mean(),
    )
    for row, truth in zip(found.answers.to_dict(orient="records"), expected, strict=True):
        assert row["low"] == pytest.approx(truth, abs=4 * row["error_low"] + 0.02)


# the whole


def test_scale_that_tells_the_order_is_told():
    data = frame()
    table = make_table(data * [1, 1, 10, 100, 1])
    dag = np.zeros((5, 5), bool)
    dag[0, 2] = dag[2, 3] = True
    assert varsortability(table, dag) == 1.0
    assert varsortability(table, dag.T) == 0.0
    assert varsortability(table, np.zeros((5, 5), bool)) is None
    found = discover(data * [1, 1, 10, 100, 1], DiscoveryQuestion(methods=("best_order",), **QUICK))
    report = discovery_report("s", "T", [], edges=found.edges, checks=found.checks)
    assert any("variance of the variables rises" in getattr(part, "markdown", "") for part in report.parts)


def test_the_same_seed_gives_the_same_and_pages_tell_it():
    question = DiscoveryQuestion(what_if=(WhatIf("a", 0, 1, "d"), WhatIf("c", 0, 1, "d")), **QUICK)
    found, again = discover(frame(), question), discover(frame(), question)
    pd.testing.assert_frame_equal(found.pairs, again.pairs)
    pd.testing.assert_frame_equal(found.edges, again.edges)
    assert list(found.consensus.columns) == [
        "one",
        "other",
        "best_order",
        "ges",
        "pc",
        "lingam",
        "notears",
        "joined_by",
        "of",
    ]
    facts = discovery_facts("s", found.edges, found.answers, found.rows, found.variables, {("a", "d"): 0.9})
    assert {"s/edge.a.c", "s/edge.b.c", "s/edge.c.d", "s/what_if_1", "s/what_if_1.true_effect"} <= set(
        index_facts(facts)
    )
    tables = ("edges", "pairs", "checks", "consensus", "answers", "proposals", "variables", "rows")
    report = discovery_report("s", "A graph", facts, **{name: getattr(found, name) for name in tables})
    pages = render_casework(report, facts_to_frame(facts), pd.DataFrame(columns=list(LINEAGE_COLUMNS)))
    text = b"".join(pages.loc[pages["path"] == "index.html", "content"]).decode()
    assert "hypothesis for an effect study, not knowledge" in text and "<svg" in text
    assert discovery_report("s", "A graph", facts).promise == "disclosure-control"


def test_a_proposal_is_a_graph_that_an_effect_study_reads():
    from hrtech.causal.identify import identify
    from hrtech.causal.question import EffectQuestion

    found = discover(frame(n=2000), DiscoveryQuestion(what_if=(WhatIf("a", 0, 1, "d"),), **QUICK))
    settings = found.proposals.loc[0, "settings"]
    assert settings.startswith("# A hypothesis from causal discovery, not knowledge")
    read = yaml.safe_load(settings)
    pairs = tuple(map(tuple, read["graph"]))
    assert set(pairs) == {("a", "c"), ("b", "c"), ("c", "d")}
    asked = EffectQuestion("It does", read["treatment"], read["outcome"], graph=pairs)
    assert "c" not in identify(asked, set("abcde")).adjusted, "a mediator is left alone"


@pytest.mark.slow
def test_effects_planted_in_the_mock_questionnaire_are_found():
    world = generate_world("demo", 20261)
    names = ("age", "gender", "education", "region", "debt_before", "distance_km", "trust", "helpline_awareness",
             "called_helpline", "sought_help", "months_in_exploitation")  # fmt: skip
    tiers = (names[:2] + names[3:4], names[2:3], names[4:6], names[6:7], names[7:8], names[8:9], names[9:])
    found = discover(
        world.tables["questionnaire"],
        DiscoveryQuestion(
            variables=names,
            knowledge=Knowledge(tiers=tiers),
            what_if=tuple(WhatIf("helpline_awareness", 0, 1, y) for y in names[9:]),
            methods=("best_order",),
            **QUICK,
        ),
    )
    truth = world.truth["truth_exposure"].query("estimand == 'ATE'").set_index("outcome")["effect"]
    for row in found.answers.to_dict(orient="records"):
        assert row["identified"]
        assert row["low"] == pytest.approx(truth[row["outcome"]], abs=3 * row["error_low"])
