"""From a causal graph to what must, may and must not be adjusted for.

DoWhy finds the back-door set; a set that someone asks for instead is judged by the back-door criterion (Pearl 1993):
nothing downstream of the exposure, and no back-door path left open.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.causal.question import EffectError, EffectQuestion


@dataclass(frozen=True)
class Identified:
    """What identifies the effect.

    Attributes:
        adjusted: Variables to adjust for, in order.
        variables: `variable, adjusted, reason` for every variable of the graph but exposure and outcome.
        text: The estimand in words.
    """

    adjusted: tuple[str, ...]
    variables: pd.DataFrame
    text: str


def identify(question: EffectQuestion, observed: set[str]) -> Identified:
    """Decide what to adjust for.

    Args:
        question: The question.
        observed: Columns that can be adjusted for.

    Raises:
        EffectError: A role names a column that is not there, the effect is not identified by adjustment, or the set
            asked for would mislead.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(question.edges())
    t, y = question.treatment, question.outcome
    others = sorted(set(graph) - {t, y})
    if not question.graph and (absent := [name for name in others if name not in observed]):
        raise EffectError(
            f"The table has no column {', '.join(absent)}. Correct the roles, or draw a graph to hold it"
        )
    downstream = nx.descendants(graph, t)
    if question.adjust_for is None:
        closing = _backdoor_set(graph, t, y, [name for name in others if name in observed])
        precise = set(question.outcome_determinants)
        adjusted = tuple(name for name in others if name in closing or name in precise)
    else:
        adjusted = question.adjust_for
        _check_asked(graph, t, y, adjusted, observed, downstream)
    rows = [(name, name in adjusted, _reason(graph, name, t, y, adjusted, observed)) for name in others]
    variables = pd.DataFrame(rows, columns=["variable", "adjusted", "reason"]).astype(
        {"variable": "str", "adjusted": "bool", "reason": "str"}
    )
    given = f" among those alike in {', '.join(adjusted)}" if adjusted else ""
    through = " Instruments were declared; this estimate does not use them." if question.instruments else ""
    text = (
        f"The average effect of '{t}' on '{y}': the mean difference in '{y}' between exposed and unexposed{given}, "
        f"averaged over everybody asked about. It is the effect if no unmeasured cause of both is left.{through}"
    )
    return Identified(adjusted, variables, text)


def _backdoor_set(graph: object, t: str, y: str, observed: list[str]) -> set[str]:
    """Ask DoWhy for the back-door set; raise where there is none."""
    import networkx as nx
    from dowhy import CausalModel

    if not isinstance(graph, nx.DiGraph):
        raise TypeError("graph must be a networkx.DiGraph")
    # plain names, because DoWhy parses what it is given; the data only tells it what is observed
    plain = {name: f"v{number}" for number, name in enumerate(sorted(graph))}
    back = {new: name for name, new in plain.items()}
    shown = [plain[name] for name in (t, y, *observed)]
    loggers = [logging.getLogger(name) for name in ("dowhy", "dowhy.causal_model", "dowhy.causal_graph")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        model = CausalModel(
            data=pd.DataFrame(np.zeros((2, len(shown))), columns=shown),
            treatment=plain[t],
            outcome=plain[y],
            graph=nx.relabel_nodes(graph, plain),
        )
        estimand = model.identify_effect(proceed_when_unidentifiable=True, optimize_backdoor=False)
        found = estimand.get_backdoor_variables() if estimand.estimands.get("backdoor") else None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    chosen = None if found is None else {back[name] for name in found}
    if chosen is None or not _blocks(graph, t, y, chosen):
        raise EffectError(
            f"The effect of '{t}' on '{y}' cannot be identified by adjustment: a common cause is unobserved. "
            "Measure it, or ask another question [setting: graph]"
        )
    return chosen


def _blocks(graph: object, t: str, y: str, adjusted: set[str]) -> bool:
    """Whether a set closes every back-door path: exposure and outcome separated once the exposure's arrows are cut."""
    import networkx as nx

    cut: nx.DiGraph[str] = nx.DiGraph(graph)  # type: ignore[arg-type]
    cut.remove_edges_from(list(cut.out_edges(t)))
    return bool(nx.is_d_separator(cut, {t}, {y}, adjusted))


def _check_asked(
    graph: object, t: str, y: str, asked: tuple[str, ...], observed: set[str], downstream: set[str]
) -> None:
    import networkx as nx

    drawn: nx.DiGraph[str] = nx.DiGraph(graph)  # type: ignore[arg-type]
    for name in asked:
        if name in (t, y) or name not in observed or name not in drawn:
            raise EffectError(
                f"'{name}' cannot be adjusted for: it must be a column that the roles or the graph name "
                "[setting: adjust_for]"
            )
        if name in downstream:
            is_mediator = y in nx.descendants(drawn, name)
            why = (
                "the exposure works through it (a mediator), so that part of the effect would be taken away"
                if is_mediator
                else "it is an effect of the exposure, and of the outcome or its causes (a collider), so that a false "
                "association would be made"
            )
            raise EffectError(f"'{name}' must not be adjusted for: {why}. Leave it out [setting: adjust_for]")
    if not _blocks(drawn, t, y, set(asked)):
        needed = sorted(
            _backdoor_set(drawn, t, y, [n for n in drawn if n in observed and n not in (t, y)]) - set(asked)
        )
        mend = (
            f"Add {', '.join(needed)}" if needed else "Leave out what opens a path between two of its causes"
        )
        raise EffectError(
            f"Adjusting for {', '.join(asked) or 'nothing'} leaves a path open by which '{t}' and '{y}' go together "
            f"without effect. {mend} [setting: adjust_for]"
        )


def _reason(graph: object, name: str, t: str, y: str, adjusted: tuple[str, ...], observed: set[str]) -> str:
    import networkx as nx

    drawn: nx.DiGraph[str] = nx.DiGraph(graph)  # type: ignore[arg-type]
    causes_t = t in nx.descendants(drawn, name)
    without = drawn.subgraph([node for node in drawn if node != t])
    causes_y = y in nx.descendants(without, name)
    if name not in observed:
        return "not measured"
    if name in nx.descendants(drawn, t):
        if y in nx.descendants(drawn, name):
            return "mediator: the exposure works through it; adjusting would take part of the effect away"
        return "effect of the exposure: adjusting could make a false association"
    if causes_t and causes_y:
        return (
            "common cause of exposure and outcome"
            if name in adjusted
            else "common cause, closed by the others"
        )
    if causes_t:
        return "cause of the exposure alone: adjusting would only lose precision"
    if causes_y:
        return (
            "cause of the outcome: adjusting sharpens the estimate"
            if name in adjusted
            else "cause of the outcome alone"
        )
    return "on a path that the others close" if name not in adjusted else "closes a path"
