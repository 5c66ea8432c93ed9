"""What a linkage tells: its headline as facts, and the report that shows them.

A fact counts records and entities or estimates accuracy; none names a record. The restricted page is
`hrtech.linkage.page`.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from hrtech.facts import Fact, FactList, Heading, Part, Report, Text
from hrtech.facts.frames import rows
from hrtech.linkage.link import LinkageResult


def linked_records(
    registers: Mapping[str, pd.DataFrame], entities: pd.DataFrame, id_columns: Mapping[str, str]
) -> pd.DataFrame:
    """Put all registers in one table, each record with its register and entity.

    Args:
        registers: Name → table.
        entities: `register, record_id, entity_id`.
        id_columns: Register → column that identifies its records.

    Returns:
        The columns of all registers, preceded by `register`, `record_id` and `entity_id`.
    """
    parts = []
    for name, table in registers.items():
        own = entities.loc[entities["register"] == name].set_index("record_id")["entity_id"]
        ids = table[id_columns[name]].astype("str")
        rest = table.drop(columns=[column for column in (id_columns[name], "register") if column in table])
        rest.insert(0, "register", pd.Series(name, index=table.index, dtype="str"))
        rest.insert(1, "record_id", ids)
        rest.insert(2, "entity_id", ids.map(own).astype("str"))
        parts.append(rest)
    return pd.concat(parts, ignore_index=True)


def linkage_facts(
    study: str,
    entities: pd.DataFrame,
    pairs: pd.DataFrame,
    quality: pd.DataFrame,
    measured: pd.DataFrame | None = None,
) -> list[Fact]:
    """State what a linkage found.

    Args:
        study: Name of the study; first part of each fact id.
        entities: `register, record_id, entity_id`.
        pairs: Scored pairs with the column `joined`.
        quality: `measure, estimate, low, high`, estimated without labels.
        measured: `measure, precision, recall, f1`, against a truth.
    """
    source = f"{study}/entities"
    sizes = entities.groupby("entity_id").size()
    shared = entities.groupby("entity_id")["register"].nunique()
    facts = [
        Fact(
            f"{study}/records",
            "{value} records were compared.",
            len(entities),
            "records",
            source_asset=source,
        ),
        Fact(
            f"{study}/entities",
            "They are about {value} entities.",
            len(sizes),
            "entities",
            source_asset=source,
        ),
        Fact(
            f"{study}/entities_with_several_records",
            "{value} entities appear in more than one record.",
            int((sizes > 1).sum()),
            "entities",
            source_asset=source,
        ),
        Fact(
            f"{study}/entities_in_several_registers",
            "{value} entities appear in more than one register.",
            int((shared > 1).sum()),
            "entities",
            source_asset=source,
        ),
        Fact(
            f"{study}/joined_pairs",
            "{value} pairs of records were joined.",
            int(pairs["joined"].sum()),
            "pairs",
            source_asset=f"{study}/match_weights",
        ),
    ]
    for row in rows(quality):
        if row["estimate"] is None:
            continue
        facts.append(
            Fact(
                f"{study}/{row['measure']}_estimated",
                f"The {str(row['measure']).replace('_', ' ')} is estimated at {{value}}, without labels.",
                row["estimate"],
                "proportion",
                low=row["low"],
                high=row["high"],
                uncertainty="95 % interval from the match probabilities",
                source_asset=f"{study}/quality",
                row_key=str(row["measure"]),
            )
        )
    if measured is not None:
        pairwise = rows(measured.loc[measured["measure"] == "pairwise"])[0]
        facts += [
            Fact(
                f"{study}/{name}_measured",
                f"Against the known truth, the pairwise {name} is {{value}}.",
                pairwise[name],
                "proportion",
                source_asset=f"{study}/evaluation",
                row_key=f"pairwise {name}",
            )
            for name in ("precision", "recall", "f1")
        ]
    return facts


def linkage_report(study: str, title: str, facts: Sequence[Fact]) -> Report:
    """Tell what may be told of a linkage: counts, and how far to trust them."""
    known = {fact.fact_id for fact in facts}
    headline = [fact.fact_id for fact in facts if not fact.fact_id.endswith(("_measured", "_estimated"))]
    accuracy = [fact.fact_id for fact in facts if fact.fact_id.endswith(("_measured", "_estimated"))]
    parts: list[Part] = [FactList(tuple(headline))] if headline else []
    if accuracy:
        parts += [
            Heading("How far to trust it"),
            Text(
                "Precision is the share of joined pairs that are right; recall is the share of true pairs that were "
                "joined. Estimates come from the match probabilities alone; a measured value needs a known truth. "
                "Records of one entity that share too little for any rule are beyond an estimate: read estimated "
                "recall as the most that it can be."
            ),
            FactList(tuple(accuracy)),
        ]
    joined = f"{study}/entities"
    summary = (
        f"Records of the same person or firm were joined by weighing how much each agreement says, so that "
        f"{{{{fact:{study}/records}}}} records became {{{{fact:{joined}}}}} entities."
        if {f"{study}/records", joined} <= known
        else "Records of the same person or firm were joined by weighing how much each agreement says."
    )
    return Report(study, title, summary, "disclosure-control", tuple(parts))


def settings_table(result: LinkageResult) -> pd.DataFrame:
    """Say by what rule pairs were decided: `setting` and `value` as text."""
    told = [
        ("threshold (match probability)", f"{result.threshold:.4g}"),
        ("criterion of the threshold", result.criterion),
        ("prior: one match in so many random pairs", f"{1 / result.prior:,.0f}"),
        ("pairs compared", f"{result.candidates:,}"),
        *(("note", note) for note in result.notes),
    ]
    return pd.DataFrame(told, columns=["setting", "value"], dtype="str")
