"""What a linkage tells: its headline as facts, and the report that shows them.

A fact counts records and entities or estimates accuracy; none names a record. The report adds tables about single
pairs only where it is handed them, which is in restricted casework.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from hrtech.facts import Chart, DataTable, Fact, FactList, Heading, Report, Text
from hrtech.facts.frames import frame_table, rows
from hrtech.pages import charts


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
                f"The {row['measure']} is estimated at {{value}}, without labels.",
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


def linkage_report(
    study: str,
    title: str,
    facts: Sequence[Fact],
    *,
    match_weights: pd.DataFrame | None = None,
    parameters: pd.DataFrame | None = None,
    evaluation: pd.DataFrame | None = None,
) -> Report:
    """Tell a linkage; with tables of single pairs and parameters it is a restricted report.

    Args:
        study: Name of the study.
        title: Title.
        facts: What may be told.
        match_weights: Scored pairs, for casework.
        parameters: What each level of agreement counts for, for casework.
        evaluation: Estimated and measured accuracy, for casework.
    """
    known = {fact.fact_id for fact in facts}
    headline = [fact.fact_id for fact in facts if not fact.fact_id.endswith(("_measured", "_estimated"))]
    accuracy = [fact.fact_id for fact in facts if fact.fact_id.endswith(("_measured", "_estimated"))]
    restricted = match_weights is not None
    parts: list = [FactList(tuple(headline))] if headline else []
    if accuracy:
        parts += [
            Heading("How far to trust it"),
            Text(
                "Precision is the share of joined pairs that are right; recall is the share of true pairs that were "
                "joined. Estimates come from the match probabilities alone; a measured value needs a known truth."
            ),
            FactList(tuple(accuracy)),
        ]
    if parameters is not None:
        parts += [Heading("What agreement counts for"), *_parameters(study, parameters)]
    if match_weights is not None:
        parts += [Heading("Pairs nearest to the threshold"), _doubtful(study, match_weights)]
    if evaluation is not None:
        parts.append(
            frame_table(
                "Accuracy, estimated and measured", evaluation, source_assets=(f"{study}/evaluation",)
            )
        )
    joined = f"{study}/entities"
    summary = (
        f"Records of the same person or firm were joined by weighing how much each agreement says, so that "
        f"{{{{fact:{study}/records}}}} records became {{{{fact:{joined}}}}} entities."
        if {f"{study}/records", joined} <= known
        else "Records of the same person or firm were joined by weighing how much each agreement says."
    )
    return Report(study, title, summary, "restricted" if restricted else "disclosure-control", tuple(parts))


def _parameters(study: str, parameters: pd.DataFrame) -> list[Chart]:
    shown = parameters.dropna(subset=["weight"])
    levels = shown.assign(level=shown["comparison"] + ": " + shown["level"])
    return [
        Chart(
            "Match weight of each level of agreement",
            charts.bars(
                levels[["level", "weight"]],
                category="level",
                value="weight",
                category_title="level of agreement",
                value_title="match weight (bits)",
            ),
            "Bars to the right speak for a match, bars to the left against it.",
            source_assets=(f"{study}/parameters",),
        )
    ]


def _doubtful(study: str, pairs: pd.DataFrame, count: int = 50) -> DataTable:
    columns = [
        "register_l",
        "record_l",
        "register_r",
        "record_r",
        "match_weight",
        "match_probability",
        "joined",
        "reason",
    ]
    nearest = pairs.assign(doubt=(pairs["match_probability"] - 0.5).abs()).nsmallest(count, "doubt")[columns]
    return frame_table(
        "The pairs most worth a look",
        nearest,
        digits=4,
        source_assets=(f"{study}/match_weights",),
        description="Those whose match probability is nearest to one half.",
    )
