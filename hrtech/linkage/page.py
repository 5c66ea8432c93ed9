"""The restricted front page of a linkage: what was decided by which rule, how far to trust it, what waits for a person.

Tables of single pairs and entities are shown here, so it is for casework only.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from hrtech.facts import Chart, Fact, FactList, Heading, Part, Report, Text
from hrtech.facts.frames import frame_table
from hrtech.linkage.explain import shown_records
from hrtech.pages import charts

_ACCURACY: Final = ("_measured", "_estimated")
_LATEST: Final = 100


def casework_report(
    study: str, title: str, facts: Sequence[Fact], tables: Mapping[str, pd.DataFrame], pages: frozenset[str]
) -> Report:
    """Tell a linkage to the keepers of its records.

    Args:
        study: Name of the study.
        title: Title.
        facts: Findings.
        tables: `settings, blocking, parameters, quality, evaluation, judged_quality, unlinkables, entities, review,
            contradictions, judgements, changes`.
        pages: Addresses of further pages, such as `entities/e-12`.
    """
    headline = tuple(fact.fact_id for fact in facts if not fact.fact_id.endswith(_ACCURACY))
    parts: list[Part] = [FactList(headline)] if headline else []
    parts += [Heading("What waits for a person"), *_waiting(study, tables, pages)]
    parts += [Heading("How far to trust it"), *_trust(study, facts, tables)]
    parts += [Heading("How pairs were found and weighed"), *_model(study, tables)]
    parts += [Heading("What people decided, and what changed"), *_history(study, tables, pages)]
    known = {fact.fact_id for fact in facts}
    counted = {f"{study}/records", f"{study}/entities"} <= known
    summary = "Records of the same person or firm were joined by weighing how much each agreement says" + (
        f": {{{{fact:{study}/records}}}} records are about {{{{fact:{study}/entities}}}} entities."
        if counted
        else "."
    )
    return Report(study, title, summary, "restricted", tuple(parts))


def _waiting(study: str, tables: Mapping[str, pd.DataFrame], pages: frozenset[str]) -> list[Part]:
    queue, found = tables["review"], tables["contradictions"]
    parts: list[Part] = [
        Text(f"[Open the review queue](queue.html): {len(queue):,} pairs, the one most worth a look first.")
    ]
    if found.empty:
        parts.append(Text("No entity contradicts itself."))
        return parts
    named = found.rename(columns={"entity_id": "entity", "kind": "contradiction"})
    shown = pd.concat([named[["entity", "contradiction", "detail", "records"]], shown_records(found)], axis=1)
    links = [f"entities/{name}.html" if f"entities/{name}" in pages else "" for name in found["entity_id"]]
    parts.append(
        frame_table(
            "Entities that contradict themselves",
            shown,
            source_assets=(f"{study}/contradictions",),
            description="They are flagged and not split: two identifiers more than one character apart, a chain held "
            "by one weak pair, or judgements against one another.",
            links=links,
        )
    )
    return parts


def _trust(study: str, facts: Sequence[Fact], tables: Mapping[str, pd.DataFrame]) -> list[Part]:
    accuracy = tuple(fact.fact_id for fact in facts if fact.fact_id.endswith(_ACCURACY))
    parts: list[Part] = [
        Text(
            "Precision is the share of joined pairs that are right, recall the share of true pairs that were joined. "
            "The model estimates both from its own probabilities; people measure precision when they judge pairs; a "
            "known truth measures both. Where they differ, believe them in the opposite order. Records of one "
            "entity that share too little for any rule are beyond an estimate: read estimated recall as the most that "
            "it can be."
        )
    ]
    if accuracy:
        parts.append(FactList(accuracy))
    estimated = tables["quality"].dropna(subset=["estimate"]).assign(by="the model")
    judged = tables["judged_quality"].dropna(subset=["estimate"]).assign(by="people")
    both = pd.concat([estimated, judged], ignore_index=True)
    if len(both):
        words = both["measure"].str.replace("_", " ") + ", by " + both["by"]
        parts.append(
            Chart(
                "Accuracy with its interval",
                charts.forest(
                    both.assign(words=words)[["words", "estimate", "low", "high"]],
                    label="words",
                    estimate="estimate",
                    low="low",
                    high="high",
                    reference=None,
                    label_title="measure",
                    estimate_title="share (95 % interval)",
                    number_format=".3~f",
                ),
                "What the model estimates without labels, and what people measured on the pairs that they judged.",
                source_assets=(f"{study}/quality", f"{study}/judged_quality"),
            )
        )
    parts.append(
        frame_table(
            "Accuracy, estimated and measured", tables["evaluation"], source_assets=(f"{study}/evaluation",)
        )
    )
    parts.append(
        frame_table(
            "Measured on judged pairs",
            tables["judged_quality"],
            source_assets=(f"{study}/judged_quality",),
            description="What the model would have joined if nobody had judged anything, against what people said. "
            "Judged pairs are mostly doubtful ones; those drawn at random stand for all joined pairs.",
        )
    )
    return parts


def _model(study: str, tables: Mapping[str, pd.DataFrame]) -> list[Part]:
    parameters, settings = tables["parameters"], tables["settings"]
    trained = parameters.groupby("comparison", sort=False).agg(
        levels=("level", "size"),
        trained=("trained", "all"),
        untrained_levels=("trained", lambda each: (~each).sum()),
    )
    weights = parameters.dropna(subset=["weight"])
    levels = weights.assign(level=weights["comparison"].str.replace("_", " ") + ": " + weights["level"])
    lost = tables["unlinkables"].groupby("register").size()
    sizes = tables["entities"].groupby("register").size()
    unlinkable = pd.DataFrame({"records": sizes, "unlinkable": lost.reindex(sizes.index, fill_value=0)})
    unlinkable["share"] = unlinkable["unlinkable"] / unlinkable["records"]
    return [
        frame_table("The rule of decision", settings, source_assets=(f"{study}/settings",)),
        frame_table(
            "Blocking rules",
            tables["blocking"],
            source_assets=(f"{study}/blocking",),
            description="Only pairs that agree on all parts of a rule are compared; a pair may be reached by several.",
        ),
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
        ),
        frame_table(
            "Whether each comparison was trained",
            trained.reset_index(),
            source_assets=(f"{study}/parameters",),
            description="A level that was never seen in training keeps a default or counts for nothing.",
        ),
        frame_table(
            "Records that say too little to be linked",
            unlinkable.reset_index(),
            source_assets=(f"{study}/unlinkables",),
            description="Even a perfect copy of such a record would stay below the threshold.",
        ),
    ]


def _history(study: str, tables: Mapping[str, pd.DataFrame], pages: frozenset[str]) -> list[Part]:
    log, changes = tables["judgements"], tables["changes"]
    parts: list[Part] = []
    if log.empty:
        parts.append(Text("Nobody judged a pair yet."))
    else:
        latest = log.iloc[::-1].head(_LATEST).drop(columns="judgement_id")
        parts.append(
            frame_table("Judgements, the latest first", latest, source_assets=(f"{study}/judgements",))
        )
    if changes.empty:
        parts.append(Text("No entity changed since the first run."))
    else:
        latest = changes.iloc[::-1].head(_LATEST)[
            ["entity_id", "kind", "records_before", "records", "others", "changed_at"]
        ]
        links = [
            f"entities/{name}.html" if f"entities/{name}" in pages else "" for name in latest["entity_id"]
        ]
        parts.append(
            frame_table(
                "Entities that changed, the latest first",
                latest,
                source_assets=(f"{study}/changes",),
                links=links,
            )
        )
    return parts
