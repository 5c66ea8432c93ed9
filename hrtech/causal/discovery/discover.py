"""A table and what is known in; a graph with confidence, its alternatives and what it lets one ask out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from hrtech.causal.discovery.confidence import (
    calibrate,
    confidence,
    frequencies,
)
from hrtech.causal.discovery.effects import WhatIf
from hrtech.causal.discovery.graphs import Graph
from hrtech.causal.discovery.knowledge import Bounds, DiscoveryError, Knowledge, bind
from hrtech.causal.discovery.methods import Found, Method, find
from hrtech.causal.discovery.models import (
    Choice,
    Model,
    ModelChoice,
    Prepared,
    choose_model,
    comparable,
)
from hrtech.causal.discovery.proposals import proposals
from hrtech.causal.discovery.search import best_graph
from hrtech.causal.discovery.table import LEAST_VARIABLES, MissingRule, Table, make_table
from hrtech.causal.discovery.tables import (
    answers_table,
    checks_table,
    consensus_table,
    edges_table,
    pairs_table,
    variables_table,
)

#: Methods that are compared, for numbers and for tables with categories.
METHODS: Final[tuple[Method, ...]] = ("best_order", "ges", "pc", "lingam", "notears")
_FOR_NUMBERS: Final = frozenset({"lingam", "notears"})


@dataclass(frozen=True)
class DiscoveryQuestion:
    """What is asked.

    Attributes:
        variables: Columns to use; all without names.
        knowledge: What is known beforehand.
        model: Assumptions about the data; `auto` chooses them from the data.
        missing: What becomes of rows with a blank.
        methods: Methods to compare with; those that do not fit the data are left out and said so.
        what_if: Questions to answer from the graph.
        resamples: Tables drawn again for the confidence in edges.
        calibration_worlds: Simulated tables on which the confidence is calibrated; 0 leaves frequencies.
        seed: Seed of everything random.
    """

    variables: tuple[str, ...] = ()
    knowledge: Knowledge = field(default_factory=Knowledge)
    model: ModelChoice = "auto"
    missing: MissingRule = "complete_cases"
    methods: tuple[Method, ...] = METHODS
    what_if: tuple[WhatIf, ...] = ()
    resamples: int = 40
    calibration_worlds: int = 15
    seed: int = 1


@dataclass(frozen=True)
class Discovery:
    """What was found.

    Attributes:
        names: Variables in order.
        graph: The class: `graph[i, j]` and `graph[j, i]` both true where the edge may point either way.
        member: The best single graph of it.
        model: The assumptions.
        edges: `cause, effect, kind, known, joined, direction, frequency, methods_agreeing, effect_low, effect_high`.
        pairs: Every pair of variables: `one, other, joined, forward, backward, frequency`.
        checks: What spoke for the model, and warnings: `check, value, meaning`.
        consensus: `one, other`, one column a method, and how many of them join the two.
        answers: Answers to the questions: `variable, low_value, high_value, outcome, identified, low, high, ...`.
        proposals: Graphs for effect studies: `treatment, outcome, settings`.
        variables: `variable, kind, levels`.
        rows: `step, rows`.
    """

    names: tuple[str, ...]
    graph: Graph
    member: Graph
    model: Model
    edges: pd.DataFrame
    pairs: pd.DataFrame
    checks: pd.DataFrame
    consensus: pd.DataFrame
    answers: pd.DataFrame
    proposals: pd.DataFrame
    variables: pd.DataFrame
    rows: pd.DataFrame


def find_graph(
    table: Table, bounds: Bounds, rng: np.random.Generator, model: ModelChoice = "auto"
) -> tuple[Found, Choice, Prepared]:
    """Choose a model and find the best graph under it.

    Args:
        table: The variables.
        bounds: What is known.
        rng: Random numbers.
        model: A model, or `auto`.

    Raises:
        DiscoveryError: The model does not fit the kinds of the variables.
    """

    def scored(one: Model) -> float:
        data = Prepared(table, one).data()
        return comparable(one, best_graph(data, bounds.allowed, bounds.required, rng)[1], table)

    choice = choose_model(table, scored)
    if model != "auto":
        _check_fits(table, model)
        choice = Choice(model, choice.reasons)
    prepared = Prepared(table, choice.model)
    return find("best_order", table, choice.model, bounds, rng, data=prepared.data()), choice, prepared


def check_columns(question: DiscoveryQuestion, columns: Sequence[str]) -> None:
    """Refuse a question that names what the declared columns do not hold, before anything is read.

    Raises:
        DiscoveryError: A variable, or one that is asked about, is no column that can be used.
    """
    for name in question.variables:
        if name not in columns:
            raise DiscoveryError(
                f"'{name}' is no category, number or date that is read. Name a column of the source, or give it one of "
                "these roles [setting: variables]"
            )
    if len(question.variables) < LEAST_VARIABLES:
        raise DiscoveryError(
            f"{len(question.variables)} variables ({', '.join(question.variables)}) are too few: read three or more "
            "[setting: variables]"
        )
    for one in question.what_if:
        for name in (one.variable, one.outcome):
            if name not in question.variables:
                raise DiscoveryError(f"'{name}' is asked about and is no variable. Add it [setting: what_if]")


def discover(frame: pd.DataFrame, question: DiscoveryQuestion) -> Discovery:
    """Find a causal graph that a table supports, with what speaks for each edge.

    Args:
        frame: One row per unit.
        question: What is asked.

    Raises:
        DiscoveryError: No graph can be found from the table, or the constraints contradict each other.
    """
    from threadpoolctl import threadpool_limits

    table = make_table(frame, question.variables, missing=question.missing)
    bounds = bind(question.knowledge, table.names)
    # thousands of small systems: threads of the linear algebra library cost more than they bring
    with threadpool_limits(limits=1):
        return _discover(table, bounds, question)


def _discover(table: Table, bounds: Bounds, question: DiscoveryQuestion) -> Discovery:
    searching, drawing, simulating = np.random.default_rng(question.seed).spawn(3)
    found, choice, prepared = find_graph(table, bounds, searching, question.model)
    times = question.resamples
    calibration = calibrate(
        table, choice.model, found, bounds, simulating, worlds=question.calibration_worlds, resamples=times
    )
    share = frequencies(prepared, bounds, drawing, resamples=times)
    sure = confidence(share, found.graph, bounds, calibration, resamples=times)
    others = _others(table, choice.model, bounds, question.methods, found, searching)
    answers = answers_table(table, found.graph, choice.model, question.what_if)
    return Discovery(
        names=table.names,
        graph=found.graph,
        member=found.member,
        model=choice.model,
        edges=edges_table(table, found, bounds, sure, others, choice.model),
        pairs=pairs_table(table, sure),
        checks=checks_table(table, found, choice, calibration, times),
        consensus=consensus_table(table, others),
        answers=answers,
        proposals=proposals(table, found, sure, question.what_if),
        variables=variables_table(table),
        rows=table.rows,
    )


def _check_fits(table: Table, model: Model) -> None:
    for variable in table.variables:
        if model == "discrete" and variable.kind == "number":
            raise DiscoveryError(
                f"'{variable.name}' is a number, and the model discrete takes categories alone. Band it first, or use "
                "mixed [setting: data_model]"
            )
        if model in ("gaussian", "non_gaussian", "nonlinear") and variable.kind == "category":
            raise DiscoveryError(
                f"'{variable.name}' is a category, and the model {model} takes numbers alone. Leave it out, or use "
                "mixed [setting: data_model]"
            )


def _others(
    table: Table,
    model: Model,
    bounds: Bounds,
    methods: Sequence[Method],
    found: Found,
    rng: np.random.Generator,
) -> dict[str, Graph]:
    """Graph of each method that fits the data."""
    numbers = all(variable.kind == "number" for variable in table.variables)
    fitting = [name for name in dict.fromkeys(methods) if numbers or name not in _FOR_NUMBERS]
    return {
        name: found.graph if name == "best_order" else find(name, table, model, bounds, rng).graph
        for name in fitting
    }
