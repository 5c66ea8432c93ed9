"""What a discovery tells: edges with their chances, what was assumed, and answers, as facts and as a report."""

import re
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from hrtech.causal.discovery.drawing import DrawnEdge, draw_graph
from hrtech.facts import Chart, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table
from hrtech.facts.frames import rows as rows_of
from hrtech.pages import charts

ASSUMED: Final = (
    "**What is assumed:** no hidden common cause, no circles, rows independent of each other and no "
    "selection on a common effect. Where one of these fails, an arrow may be wrong though its chance is high. The "
    "chances are calibrated on simulated tables of the same size and type in which all of them hold. This graph is a "
    "hypothesis for an effect study, not knowledge."
)
_ARROW, _LINE = " → ", " — "


def discovery_facts(
    study: str,
    edges: pd.DataFrame,
    answers: pd.DataFrame,
    table_rows: pd.DataFrame,
    variables: pd.DataFrame,
    truth: dict[tuple[str, str], float] | None = None,
) -> list[Fact]:
    """State the edges with their chances, and the answers.

    Args:
        study: Name of the study; first part of each fact id.
        edges: As `Discovery.edges`.
        answers: As `Discovery.answers`.
        table_rows: As `Discovery.rows`.
        variables: As `Discovery.variables`.
        truth: Planted effects by variable and outcome, where the world is simulated.
    """
    used = next(row["rows"] for row in rows_of(table_rows) if row["step"] == "rows used")
    directed = int((edges["kind"] == "directed").sum())
    facts = [
        Fact(f"{study}/rows", "The graph rests on {value} rows.", used, "records", source_asset=f"{study}/rows"),
        Fact(
            f"{study}/variables", "It joins {value} variables.", len(variables), "variables",
            source_asset=f"{study}/variables",
        ),
        Fact(
            f"{study}/edges_found", "{value} edges were found.", len(edges), "edges", source_asset=f"{study}/edges"
        ),
        Fact(
            f"{study}/edges_directed", "{value} of them have a direction.", directed, "edges",
            source_asset=f"{study}/edges",
        ),
    ]  # fmt: skip
    facts += [_edge_fact(study, row) for row in rows_of(edges)]
    for place, row in enumerate(rows_of(answers), start=1):
        facts += _answer_facts(study, place, row)
        planted = (truth or {}).get((row["variable"], row["outcome"]))
        if planted is not None:
            facts.append(
                Fact(
                    f"{study}/what_if_{place}.true_effect",
                    f"In the simulated world, {_plain(row['variable'])} changes {_plain(row['outcome'])} by {{value}}.",
                    planted,
                    "difference",
                    source_asset=f"{study}/answers",
                    row_key=f"truth {place}",
                )
            )
    return facts


def _edge_fact(study: str, row: dict[str, Any]) -> Fact:
    cause, effect = _plain(row["cause"]), _plain(row["effect"])
    directed = row["kind"] == "directed"
    if directed:
        words = f"{_capital(cause)} causes {effect}: a chance of {{value}} on what is assumed."
    else:
        words = f"{_capital(cause)} and {effect} are joined, in either direction: a chance of {{value}}."
    return Fact(
        f"{study}/edge.{_slug(row['cause'])}.{_slug(row['effect'])}",
        words,
        row["direction"] if directed else row["joined"],
        "proportion",
        source_asset=f"{study}/edges",
        row_key=f"{row['cause']}{_ARROW if directed else _LINE}{row['effect']}",
    )


def _answer_facts(study: str, place: int, row: dict[str, Any]) -> list[Fact]:
    asked = (
        f"setting {_plain(row['variable'])} to {row['to_value']} instead of {row['from_value']} changes "
        f"{_plain(row['outcome'])}{' = ' + _plain(row['level']) if row['level'] else ''}"
    )
    low, high = row["low"] - 1.96 * row["error_low"], row["high"] + 1.96 * row["error_high"]
    source, key = f"{study}/answers", f"question {place}"
    if row["identified"]:
        return [
            Fact(
                f"{study}/what_if_{place}", f"If the graph is right, {asked} by {{value}} on average.", row["low"],
                "difference", low=low, high=high, uncertainty="95 % interval, the graph taken as right",
                source_asset=source, row_key=key,
            )
        ]  # fmt: skip
    return [
        Fact(
            f"{study}/what_if_{place}.{end}", f"The graph does not identify it: {asked} by at {end} {{value}}, over "
            "all graphs that fit.", row[name], "difference", source_asset=source, row_key=f"{key}, at {end}",
        )
        for end, name in (("least", "low"), ("most", "high"))
    ]  # fmt: skip


def discovery_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    edges: pd.DataFrame | None = None,
    pairs: pd.DataFrame | None = None,
    consensus: pd.DataFrame | None = None,
    checks: pd.DataFrame | None = None,
    answers: pd.DataFrame | None = None,
    proposals: pd.DataFrame | None = None,
    variables: pd.DataFrame | None = None,
    rows: pd.DataFrame | None = None,
) -> Report:
    """Tell a discovery; with its tables it is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        edges: As in `Discovery`, for casework; so are the others.
        pairs: Chances of every pair.
        consensus: What each method found.
        checks: What spoke for the model, and warnings.
        answers: Answers to questions.
        proposals: Graphs for effect studies.
        variables: Variables with kind and levels.
        rows: What was left out at each step.
    """
    told = {fact.fact_id: fact for fact in facts}
    headline = [f"{study}/{name}" for name in ("edges_found", "edges_directed", "variables", "rows")]
    parts: list[Any] = []
    if shown := tuple(name for name in headline if name in told):
        parts.append(FactList(shown))
    parts.append(Text(ASSUMED))
    if checks is not None:
        chosen = next((row["meaning"] for row in rows_of(checks) if row["check"] == "model"), "")
        if chosen:
            parts.append(Text(f"**How it was searched:** {chosen}"))
        if warning := _warning(checks):
            parts.append(Text(warning))
    found = [fact for fact in facts if fact.fact_id.startswith(f"{study}/edge.")]
    if found:
        parts += [Heading("The graph"), _network(found), Heading("How sure each edge is"), _bars(found)]
    asked = [fact for fact in facts if fact.fact_id.startswith(f"{study}/what_if_")]
    if asked:
        parts += [
            Heading("What if"),
            Text(
                "An effect is given where every graph of the class gives the same; otherwise the least and the most "
                "over the class. It is no more certain than the arrows that it rests on."
            ),
            FactList(tuple(fact.fact_id for fact in asked)),
        ]
    if proposals is not None and len(proposals):
        parts += [
            Heading("Proposed to effect studies, as a hypothesis"),
            *map(Text, map(_pasted, rows_of(proposals))),
        ]
    if consensus is not None:
        parts.append(_agreement(study, consensus))
    for name, heading, table in (
        ("edges", "Edges", edges),
        ("answers", "Questions and answers", answers),
        ("consensus", "What each method found", consensus),
        ("pairs", "Every pair of variables", pairs),
        ("checks", "What spoke for the model", checks),
        ("variables", "Variables", variables),
        ("rows", "Rows", rows),
    ):
        if table is not None:
            parts.append(frame_table(heading, table, source_assets=(f"{study}/{name}",)))
    summary = (
        f"{{{{fact:{study}/edges_found}}}} edges between {{{{fact:{study}/variables}}}} variables were found, "
        f"{{{{fact:{study}/edges_directed}}}} of them with a direction. They are hypotheses, each with its chance."
        if set(headline[:3]) <= set(told)
        else "A causal graph was searched for; it may not be told."
    )
    promise = "restricted" if edges is not None else "disclosure-control"
    return Report(study, title, summary, promise, tuple(parts))


def _warning(checks: pd.DataFrame) -> str:
    """Say what in the checks should make a reader careful."""
    values = {row["check"]: row["value"] for row in rows_of(checks)}
    said = []
    if values.get("varsortability", 0.5) > 0.85:
        said.append(
            "the variance of the variables rises along the arrows, so that a method that looks at the scale would "
            "seem to find this graph; data were standardised here, and no such use was made of it"
        )
    if values.get("calibration_worlds", 1) == 0:
        said.append("the chances are plain frequencies of a bootstrap, which nothing calibrates")
    if values.get("rows", 1000) < 10 * values.get("variables", 1):
        said.append("there are fewer than ten rows for each variable, so that weak edges are missed")
    return f"**Take care:** {'; '.join(said)}." if said else ""


def _ends(fact: Fact) -> tuple[str, str, bool]:
    directed = _ARROW in fact.row_key
    cause, _, effect = fact.row_key.partition(_ARROW if directed else _LINE)
    return cause, effect, directed


def _network(found: Sequence[Fact]) -> Any:
    edges = [
        DrawnEdge(*_ends(fact), fact.value, fact.statement.replace("{value}", _percent(fact.value)))
        for fact in found
    ]
    names = list(dict.fromkeys(name for edge in edges for name in (edge.cause, edge.effect)))
    return draw_graph("The graph", names, edges, fact_ids=[fact.fact_id for fact in found])


def _bars(found: Sequence[Fact]) -> Chart:
    data: list[dict[str, Any]] = [
        {"edge": fact.row_key.replace("_", " "), "chance": fact.value}
        for fact in sorted(found, key=lambda fact: -fact.value)
    ]
    return Chart(
        "Chance of each edge",
        charts.bars(
            data,
            category="edge",
            value="chance",
            category_title="edge",
            value_title="chance of being right as drawn",
            number_format=".0%",
        ),
        f"{len(data)} edges, from {data[0]['edge']} ({_percent(data[0]['chance'])}) to {data[-1]['edge']} "
        f"({_percent(data[-1]['chance'])}). The table lists all.",
        fact_ids=tuple(fact.fact_id for fact in found),
    )


def _agreement(study: str, consensus: pd.DataFrame) -> Chart:
    sizes: dict[str, int] = {}
    for row in sorted(rows_of(consensus), key=lambda row: -row["joined_by"]):
        words = f"{row['joined_by']} of {row['of']}"
        sizes[words] = sizes.get(words, 0) + 1
    counts = [{"edges joined by": words, "pairs": size} for words, size in sizes.items()]
    return Chart(
        "How many methods join the same pairs",
        charts.bars(
            counts,
            category="edges joined by",
            value="pairs",
            category_title="methods that join the pair",
            value_title="pairs of variables",
        ),
        "; ".join(f"{row['edges joined by']} methods: {row['pairs']} pairs" for row in counts) + ".",
        source_assets=(f"{study}/consensus",),
    )


def _pasted(row: dict[str, Any]) -> str:
    """One proposal as a line to paste; the whole, with chances, is in the asset."""
    pairs = re.findall(r'^  - (\["(?:[^"\\]|\\.)*", "(?:[^"\\]|\\.)*"\])', row["settings"], re.MULTILINE)
    graph = f"graph: [{', '.join(pairs)}]".replace("`", "'")
    return (
        f"To ask what {_plain(row['treatment'])} does to {_plain(row['outcome'])}, paste this setting into an "
        f"EffectStudy once you have checked every arrow: `{graph}`"
    )


def _percent(chance: float) -> str:
    """A chance in whole percent; never certain unless it is."""
    if chance > 0.99:
        return "100 %" if chance == 1 else "over 99 %"
    return f"{100 * chance:.0f} %"


def _plain(name: object) -> str:
    return str(name).replace("_", " ").replace("{", "(").replace("}", ")")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _slug(name: str) -> str:
    """A name as part of a fact id; a short digest where letters are lost, so that ids stay apart."""
    slug = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if slug == name:
        return slug
    from hashlib import sha256

    return f"{slug or 'v'}-{sha256(name.encode()).hexdigest()[:6]}"
