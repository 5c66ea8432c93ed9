"""Drafts of the pages of single entities: which hold, which are withdrawn, and what the others lack.

The hash of a draft covers everything that its page shows but the approval itself. A log that only grows keeps since
when each was published or withdrawn, so that a notice is left only of what was published before.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from hrtech.facts import Part, Report, report_from_frame, report_to_frame
from hrtech.facts.frames import frame_table
from hrtech.networks.case_pages import address
from hrtech.networks.publication import (
    PUBLIC_REASONS,
    STANDING,
    Missing,
    Publication,
    Rules,
    declared_missing,
    disputed,
    remarks_missing,
    settle_names,
)
from hrtech.networks.publication_names import Named
from hrtech.networks.publication_page import NOUN, PROMISE, Draft, Known, draft_page
from hrtech.privacy.canonical_json import canonical_json

STATES: Final = ("published", "withdrawn", "not approved")
DRAFT_COLUMNS: Final = (
    "position", "entity_id", "address", "name", "state", "evidence", "missing", "reasons", "approved_by", "page",
    "notice",
)  # fmt: skip
LOG_COLUMNS: Final[Mapping[str, str]] = {
    "entity_id": "str", "state": "str", "evidence": "str", "since": "datetime64[us, UTC]",
}  # fmt: skip
PAGE_COLUMNS: Final = ("page", "title", "state", "evidence", "study", "position", "kind", "payload")


def publication_drafts(
    study: str,
    entries: Sequence[Publication],
    known: Known,
    remarks: pd.DataFrame,
    rules: Rules,
    now: dt.datetime,
    log: pd.DataFrame | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write a draft for each declared entity and judge whether it may be published.

    Args:
        study: Name of the study.
        entries: What is declared, one an entity.
        known: What the study knows.
        remarks: As `remark_log` makes it.
        rules: What holds for all.
        now: When, with a time zone; the day decides what is due.
        log: What this function returned before; None at first.

    Returns:
        Drafts, one row an entity in the order declared: `position, entity_id, address, name, state` (published,
        withdrawn, not approved), `evidence` (hash), `missing` (lines), `reasons` (of `PUBLIC_REASONS`, by comma),
        `approved_by` (lines), `page` and `notice` (reports as JSON, empty where there is none). And the log:
        `entity_id, state, evidence, since`.
    """
    names = dict(zip(known.nodes["entity_id"].astype("str"), known.nodes["name"].astype("str"), strict=True))
    told = {entry.entity_id: entry.tell.flags for entry in entries}
    drafts = {
        entry.entity_id: draft_page(
            study, report_name(study, entry.entity_id), entry, known, rules,
            {one: told[one] for one in entry.names if one in told},
        )
        for entry in entries
        if entry.entity_id in names
    }  # fmt: skip
    hashes = {one: evidence_hash(draft.report) for one, draft in drafts.items()}
    named = Named(known.nodes)
    missing = {}
    for place, entry in enumerate(entries, start=1):
        one = entry.entity_id
        if one in drafts:
            found = declared_missing(entry, hashes[one], rules, now.date()) + remarks_missing(entry, remarks)
            missing[one] = found + _draft_missing(entry, drafts[one], remarks, named, names)
        else:
            missing[one] = [_unknown(place)]
    missing = settle_names(entries, missing, frozenset(rules.public), names)
    before = _empty_log() if log is None else log.astype(dict(LOG_COLUMNS))
    once = set(before.loc[before["state"] == "published", "entity_id"])
    states = {
        one: "published" if not found else "withdrawn" if one in once else "not approved"
        for one, found in missing.items()
    }
    after = _logged(before, states, hashes, now)
    rows = []
    for place, entry in enumerate(entries, start=1):
        one, state = entry.entity_id, states[entry.entity_id]
        page = with_approval(drafts[one].report, study, entry, hashes[one]) if one in drafts else None
        notice = _notice(
            study, entry, names.get(one, "A page that was withdrawn"), missing[one], rules, after, named
        )
        rows.append(
            (
                place, one, address(one).removeprefix("entities/"), names.get(one, ""), state, hashes.get(one, ""),
                "\n".join(lack.words for lack in missing[one]),
                ",".join(dict.fromkeys(lack.reason for lack in missing[one])), "\n".join(entry.approved_by),
                _written(page) if page else "", _written(notice) if state == "withdrawn" and entry.notice else "",
            )
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(DRAFT_COLUMNS))
    return frame.astype(
        {name: "str" for name in DRAFT_COLUMNS if name != "position"} | {"position": "int64"}
    ), after


def released_pages(drafts: pd.DataFrame) -> pd.DataFrame:
    """Return what leaves the restricted zone: the pages that are published, and notices of those withdrawn.

    Args:
        drafts: As `publication_drafts` gives them.

    Returns:
        One row a part of a report: `page, title, state, evidence` (of the whole page), `study, position, kind,
        payload` (of the report).
    """
    parts = []
    for row in drafts.to_dict("records"):
        text = row["page"] if row["state"] == "published" else row["notice"]
        if text:
            frame = report_to_frame(written_report(text))
            head = {
                "page": row["address"],
                "title": row["name"],
                "state": row["state"],
                "evidence": row["evidence"] if row["state"] == "published" else "",
            }
            parts.append(frame.assign(**head)[list(PAGE_COLUMNS)])
    if not parts:
        texts = {name: pd.Series(dtype="str") for name in PAGE_COLUMNS}
        return pd.DataFrame(texts | {"position": pd.Series(dtype="Int64")})
    return pd.concat(parts, ignore_index=True).astype(
        dict.fromkeys(("page", "title", "state", "evidence"), "str")
    )


def written_report(text: str) -> Report:
    """Return the report that a draft's `page` or `notice` holds."""
    held = json.loads(text)
    return report_from_frame(
        pd.DataFrame({"study": held["study"], "position": range(len(held["rows"])),
                      "kind": [kind for kind, _ in held["rows"]],
                      "payload": [payload for _, payload in held["rows"]]})
    )  # fmt: skip


def evidence_hash(report: Report) -> str:
    """Return the SHA-256 of all that a report shows: what an approval names."""
    frame = report_to_frame(report)
    rows = [
        [kind, json.loads(payload)] for kind, payload in zip(frame["kind"], frame["payload"], strict=True)
    ]
    return hashlib.sha256(canonical_json([report.study, rows]).encode()).hexdigest()


def report_name(study: str, entity_id: str) -> str:
    """Return a name for an entity's report, in `[a-z0-9_]`, unlike that of any other."""
    return f"{study}_{hashlib.sha256(entity_id.encode()).hexdigest()[:12]}"


def with_approval(report: Report, study: str, entry: Publication, evidence: str) -> Report:
    """Return the report with who approved it; the hash does not cover that."""
    said = [
        ("Approved by", ", ".join(entry.approved_by)),
        ("Approved on", entry.approved_on.isoformat() if entry.approved_on else ""),
        ("Last checked on", entry.last_checked.isoformat() if entry.last_checked else ""),
        ("Hash of the evidence that is shown", evidence),
    ]
    if entry.evidence == STANDING:
        said.append(("Kind of approval", "A standing approval: everybody here is simulated"))
    return _with(report, _table(study, "Approval", said))


def _unknown(place: int) -> Missing:
    return Missing(
        "unknown",
        f"Entry {place} of publish_entities: the study has no entity of this id. Look it up in the table nodes "
        "[setting: entity]",
    )


def _draft_missing(
    entry: Publication, draft: Draft, remarks: pd.DataFrame, named: Named, names: Mapping[str, str]
) -> list[Missing]:
    """Find what the page itself lacks: what is not there, not explained, disputed, or names somebody else."""
    found = []
    for setting, name in draft.absent:
        found.append(
            Missing(
                "changed", f"The records hold no '{name}' of it (any more): leave it out [setting: {setting}]"
            )
        )
    for what in draft.unexplained:
        found.append(
            Missing("approval", f"Say what else may explain '{what}', for the reader [setting: explanations]")
        )
    if unknown := [one for one in entry.names if one not in names]:
        found.append(
            Missing("others", f"The study has no entity of the id {', '.join(unknown)} [setting: names]")
        )
    doubtful = draft.sources & set(disputed(remarks)) - {entry.entity_id}
    if open_others := sorted(names.get(one, one) for one in doubtful):
        found.append(
            Missing(
                "disputed",
                f"Its score rests on flags of {', '.join(open_others)}, about which a correction is undecided [table: "
                "remarks]",
            )
        )
    may = {entry.entity_id, *entry.names}
    for place, text in draft.words.items():
        if others := sorted(names.get(one, one) for one in named.others(text, may)):
            found.append(
                Missing(
                    "others",
                    f"In {place}, the words name {', '.join(others)}, who may not be named here: change the words, "
                    "leave them out [setting: tell], or let them be named [setting: names]",
                )
            )
    return found


def _notice(
    study: str,
    entry: Publication,
    name: str,
    missing: Sequence[Missing],
    rules: Rules,
    log: pd.DataFrame,
    named: Named,
) -> Report:
    order = list(PUBLIC_REASONS)
    reason = min((lack.reason for lack in missing), key=order.index, default="approval")
    own_words = entry.withdrawn and not named.others(entry.withdrawn, {entry.entity_id})
    why = entry.withdrawn if own_words else PUBLIC_REASONS[reason]
    mine = log.loc[(log["entity_id"] == entry.entity_id) & (log["state"] == "withdrawn"), "since"]
    since = mine.max().date().isoformat() if len(mine) else ""
    said = [("Withdrawn on", since), ("Why", why), ("To ask for a correction or to reply", rules.contact)]
    return Report(
        report_name(study, entry.entity_id),
        name,
        "This page was withdrawn. What it said is not told any more.",
        PROMISE,
        (_table(study, "Withdrawn, and why", said),),
    )


def _table(study: str, title: str, said: Sequence[tuple[str, str]]) -> Part:
    frame = pd.DataFrame(said, columns=["what", "said"])
    return frame_table(title, frame, source_assets=(f"{study}/{NOUN}",))


def _with(report: Report, part: Part) -> Report:
    return Report(report.study, report.title, report.summary, report.promise, (*report.parts, part))


def _written(report: Report) -> str:
    frame = report_to_frame(report)
    rows = [[kind, payload] for kind, payload in zip(frame["kind"], frame["payload"], strict=True)]
    return json.dumps({"study": report.study, "rows": rows}, ensure_ascii=False)


def _empty_log() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in LOG_COLUMNS.items()})


def _logged(
    log: pd.DataFrame, states: Mapping[str, str], hashes: Mapping[str, str], now: dt.datetime
) -> pd.DataFrame:
    """Add a row for each entity whose state changed, or whose published evidence did."""
    last = log.drop_duplicates("entity_id", keep="last").set_index("entity_id")
    rows = []
    for one, state in states.items():
        evidence = hashes.get(one, "") if state == "published" else ""
        if one not in last.index or (last.loc[one, "state"], last.loc[one, "evidence"]) != (state, evidence):
            rows.append((one, state, evidence, pd.Timestamp(now)))
    gone = last.index[(last["state"] == "published") & ~last.index.isin(list(states))]
    rows += [(str(one), "not declared any more", "", pd.Timestamp(now)) for one in gone]
    if not rows:
        return log
    added = pd.DataFrame(rows, columns=list(LOG_COLUMNS)).astype(dict(LOG_COLUMNS))
    return pd.concat([log, added], ignore_index=True) if len(log) else added
