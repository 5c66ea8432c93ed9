"""What was found as tables, one a kind of answer; nothing is computed here but what stands in them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.causal.discovery.confidence import Calibration, Confidence
from hrtech.causal.discovery.effects import WhatIf, edge_effects, what_if
from hrtech.causal.discovery.graphs import Graph
from hrtech.causal.discovery.knowledge import Bounds
from hrtech.causal.discovery.methods import Found
from hrtech.causal.discovery.models import MODELS, Choice, Model
from hrtech.causal.discovery.sortability import varsortability
from hrtech.causal.discovery.table import Table


def arrow(graph: Graph, i: int, j: int) -> str:
    """The edge between two variables as a sign: →, ←, — where it may point either way, nothing where there is none."""
    return {(True, True): "—", (True, False): "→", (False, True): "←", (False, False): ""}[
        bool(graph[i, j]), bool(graph[j, i])
    ]


def edges_table(
    table: Table, found: Found, bounds: Bounds, sure: Confidence, others: dict[str, Graph], model: Model
) -> pd.DataFrame:
    """Edges of the graph, the surest first; columns as in `Discovery.edges`."""
    effects = {
        (row["cause"], row["effect"]): (float(row["low"]), float(row["high"]))
        for row in edge_effects(table, found.graph, model).to_dict(orient="records")
    }
    rows = []
    for i, j in np.argwhere(np.triu(found.graph | found.graph.T)):
        both = bool(found.graph[i, j] and found.graph[j, i])
        # an undirected edge is told once, its likelier direction first
        forward = sure.directed[i, j] >= sure.directed[j, i] if both else bool(found.graph[i, j])
        a, b = (int(i), int(j)) if forward else (int(j), int(i))
        cause, effect = table.names[a], table.names[b]
        known = "required" if bounds.required[a, b] else "direction" if bounds.known[a, b] else ""
        low, high = effects.get((cause, effect), (float("nan"), float("nan")))
        agreeing = sum(bool((graph | graph.T)[a, b]) for graph in others.values())
        rows.append(
            (cause, effect, "undirected" if both else "directed", known, sure.joined[a, b], sure.directed[a, b],
             sure.frequency[a, b] + sure.frequency[b, a], agreeing, low, high)
        )  # fmt: skip
    columns = ["cause", "effect", "kind", "known", "joined", "direction", "frequency", "methods_agreeing",
               "effect_low", "effect_high"]  # fmt: skip
    texts = dict.fromkeys(columns[:4], "str")
    table_ = pd.DataFrame(rows, columns=columns).astype(
        texts | dict.fromkeys(columns[4:7] + columns[8:], float)
    )
    return table_.sort_values(["joined", "cause", "effect"], ascending=[False, True, True], ignore_index=True)


def pairs_table(table: Table, sure: Confidence) -> pd.DataFrame:
    """Chances of every pair of variables."""
    size = len(table.names)
    rows = [
        (table.names[i], table.names[j], sure.joined[i, j], sure.directed[i, j], sure.directed[j, i],
         sure.frequency[i, j] + sure.frequency[j, i])
        for i in range(size) for j in range(i + 1, size)
    ]  # fmt: skip
    columns = ["one", "other", "joined", "forward", "backward", "frequency"]
    return pd.DataFrame(rows, columns=columns).astype({"one": "str", "other": "str"})


def checks_table(
    table: Table, found: Found, choice: Choice, calibration: Calibration, resamples: int
) -> pd.DataFrame:
    """What spoke for the model, how confidence was calibrated, and how far scale tells the order."""
    more = [
        ("resamples", float(resamples), "tables drawn again for the frequencies"),
        (
            "calibration_worlds",
            float(calibration.worlds),
            "simulated tables that confidence was calibrated on",
        ),
        ("calibration_pairs", float(calibration.pairs), "pairs of variables in them"),
    ]
    if all(variable.kind == "number" for variable in table.variables):
        share = varsortability(table, found.member)
        if share is not None:
            more.append(
                ("varsortability", share, "share of cause and effect pairs of the graph whose effect varies more; near "
                 "1 methods that look at the scale seem to succeed, so data are standardised here")
            )  # fmt: skip
    added = pd.DataFrame(more, columns=["check", "value", "meaning"]).astype(
        {"check": "str", "meaning": "str"}
    )
    model = pd.DataFrame([("model", np.nan, f"{choice.model}: {MODELS[choice.model]}")], columns=list(added))
    return pd.concat([model, choice.reasons, added], ignore_index=True)


def consensus_table(table: Table, others: dict[str, Graph]) -> pd.DataFrame:
    """The edge that each method found, for every pair that any of them joins."""
    size = len(table.names)
    rows = []
    for i in range(size):
        for j in range(i + 1, size):
            signs = [arrow(graph, i, j) for graph in others.values()]
            if any(signs):
                rows.append((table.names[i], table.names[j], *signs, sum(map(bool, signs)), len(signs)))
    columns = ["one", "other", *others, "joined_by", "of"]
    return pd.DataFrame(rows, columns=columns).astype(
        dict.fromkeys(columns[:-2], "str") | {"joined_by": int, "of": int}
    )


def answers_table(table: Table, graph: Graph, model: Model, questions: Sequence[WhatIf]) -> pd.DataFrame:
    """Answers to questions."""
    rows = []
    for one in questions:
        answer = what_if(table, graph, model, one)
        adjusted = "; ".join(", ".join(names) or "nothing" for names in answer.adjusted)
        rows.append(
            (one.variable, str(one.low), str(one.high), one.outcome, one.level or "", answer.identified, answer.low,
             answer.high, answer.error_low, answer.error_high, adjusted, answer.reason)
        )  # fmt: skip
    columns = ["variable", "from_value", "to_value", "outcome", "level", "identified", "low", "high", "error_low",
               "error_high", "adjusted_for", "reason"]  # fmt: skip
    kinds: dict[str, type | str] = dict.fromkeys([*columns[:5], *columns[10:]], "str")
    return pd.DataFrame(rows, columns=columns).astype(
        kinds | {"identified": bool} | dict.fromkeys(columns[6:10], float)
    )


def variables_table(table: Table) -> pd.DataFrame:
    """Variables with kind and levels."""
    rows = [(v.name, v.kind, len(v.levels) or None) for v in table.variables]
    return pd.DataFrame(rows, columns=["variable", "kind", "levels"]).astype(
        {"variable": "str", "kind": "str", "levels": "Int64"}
    )
