"""What people decided about pairs of records: a log that is only added to, and what of it holds now.

A row says that two records are the `same`, `different`, or that somebody is `unsure`; `take back` undoes what was
decided about the pair before, so that it is as if nobody had judged it. The latest row of a pair holds. Nothing is
removed: each row has a `status` that says whether it stands, and if not, why.

Belongs here: reading forms and files into the log, what holds now. Does not: what decisions demand of entities
(`constraints`), how right the model was on judged pairs (`judged_quality`).
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import pandas as pd

from hrtech.linkage.constraints import DECISIONS, KEYS
from hrtech.linkage.spec import LinkageError

TAKE_BACK: Final = "take back"
LOG_COLUMNS: Final = (
    "judgement_id", "judged_at", "judged_by", *KEYS, "decision", "reason", "given_by", "status",
)  # fmt: skip
#: Columns of a file of decisions; `reason` may be left out.
FILE_COLUMNS: Final = (*KEYS, "decision", "judged_by", "judged_at", "reason")
STANDS: Final = "stands"
_CHOICES: Final = (*DECISIONS, TAKE_BACK)


def judgement_log(forms: pd.DataFrame, given: pd.DataFrame | None = None) -> pd.DataFrame:
    """Put all decisions in one log, the oldest first, each with its status.

    Args:
        forms: What the forms of the pages recorded, one row a field: `judgement_id, judged_at, judged_by, field,
            value`. Forms about something else than a pair are left to whoever reads them.
        given: A file of decisions with the columns `FILE_COLUMNS`, or None.

    Returns:
        The columns `LOG_COLUMNS`; times are UTC. `status` is `stands`, `replaced by a later one`, `taken back`,
        `takes back`, or begins with `not usable`.

    Raises:
        LinkageError: The file lacks a column, or a row of it names no record, decision, person or time.
    """
    parts = [part for part in (_of_file(given), _of_forms(forms)) if len(part)]
    if not parts:
        return _empty()
    log = pd.concat(parts, ignore_index=True).sort_values("judged_at", kind="stable", ignore_index=True)
    log["status"] = _statuses(log)
    return log[list(LOG_COLUMNS)]


def standing(log: pd.DataFrame) -> pd.DataFrame:
    """Return the decisions that hold now, one a pair: the columns of `KEYS`, and `decision`."""
    holds = (log["status"] == STANDS) & log["decision"].isin(DECISIONS)
    return log.loc[holds, [*KEYS, "decision"]].reset_index(drop=True)


def pair_keys(frame: pd.DataFrame) -> pd.Series:
    """Return one text per row that is the same whichever of the two records comes first."""
    left, right = (
        frame[f"register_{side}"].astype("str") + "\x1f" + frame[f"record_{side}"].astype("str")
        for side in "lr"
    )
    first = left.where(left <= right, right)
    return (first + "\x1e" + right.where(left <= right, left)).astype("str")


def pair_id(register_l: str, record_l: str, register_r: str, record_r: str) -> str:
    """Name a pair in an address: 16 hexadecimal digits of a SHA-256, whichever record comes first."""
    both = sorted((f"{register_l}\x1f{record_l}", f"{register_r}\x1f{record_r}"))
    return hashlib.sha256("\x1e".join(both).encode()).hexdigest()[:16]


def _empty() -> pd.DataFrame:
    texts = {name: pd.Series(dtype="str") for name in LOG_COLUMNS}
    return pd.DataFrame(texts | {"judged_at": pd.Series(dtype="datetime64[us, UTC]")})


def _of_forms(forms: pd.DataFrame) -> pd.DataFrame:
    about = forms.loc[forms["field"] == "decision", "judgement_id"]
    rows = forms[forms["judgement_id"].isin(about) & forms["field"].isin([*KEYS, "decision", "reason"])]
    if rows.empty:
        return _empty()
    wide = rows.pivot_table(
        index=["judgement_id", "judged_at", "judged_by"], columns="field", values="value", aggfunc="first"
    ).reset_index()
    wide = wide.reindex(columns=[name for name in LOG_COLUMNS if name not in ("given_by", "status")])
    wide = wide.assign(given_by="form", judged_at=pd.to_datetime(wide["judged_at"], utc=True))
    # seconds apart at least, so that the id decides only between two clicks at once
    return _typed(wide.sort_values(["judged_at", "judgement_id"], ignore_index=True))


def _of_file(given: pd.DataFrame | None) -> pd.DataFrame:
    if given is None or given.empty:
        return _empty()
    needed = [name for name in FILE_COLUMNS if name != "reason"]
    if missing := [name for name in needed if name not in given.columns]:
        raise LinkageError(f"The file of judgements lacks the column {', '.join(missing)}")
    table = given.reindex(columns=list(FILE_COLUMNS)).reset_index(drop=True)
    blank = table[needed].isna() | (
        table[needed].astype("str").apply(lambda column: column.str.strip()) == ""
    )
    for name in needed:
        _refuse(blank[name], name, "is blank. Say which records, what was decided, by whom and when")
    _refuse(~table["decision"].isin(_CHOICES), "decision", f"is none of {', '.join(_CHOICES)}")
    times = pd.to_datetime(table["judged_at"], utc=True, format="ISO8601", errors="coerce")
    _refuse(times.isna(), "judged_at", "is no time. Write 2026-01-31 or 2026-01-31T09:00+01:00")
    content = table[list(KEYS)].astype("str").agg("\x1f".join, axis=1)
    digests = [
        hashlib.sha256(f"{place}\x1e{text}".encode()).hexdigest()[:32] for place, text in content.items()
    ]
    return _typed(table.assign(judgement_id=digests, judged_at=times, given_by="file"))


def _refuse(wrong: pd.Series, column: str, problem: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax()) + 2  # the header is row 1
        more = f", and in {int(wrong.sum()) - 1} more rows" if wrong.sum() > 1 else ""
        raise LinkageError(f"The file of judgements, row {row}{more}, column {column}: it {problem}")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    texts = {name: frame[name].astype("str") for name in LOG_COLUMNS if name not in ("judged_at", "status")}
    return frame.assign(**texts, judged_at=frame["judged_at"].astype("datetime64[us, UTC]"), status="")


def _statuses(log: pd.DataFrame) -> list[str]:
    """Walk through the log once and say what became of each row."""
    statuses: list[str] = []
    latest: dict[str, int] = {}
    problems = _problems(log)
    for place, (key, decision) in enumerate(zip(pair_keys(log), log["decision"], strict=True)):
        if problems[place]:
            statuses.append(f"not usable: {problems[place]}")
            continue
        before = latest.pop(key, None)
        if decision == TAKE_BACK:
            statuses.append(
                "takes back" if before is not None else "not usable: nothing stood to be taken back"
            )
            if before is not None:
                statuses[before] = "taken back"
            continue
        if before is not None:
            statuses[before] = "replaced by a later one"
        latest[key] = place
        statuses.append(STANDS)
    return statuses


def _problems(log: pd.DataFrame) -> Sequence[str]:
    blank = log[list(KEYS)].isna().any(axis=1)
    itself = (log["register_l"] == log["register_r"]) & (log["record_l"] == log["record_r"])
    unknown = ~log["decision"].isin(_CHOICES)
    return [
        "a record is not named"
        if no
        else "a record beside itself"
        if own
        else "no such decision"
        if odd
        else ""
        for no, own, odd in zip(blank, itself.fillna(False), unknown, strict=True)
    ]
