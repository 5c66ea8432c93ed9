"""A found graph as settings of an effect study: a hypothesis to be judged, never knowledge."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.causal.discovery.confidence import Confidence
from hrtech.causal.discovery.effects import WhatIf
from hrtech.causal.discovery.methods import Found
from hrtech.causal.discovery.table import Table

_HEAD = """\
# A hypothesis from causal discovery, not knowledge: check every arrow before you use it. Hidden common causes were
# assumed away. The number is the chance of the arrow, on the assumptions that are stated with the graph.
treatment: {treatment}
outcome: {outcome}
graph:
"""


def proposals(table: Table, found: Found, sure: Confidence, questions: Sequence[WhatIf]) -> pd.DataFrame:
    """Propose a graph for each exposure and outcome that is asked about.

    Args:
        table: The variables.
        found: The graph.
        sure: Confidence in its edges.
        questions: What is asked about.

    Returns:
        `treatment, outcome, settings`: the settings as YAML, to paste below `attributes:` of an EffectStudy.
    """
    pairs = dict.fromkeys((question.variable, question.outcome) for question in questions)
    rows = [(cause, effect, _settings(table, found, sure, cause, effect)) for cause, effect in pairs]
    return pd.DataFrame(rows, columns=["treatment", "outcome", "settings"]).astype("str")


def _settings(table: Table, found: Found, sure: Confidence, treatment: str, outcome: str) -> str:
    lines = [_HEAD.format(treatment=_quoted(treatment), outcome=_quoted(outcome))]
    named = set()
    for i, j in np.argwhere(found.member):
        cause, effect = table.names[i], table.names[j]
        named |= {cause, effect}
        either = " (may point either way)" if found.graph[j, i] else ""
        lines.append(
            f"  - [{_quoted(cause)}, {_quoted(effect)}]  # {100 * sure.directed[i, j]:.0f} %{either}\n"
        )
    if missing := [name for name in (treatment, outcome) if name not in named]:
        lines.append(
            f"# No arrow touches {', '.join(missing)}: on this graph there is nothing to estimate.\n"
        )
    return "".join(lines)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
