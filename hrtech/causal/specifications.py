"""All the analyses that would have been reasonable: definitions × adjustment sets × estimators, each checked first.

A specification has an id made of what it does (expressions, adjusters, estimator), so that it keeps its id in later
runs, and what people decided about it, for as long as it does the same. One that does not identify the effect is kept
with the reason why it is refused; it gets no estimate.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import networkx as nx
import pandas as pd

from hrtech.causal.expression import columns_named
from hrtech.causal.identify import identify
from hrtech.causal.question import FOR_AMOUNTS, ROLES, EffectError, EffectQuestion

#: Adjustment sets that follow from the question, and what they take to be known.
SETS: Final = ("maximum", "intermediate", "minimum", "unadjusted")
_DEGREES: Final = {"maximum": (), "intermediate": ("possible",), "minimum": ("possible", "likely")}
#: The decisions that make a specification.
DECISIONS: Final = ("population", "exposure", "outcome", "adjustment", "estimator")


@dataclass(frozen=True)
class Specification:
    """One way to answer the question.

    Attributes:
        id: Eight hexadecimal digits that follow from what it does.
        population: Name of the definition.
        exposure: Name of the definition.
        outcome: Name of the definition.
        adjustment: Name of the adjustment set.
        estimator: Name of the estimator.
        question: The question under these definitions.
        adjusted: Variables adjusted for.
        assumes: What must hold besides, in words.
        refused: Why it cannot be estimated; empty where it can.
    """

    id: str
    population: str
    exposure: str
    outcome: str
    adjustment: str
    estimator: str
    question: EffectQuestion
    adjusted: tuple[str, ...]
    assumes: str = ""
    refused: str = ""


@dataclass(frozen=True)
class _Set:
    adjusted: tuple[str, ...]
    assumes: str = ""
    refused: str = ""


def specify(
    question: EffectQuestion,
    observed: set[str],
    estimators: Sequence[str],
    named: Mapping[str, Sequence[str]] | None = None,
) -> list[Specification]:
    """List all specifications; those that do the same are listed once.

    Args:
        question: The question with its alternatives and beliefs.
        observed: Columns of the table.
        estimators: Names of estimators.
        named: Adjustment sets that somebody asks for besides, by name.
    """
    if question.treatment_kind == "amount":
        estimators = [name for name in estimators if name in FOR_AMOUNTS] or ["linear_regression"]
    names = {
        element: ["primary", *(one.name for one in question.alternatives if one.element == element)]
        for element in ("population", "treatment", "outcome")
    }
    found: dict[str, Specification] = {}
    sets = _sets(
        question, observed, named or {}
    )  # alternative definitions stand at the same place of the graph
    for exposure, outcome in product(names["treatment"], names["outcome"]):
        asked = question.defined(treatment=exposure, outcome=outcome)
        for adjustment, one_set in sets.items():
            chosen = _no_circle(asked, one_set)
            for population, estimator in product(names["population"], estimators):
                defined = asked.defined(population=population)
                one = Specification(
                    _id(defined, chosen.adjusted, estimator),
                    population,
                    exposure,
                    outcome,
                    adjustment,
                    estimator,
                    replace(defined, adjust_for=chosen.adjusted, alternatives=()),
                    chosen.adjusted,
                    chosen.assumes,
                    chosen.refused,
                )
                found.setdefault(one.id, one)
    return list(found.values())


def specification_table(specifications: Sequence[Specification]) -> pd.DataFrame:
    """Return `specification`, the decisions, `adjusted`, `assumes` and `refused` of every specification."""
    columns = ["specification", *DECISIONS, "adjusted", "assumes", "refused"]
    rows = [
        (
            one.id,
            *(getattr(one, name) for name in DECISIONS),
            ", ".join(one.adjusted),
            one.assumes,
            one.refused,
        )
        for one in specifications
    ]
    return pd.DataFrame(rows, columns=columns).astype("str")


def _id(question: EffectQuestion, adjusted: tuple[str, ...], estimator: str) -> str:
    what = [
        question.population,
        question.treatment,
        question.outcome,
        sorted(adjusted),
        estimator,
        question.missing,
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]


def _sets(
    question: EffectQuestion, observed: set[str], named: Mapping[str, Sequence[str]]
) -> dict[str, _Set]:
    found: dict[str, _Set] = {}
    for name, dropped in _DEGREES.items():
        believed, doubted = _believed(question, dropped)
        found[name] = _from_graph(believed, observed, doubted, sharpened=name != "minimum")
    # whether nothing need be adjusted for is asked of the graph of what is certain
    certain, doubted = _believed(question, _DEGREES["minimum"])
    found["unadjusted"] = _asked(certain, (), observed, doubted)
    if question.adjust_for is not None:
        named = {"asked for": question.adjust_for, **named}
    for name, wanted in named.items():
        found[name] = _asked(question, tuple(wanted), observed, ())
    return found


def _from_graph(
    question: EffectQuestion, observed: set[str], doubted: tuple[str, ...], *, sharpened: bool
) -> _Set:
    if not sharpened:
        question = replace(question, outcome_determinants=())
    try:
        adjusted = identify(replace(question, adjust_for=None), observed).adjusted
    except EffectError as error:
        return _Set((), refused=str(error))
    return _Set(adjusted, _assumption(doubted, adjusted))


def _asked(
    question: EffectQuestion, wanted: tuple[str, ...], observed: set[str], doubted: tuple[str, ...]
) -> _Set:
    try:
        identify(replace(question, adjust_for=wanted), observed)
    except EffectError as error:
        return _Set(wanted, refused=str(error))
    return _Set(wanted, _assumption(doubted, wanted))


def _assumption(doubted: tuple[str, ...], adjusted: tuple[str, ...]) -> str:
    left = [name for name in doubted if name not in adjusted]
    return f"{', '.join(left)} would have to be no common cause" if left else ""


def _no_circle(question: EffectQuestion, one: _Set) -> _Set:
    """Refuse to adjust for a column that defines the exposure or the outcome."""
    for setting in ("treatment", "outcome"):
        text = getattr(question, setting)
        try:
            named = {text} | columns_named(text, setting=setting)
        except EffectError:
            named = {text}
        if both := sorted(named & set(one.adjusted)):
            return replace(
                one,
                refused=f"'{both[0]}' defines the {'exposure' if setting == 'treatment' else 'outcome'} and cannot be "
                f"adjusted for as well [setting: alternatives, {setting}]",
            )
    return one


def _believed(question: EffectQuestion, dropped: tuple[str, ...]) -> tuple[EffectQuestion, tuple[str, ...]]:
    """Return the question without variables of which nobody is surer than the degrees dropped, and those variables."""
    degrees: dict[str, list[str]] = {}
    for belief in question.beliefs:
        degrees.setdefault(belief.variable, []).append(belief.degree)
    weak = {name for name, said in degrees.items() if set(said) <= set(dropped)}
    if question.graph:
        downstream = nx.descendants(nx.DiGraph(question.graph), question.treatment)
        weak -= {question.treatment, question.outcome, *downstream}
        kept = tuple(edge for edge in question.graph if not weak & set(edge))
        fewer = replace(question, graph=kept, beliefs=())
    else:
        # a mediator or collider stays one: doubt about it is no reason to adjust for it
        weak -= {*question.mediators, *question.colliders}
        roles = {role: tuple(n for n in getattr(question, role) if n not in weak) for role in ROLES}
        fewer = replace(question, beliefs=(), **roles)  # type: ignore[arg-type]
    return fewer, tuple(sorted(weak))
