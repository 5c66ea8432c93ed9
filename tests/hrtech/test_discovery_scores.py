"""Scores, tests and searches, each against a second way of computing it."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from hrtech.causal.discovery import Bounds, Knowledge, bind, find_graph, make_table
from hrtech.causal.discovery.equivalence import greedy_equivalence
from hrtech.causal.discovery.graphs import (
    adjacency,
    class_of,
    extended,
    hamming,
    is_acyclic,
    members,
)
from hrtech.causal.discovery.independence import Independence, peter_clark
from hrtech.causal.discovery.linear import direct_lingam, notears
from hrtech.causal.discovery.methods import find, total_score
from hrtech.causal.discovery.models import Prepared, score_data, splines
from hrtech.causal.discovery.scores import entropy_of, local_score
from hrtech.causal.discovery.search import best_graph

NAMES = ("a", "b", "c", "d")


def linear(seed=0, n=600, noise="normal"):
    """a → c ← b, c → d."""
    rng = np.random.default_rng(seed)
    e = getattr(rng, noise)(size=(n, 4))
    a, b = e[:, 0], e[:, 1]
    c = a - 0.8 * b + e[:, 2]
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": 0.9 * c + e[:, 3]})


def levels(seed=0, n=1500):
    """The same graph, in levels."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, n), rng.integers(0, 3, n)
    c = np.where(rng.random(n) < 0.15, rng.integers(0, 3, n), np.minimum(a + b, 2))
    d = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), c)
    return pd.DataFrame(
        {name: pd.Series(v, dtype="str") for name, v in zip(NAMES, (a, b, c, d), strict=True)}
    )


TRUTH = np.zeros((4, 4), bool)
TRUTH[0, 2] = TRUTH[1, 2] = TRUTH[2, 3] = True


def all_graphs(size):
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    for kinds in product(range(3), repeat=len(pairs)):
        graph = np.zeros((size, size), bool)
        for (i, j), kind in zip(pairs, kinds, strict=True):
            graph[i, j], graph[j, i] = kind == 1, kind == 2
        if is_acyclic(graph):
            yield graph


def random_dag(rng, size, share=0.4):
    order = rng.permutation(size)
    graph = np.zeros((size, size), bool)
    graph[np.ix_(order, order)] = np.triu(rng.random((size, size)) < share, 1)
    return graph


def test_the_gaussian_score_is_the_likelihood_of_least_squares():
    frame = linear()
    data = score_data(make_table(frame), "gaussian")
    z = ((frame - frame.mean()) / frame.std(ddof=0)).to_numpy()
    x = z[:, :2]
    rest = z[:, 2] - x @ np.linalg.lstsq(x, z[:, 2], rcond=None)[0]
    expected = -len(z) / 2 * np.log(rest @ rest / len(z)) - data.penalty / 2 * np.log(len(z)) * 2
    assert local_score(*data.arguments(), 2, 0b0011) == pytest.approx(expected, rel=1e-9)


def test_the_gaussian_score_of_categories_is_the_same_for_every_member_of_a_class():
    frame = levels().assign(x=linear(n=1500)["a"].to_numpy())
    data = score_data(make_table(frame), "mixed")
    forward, backward = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
    forward[0, 1] = forward[1, 4] = True
    backward[1, 0] = backward[4, 1] = True
    assert total_score(data, forward) == pytest.approx(total_score(data, backward), rel=1e-9)


def test_bdeu_is_that_of_causal_learn_but_for_the_prior_on_edges():
    from causallearn.score.LocalScoreFunction import local_score_BDeu

    frame = levels()
    data = score_data(make_table(frame), "discrete")
    codes = frame.astype(int).to_numpy().astype(float)
    settings = {"sample_prior": data.penalty, "structure_prior": 1, "r_i_map": {0: 2, 1: 3, 2: 3, 3: 3}}

    def theirs(child, parents):
        found = float(local_score_BDeu(codes, child, parents, settings))
        k = len(parents)
        return found - k * np.log(1 / 3) - (3 - k) * np.log(2 / 3)

    for child, parents in ((2, []), (2, [0]), (2, [0, 1]), (3, [0, 1, 2])):
        mask = sum(1 << k for k in parents)
        ours = local_score(*data.arguments(), child, mask) - data.edge_prior * len(parents)
        assert ours == pytest.approx(theirs(child, parents), rel=1e-9)


def test_entropy_agrees_with_the_formula_and_knows_a_gaussian():
    rng = np.random.default_rng(0)
    for draw in (rng.normal(size=20_000), rng.laplace(size=20_000)):
        u = (draw - draw.mean()) / draw.std()
        exact = (
            (1 + np.log(2 * np.pi)) / 2
            - 79.047 * (np.log(np.cosh(u)).mean() - 0.37457) ** 2
            - 7.4129 * (u * np.exp(-(u**2) / 2)).mean() ** 2
        )
        assert entropy_of(u) == pytest.approx(exact, abs=1e-5)
    assert entropy_of(rng.normal(size=50_000)) == pytest.approx((1 + np.log(2 * np.pi)) / 2, abs=2e-3)


def test_g_squared_agrees_with_scipy():
    from scipy.stats import chi2, chi2_contingency

    frame = levels()
    test = Independence(make_table(frame), "discrete")
    whole = chi2_contingency(pd.crosstab(frame["b"], frame["c"]), lambda_="log-likelihood", correction=False)
    assert test.p_value(1, 2, ()) == pytest.approx(whole.pvalue, rel=1e-9)
    parts = [
        chi2_contingency(pd.crosstab(part["b"], part["c"]), lambda_="log-likelihood", correction=False)
        for _, part in frame.groupby("a")
    ]
    expected = chi2.sf(sum(p.statistic for p in parts), sum(p.dof for p in parts))
    assert test.p_value(1, 2, (0,)) == pytest.approx(expected, rel=1e-9)


def test_the_ratio_test_of_numbers_is_close_to_fishers_and_keeps_its_level():
    from causallearn.utils.cit import CIT

    frame = linear(n=300)
    ours, theirs = Independence(make_table(frame), "gaussian"), CIT(frame.to_numpy(), "fisherz")
    for given in ((), (2,), (2, 3)):
        assert ours.p_value(0, 1, given) == pytest.approx(theirs(0, 1, list(given)), abs=0.02)
    rng = np.random.default_rng(1)
    low = [
        Independence(
            make_table(pd.DataFrame(rng.normal(size=(100, 3)), columns=list("xyz"))), "gaussian"
        ).p_value(0, 1, (2,))
        < 0.05
        for _ in range(150)
    ]
    assert 1 <= sum(low) <= 17  # 7 or 8 expected; a chance of about 1 in 1,000 outside


def test_classes_are_those_of_causal_learn():
    from causallearn.graph.Dag import Dag
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.utils.DAG2CPDAG import dag2cpdag

    rng = np.random.default_rng(5)
    for _ in range(30):
        graph = random_dag(rng, 6)
        nodes = [GraphNode(str(k)) for k in range(6)]
        theirs = Dag(nodes)
        for i, j in np.argwhere(graph):
            theirs.add_directed_edge(nodes[i], nodes[j])
        marks = dag2cpdag(theirs).graph
        expected = ((marks.T == 1) & (marks == -1)) | ((marks == -1) & (marks.T == -1))
        assert (class_of(graph) == expected).all()


def test_members_of_a_class_are_all_graphs_with_that_class():
    classes = {}
    for graph in all_graphs(4):
        classes.setdefault(class_of(graph).tobytes(), set()).add(graph.tobytes())
    rng = np.random.default_rng(2)
    for _ in range(25):
        whole = class_of(random_dag(rng, 4, 0.6))
        expected = classes[whole.tobytes()]
        assert {g.tobytes() for g in members(whole, 100)} == expected
        assert extended(whole).tobytes() in expected


def test_knowledge_narrows_a_class():
    chain = np.zeros((3, 3), bool)
    chain[0, 1] = chain[1, 2] = True
    assert (class_of(chain) == adjacency(chain)).all()
    known = np.zeros((3, 3), bool)
    known[0, 1] = True
    assert (class_of(chain, known) == chain).all()


@pytest.mark.parametrize(("make", "model"), [(linear, "gaussian"), (levels, "discrete")])
def test_the_search_finds_the_best_of_all_graphs(make, model):
    data = score_data(make_table(make(seed=3)), model)
    _, value = best_graph(data, ~np.eye(4, dtype=bool), np.zeros((4, 4), bool), np.random.default_rng(0))
    assert value == pytest.approx(max(total_score(data, graph) for graph in all_graphs(4)), rel=1e-9)


@pytest.mark.parametrize(
    ("make", "model"),
    [(linear, "gaussian"), (levels, "discrete"), (lambda s: linear(s, noise="laplace"), "non_gaussian")],
)
def test_every_method_finds_a_plain_collider(make, model):
    table = make_table(make(1))
    free = Bounds.none(4)
    found, choice, _ = find_graph(table, free, np.random.default_rng(0))
    assert choice.model == model
    assert hamming(TRUTH, found.graph) == 0
    assert hamming(class_of(TRUTH), greedy_equivalence(score_data(table, model), free)) == 0
    assert hamming(class_of(TRUTH), peter_clark(table, model, free)) == 0
    if model == "non_gaussian":
        assert hamming(TRUTH, direct_lingam(table, free)) == 0


def test_notears_finds_a_chain_of_strong_edges_on_any_scale():
    frame = linear(2)
    table = make_table(frame * [1, 100, 0.01, 5])
    found = notears(table, Bounds.none(4))
    assert (adjacency(found) >= adjacency(TRUTH)).all()
    assert (found == notears(make_table(frame), Bounds.none(4))).all()


def test_lingam_orders_as_causal_learn_does():
    from causallearn.search.FCMBased.lingam import DirectLiNGAM

    rng = np.random.default_rng(4)
    for seed in range(5):
        dag = random_dag(rng, 5, 0.5)
        order = [int(k) for k in np.argsort(dag.sum(axis=0))]
        x = np.random.default_rng(seed).laplace(size=(2000, 5))
        weights = dag * 0.8
        x = x @ np.linalg.inv(np.eye(5) - weights)
        theirs = DirectLiNGAM()
        theirs.fit(x)
        ours = direct_lingam(make_table(pd.DataFrame(x, columns=list("vwxyz"))), Bounds.none(5))
        expected = np.abs(theirs.adjacency_matrix_.T) > 0.15
        assert hamming(expected, ours) <= 1, (seed, order)


def test_curves_show_a_direction_that_lines_cannot():
    rng = np.random.default_rng(0)
    x = rng.normal(size=800)
    y = np.tanh(2 * x) + 0.3 * rng.normal(size=800)
    z = x**2 + 0.5 * rng.normal(size=800)
    table = make_table(pd.DataFrame({"z": z, "y": y, "x": x}))
    found, choice, _ = find_graph(table, Bounds.none(3), np.random.default_rng(0))
    assert choice.model == "nonlinear"
    assert {(int(i), int(j)) for i, j in np.argwhere(found.graph)} == {(2, 0), (2, 1)}


def test_splines_are_orthogonal_and_begin_with_the_line():
    z = np.random.default_rng(0).normal(size=500)
    z = (z - z.mean()) / z.std()
    columns = splines(z)
    assert np.allclose(columns.T @ columns / 500, np.eye(columns.shape[1]), atol=1e-8)
    assert np.allclose(columns[:, 0], z)


def test_rows_drawn_again_give_the_moments_of_those_rows():
    table = make_table(linear())
    rows = np.random.default_rng(9).integers(0, 600, 600)
    drawn = Prepared(table, "gaussian").data(np.random.default_rng(9))
    assert np.allclose(drawn.moments, np.corrcoef(linear().to_numpy()[rows].T))
    counts = Prepared(make_table(levels()), "discrete").data(np.random.default_rng(9)).counts
    assert counts.sum() == 1500


@pytest.mark.parametrize("method", ["best_order", "ges", "pc", "lingam", "notears"])
@pytest.mark.parametrize("seed", range(4))
def test_every_method_obeys_what_is_known(method, seed):
    frame = linear(seed, noise="laplace")
    table = make_table(frame)
    knowledge = (
        Knowledge(required=(("d", "a"),), forbidden=(("a", "b"),)),
        Knowledge(tiers=(("d",), ("c", "b"), ("a",))),
        Knowledge(cause_only=("c",), effect_only=("a",)),
        Knowledge(required=(("a", "b"), ("b", "d")), cause_only=("c",)),
    )[seed]
    bounds = bind(knowledge, NAMES)
    graph = find(method, table, "gaussian", bounds, np.random.default_rng(0)).graph
    directed = graph & ~graph.T
    assert not (directed & ~bounds.allowed).any()
    assert (directed | ~bounds.required).all()
    assert is_acyclic(directed)
    assert not ((graph & graph.T) & (bounds.known | bounds.known.T)).any(), "a known direction is shown"
