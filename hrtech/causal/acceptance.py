"""Which specifications count: what people decided, with their reasons, and what is rejected by itself.

A decision is about a specification's id, which follows from what the specification does; it therefore holds in later
runs until the definition, the adjusters or the estimator change. The log is only ever added to: the latest decision of
a specification holds, `take back` undoes it. A refuted specification is rejected whatever anybody decided.
"""

from typing import Final

import pandas as pd

from hrtech.causal.refute import refuted

CHOICES: Final = ("accept", "reject", "take back")
LOG_COLUMNS: Final = (
    "judgement_id",
    "judged_at",
    "judged_by",
    "specification",
    "decision",
    "reason",
    "status",
)
ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
NOT_ESTIMATED: Final = "not estimated"
_FIELDS = ("specification", "decision", "reason")


def decision_log(forms: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """Put the decisions in one log, the oldest first, each with its status.

    Args:
        forms: What the forms of the pages recorded, one row a field: `judgement_id, judged_at, judged_by, field,
            value`.
        known: Ids of the specifications that there are.

    Returns:
        The columns `LOG_COLUMNS`; `status` is `stands`, `replaced by a later one`, `taken back`, `takes back`, or
        begins with `not usable`.
    """
    about = forms.loc[forms["field"] == "specification", "judgement_id"]
    rows = forms[forms["judgement_id"].isin(about) & forms["field"].isin(_FIELDS)]
    if rows.empty:
        texts = {name: pd.Series(dtype="str") for name in LOG_COLUMNS}
        return pd.DataFrame(texts | {"judged_at": pd.Series(dtype="datetime64[us, UTC]")})
    wide = rows.pivot_table(
        index=["judgement_id", "judged_at", "judged_by"], columns="field", values="value", aggfunc="first"
    ).reset_index()
    wide = wide.reindex(columns=[name for name in LOG_COLUMNS if name != "status"])
    wide["judged_at"] = pd.to_datetime(wide["judged_at"], utc=True).astype("datetime64[us, UTC]")
    wide = wide.sort_values(["judged_at", "judgement_id"], ignore_index=True)
    wide["status"] = _statuses(wide, set(known))
    texts = {name: wide[name].fillna("").astype("str") for name in LOG_COLUMNS if name != "judged_at"}
    return wide.assign(**texts)[list(LOG_COLUMNS)]


def _statuses(log: pd.DataFrame, known: set[str]) -> list[str]:
    statuses: list[str] = []
    latest: dict[str, int] = {}
    for place, (about, decision, reason) in enumerate(
        zip(log["specification"], log["decision"], log["reason"], strict=True)
    ):
        if decision not in CHOICES:
            statuses.append("not usable: no such decision")
        elif about not in known:
            statuses.append("not usable: there is no such specification now")
        elif decision == CHOICES[-1]:
            before = latest.pop(about, None)
            statuses.append("not usable: nothing stood to be taken back" if before is None else "takes back")
            if before is not None:
                statuses[before] = "taken back"
        elif not isinstance(reason, str) or not reason.strip():
            statuses.append("not usable: no reason")
        else:
            if about in latest:
                statuses[latest[about]] = "replaced by a later one"
            latest[about] = place
            statuses.append("stands")
    return statuses


def acceptance(table: pd.DataFrame, refutations: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """Say of every specification whether it counts, by whose decision and why.

    Args:
        table: A curve's table.
        refutations: As `refute_curve` gives them.
        log: As `decision_log` gives it.

    Returns:
        `specification, status, decided_by, reason`.
    """
    failed = refuted(refutations)
    held = (
        log[log["status"] == "stands"]
        .drop_duplicates("specification", keep="last")
        .set_index("specification")
    )
    rows = []
    for one, status, reason in zip(table["specification"], table["status"], table["reason"], strict=True):
        if status != "estimated":
            rows.append((one, NOT_ESTIMATED, "the rules", reason))
        elif one in failed.index:
            spite = ""
            if one in held.index and held.loc[one, "decision"] == "accept":
                spite = f"; {held.loc[one, 'judged_by']} would accept it, which does not count while it is refuted"
            rows.append((one, REJECTED, "the rules", f"refuted by {failed[one]}{spite}"))
        elif one in held.index:
            word = ACCEPTED if held.loc[one, "decision"] == "accept" else REJECTED
            rows.append((one, word, str(held.loc[one, "judged_by"]), str(held.loc[one, "reason"])))
        else:
            rows.append((one, ACCEPTED, "nobody yet", "it withstood every refutation"))
    return pd.DataFrame(rows, columns=["specification", "status", "decided_by", "reason"]).astype("str")
