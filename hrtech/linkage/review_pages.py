"""The restricted pages of a review: the queue, one page a pair with its form, one page an entity.

They show values of records, and so are for casework only. Addresses: `queue`, `pairs/<pair id>`, `entities/<id>`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hrtech.facts import (
    Chart,
    DataTable,
    Edge,
    FormField,
    Heading,
    JudgementForm,
    Network,
    Node,
    Part,
    Report,
    Text,
)
from hrtech.facts.frames import frame_table, rows
from hrtech.linkage.constraints import DECISIONS, KEYS
from hrtech.linkage.explain import holding_pairs, outcomes_of, shown_records, weight_steps
from hrtech.linkage.judgements import TAKE_BACK, pair_keys
from hrtech.pages.waterfall import waterfall

_HEADINGS: Final = {
    "own_weight": "weight of the pair alone (bits)", "match_probability": "match probability",
    "worth": "worth of a look", "pairs_changed": "pairs changed", "reason": "why", "alone": "alone holds it",
}  # fmt: skip
_LARGEST_DRAWING: Final = 60


def review_pages(
    study: str,
    queue: pd.DataFrame,
    pairs: pd.DataFrame,
    linked: pd.DataFrame,
    log: pd.DataFrame,
    columns: Mapping[str, Mapping[str, str]],
) -> dict[str, Report]:
    """Return the pages of a review by address.

    Args:
        study: Name of the study.
        queue: As `review_queue` gives it.
        pairs: Scored pairs.
        linked: The records of all registers with `register, record_id, entity_id`.
        log: The judgements, as `judgement_log` gives them.
        columns: Field → register → its column; shown first, side by side.
    """
    keys = pair_keys(pairs)
    scored = pairs.assign(key=keys)[keys.isin(set(pair_keys(queue))).to_numpy()].set_index("key")
    records = linked.set_index(["register", "record_id"])
    pages = {"queue": _queue_page(study, queue)}
    sizes = linked["entity_id"].value_counts()
    shown: list[str] = []
    ids = queue["pair_id"].tolist()
    for place, (row, key) in enumerate(zip(rows(queue), pair_keys(queue), strict=True)):
        pair = scored.loc[key] if key in scored.index else None
        sides = [records.loc[(row[f"register_{side}"], row[f"record_{side}"])] for side in "lr"]
        past = log[pair_keys(log) == key] if len(log) else log
        names = list(dict.fromkeys(str(side["entity_id"]) for side in sides))
        following = ids[place + 1] if place + 1 < len(ids) else ""
        parts = [
            _leading(row["reason"], {name: int(sizes[name]) for name in names}),
            _side_by_side(study, row, pair, sides, columns),
            *_evidence(study, pair, past),
            Heading("Your judgement"),
            _form(study, row),
            *([Text(f"[Next pair](../pairs/{following}.html)")] if following else []),
        ]
        pages[f"pairs/{row['pair_id']}"] = Report(
            f"{study}_{row['pair_id']}", "Are these two the same?", _verdict(row), "restricted", tuple(parts)
        )
        shown += names
    several = [name for name in dict.fromkeys(shown) if sizes[name] > 1]
    held = holding_pairs(pairs, linked, several)
    paged = dict(zip(pair_keys(queue), ids, strict=True))
    for name in several:
        members = linked[linked["entity_id"] == name]
        pages[f"entities/{name}"] = _entity_page(study, name, members, held[held["entity_id"] == name], paged)
    return pages


def _queue_page(study: str, queue: pd.DataFrame) -> Report:
    shown = pd.concat(
        [queue[["rank"]], shown_records(queue), queue[["joined", "match_probability", "worth", "reason"]]],
        axis=1,
    )
    parts: list[Part] = [
        Text(
            "What a look is worth is the number of pair decisions that it is expected to mend: the probability that "
            "the present decision is wrong, times the pairs of records that the other answer would join or part. "
            "Contradictions, pairs that alone hold an entity together, and doubtful pairs take turns. Pairs drawn at "
            "random come last: judged in this order and without a gap, they measure precision without bias."
        )
    ]
    if len(queue):
        links = [f"pairs/{name}.html" for name in queue["pair_id"]]
        parts.append(
            frame_table(
                "Pairs most worth a look",
                shown,
                headings=_HEADINGS,
                source_assets=(f"{study}/review",),
                links=links,
            )
        )
    else:
        parts.append(Text("There is nothing to look at."))
    summary = f"{len(queue):,} pairs wait for a person's judgement, the one most worth a look first."
    return Report(f"{study}_queue", "Review queue", summary, "restricted", tuple(parts))


def _leading(reason: object, sizes: Mapping[str, int]) -> Text:
    """Lead in: why this pair, and the entities of both records."""
    named = [
        f"[{name}](../entities/{name}.html) of {size} records"
        if size > 1
        else f"`{name}`, which is this record alone"
        for name, size in sizes.items()
    ]
    return Text(
        f"[Back to the queue](../queue.html)\n\n**Why this pair:** {reason}.\n\n"
        f"**{'Entity' if len(named) == 1 else 'Entities'}:** {'; '.join(named)}."
    )


def _verdict(row: Mapping[str, Any]) -> str:
    chance = row["match_probability"]
    alone = "" if pd.isna(chance) else f", with a match probability of {chance:.3g}"
    return f"They are {'joined' if row['joined'] else 'kept apart'} now{alone}."


def _evidence(study: str, pair: pd.Series | None, past: pd.DataFrame) -> list[Part]:
    parts: list[Part] = []
    if pair is not None:
        parts.append(_waterfall(study, pair))
    else:
        parts.append(Text("The two were never compared: other records hold them together."))
    if len(past):
        told = past[["judged_at", "judged_by", "decision", "reason", "status"]]
        parts.append(
            frame_table(
                "Judged before", told, headings={"reason": "why"}, source_assets=(f"{study}/judgements",)
            )
        )
    return parts


def _side_by_side(
    study: str,
    row: Mapping[str, Any],
    pair: pd.Series | None,
    sides: Sequence[pd.Series],
    columns: Mapping[str, Mapping[str, str]],
) -> DataTable:
    outcomes = {} if pair is None else outcomes_of(str(pair["reason"]))
    registers = [str(row[f"register_{side}"]) for side in "lr"]
    cells: list[tuple[str, ...]] = []
    used: set[str] = set()
    for field, by_register in columns.items():
        own = [by_register.get(register, "") for register in registers]
        used |= set(own)
        found = next((words for name, words in outcomes.items() if _is_part(field, name)), "–")
        cells.append(
            (
                field.replace("_", " "),
                *(_cell(side, name) for side, name in zip(sides, own, strict=True)),
                found,
            )
        )
    rest = [
        name
        for name in dict.fromkeys([*sides[0].index, *sides[1].index])
        if name not in used | {"entity_id"} and any(_cell(side, name) for side in sides)
    ]
    for name in rest:
        cells.append(
            (str(name).replace("_", " "), _cell(sides[0], name), _cell(sides[1], name), "not compared")
        )
    heads = [f"{register} {row[f'record_{side}']}" for register, side in zip(registers, "lr", strict=True)]
    if heads[0] == heads[1]:
        heads[1] += " (other)"
    return DataTable(
        "Both records, side by side",
        ("field", *heads, "comparison"),
        tuple(cells),
        source_assets=(f"{study}/linked_records",),
    )


def _is_part(field: str, comparison: str) -> bool:
    """Whether a comparison judges a field: its own, or the one of given and family name together."""
    return comparison == field or f"_{field}_" in f"_{comparison}_"


def _cell(side: pd.Series, name: str) -> str:
    value = side.get(name)
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return ""
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return str(value) if pd.api.types.is_scalar(value) else "; ".join(map(str, value))


def _waterfall(study: str, pair: pd.Series) -> Chart:
    steps = weight_steps(pair)
    total = float(pair["match_weight"])
    return Chart(
        "What speaks for and against",
        waterfall(
            steps,
            total="match weight",
            step_title="comparison and its outcome",
            value_title="bits of evidence",
        ),
        f"The prior and the weight of each comparison add up to {total:+.1f} bits: odds of 2 to the power of that, a "
        f"match probability of {float(pair['match_probability']):.3g}. Bars to the right speak for one person or firm.",
        source_assets=(f"{study}/match_weights",),
    )


def _form(study: str, row: Mapping[str, Any]) -> JudgementForm:
    hidden = tuple(FormField(name, name, "hidden", value=str(row[name])) for name in KEYS)
    return JudgementForm(
        "Are these two the same?",
        f"/casework/{study}/judgements",
        (
            *hidden,
            FormField(
                "decision",
                "Your decision",
                "choice",
                (*DECISIONS, TAKE_BACK),
                required=True,
                help="It holds from the next run on. 'take back' undoes what was decided about this pair before.",
            ),
            FormField(
                "reason",
                "Why",
                "long_text",
                required=True,
                help="What made you decide so; others will read it.",
            ),
            FormField("judged_by", "Who you are", required=True),
        ),
    )


def _entity_page(
    study: str, name: str, members: pd.DataFrame, held: pd.DataFrame, paged: Mapping[str, str]
) -> Report:
    parts: list[Part] = [Text("[Back to the queue](../queue.html)")]
    filled = members.drop(columns="entity_id").dropna(axis=1, how="all")
    parts.append(frame_table("Its records", filled.map(_flat), source_assets=(f"{study}/linked_records",)))
    if len(held):
        weakest = held.iloc[0]
        if len(members) <= _LARGEST_DRAWING:
            parts.append(_drawing(study, members, held))
        links = [f"../pairs/{paged[key]}.html" if key in paged else "" for key in pair_keys(held)]
        parts.append(
            frame_table(
                "The pairs that hold it, the weakest first",
                pd.concat(
                    [shown_records(held), held[["own_weight", "match_probability", "alone", "reason"]]],
                    axis=1,
                ),
                headings=_HEADINGS,
                source_assets=(f"{study}/match_weights",),
                links=links,
            )
        )
        words = f"The weakest pair in it has {weakest['own_weight']:+.1f} bits by itself."
    else:
        words = "No pair of them was compared; judgements hold them together."
    summary = f"{len(members)} records are about one person or firm. {words}"
    return Report(f"{study}_{name.replace('-', '_')}", f"Entity {name}", summary, "restricted", tuple(parts))


def _drawing(study: str, members: pd.DataFrame, held: pd.DataFrame) -> Network:
    ids = [
        f"{register}/{record}"
        for register, record in zip(members["register"], members["record_id"], strict=True)
    ]
    turn = 2 * math.pi / max(len(ids), 1)
    nodes = tuple(
        Node(
            name,
            name.split("/", 1)[1],
            math.cos(place * turn),
            math.sin(place * turn) / 2,
            name.split("/", 1)[0],
        )
        for place, name in enumerate(ids)
    )
    edges = tuple(
        Edge(
            f"{row.register_l}/{row.record_l}",
            f"{row.register_r}/{row.record_r}",
            f"{row.own_weight:+.1f} bits" + (", alone" if row.alone else ""),
        )
        for row in held.itertuples()
    )
    return Network(
        "Which pairs hold it",
        nodes,
        edges,
        "Each line is a pair that was compared and joined; a line marked alone is the only one between two parts.",
        source_assets=(f"{study}/match_weights",),
    )


def _flat(value: object) -> object:
    return value if pd.api.types.is_scalar(value) else "; ".join(map(str, value))  # type: ignore[call-overload]
