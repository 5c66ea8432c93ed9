"""A report: what one study tells, as a list of parts that every rendering understands.

Here: the report and its table. The parts are in `hrtech.facts.parts`; how they look is `hrtech.pages`.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, get_args

import pandas as pd

from hrtech.facts.parts import KIND_OF, KINDS, FactList, Part, Text, build_part, kind_of, markers
from hrtech.facts.values import ReportError, as_text
from hrtech.zones import Barrier

#: What a study promises to the people described: a disclosure mechanism, data that was open (or simulated) to begin
#: with, that exactly this about one entity was approved, or nothing, because the report stays inside.
PROMISES: Final = (*get_args(Barrier), "open", "approved-entity", "restricted")
REPORT_COLUMNS: Final = ("study", "position", "kind", "payload")
_STUDY: Final = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Report:
    """What one study tells.

    Attributes:
        study: The study, in `[a-z0-9_]`.
        title: Title.
        summary: One paragraph, which may hold fact markers.
        promise: What is promised to the people described, one of `PROMISES`.
        parts: Parts in reading order.
    """

    study: str
    title: str
    summary: str
    promise: str
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.study, str) or not _STUDY.fullmatch(self.study):
            raise ReportError(f"study {self.study!r} is not in lower-case letters, digits and _")
        for name in ("title", "summary"):
            as_text(f"report {self.study}", name, getattr(self, name), needed=True)
        if self.promise not in PROMISES:
            raise ReportError(
                f"report {self.study}: promise {self.promise!r} is none of {', '.join(PROMISES)}"
            )
        object.__setattr__(self, "parts", tuple(self.parts))
        for position, part in enumerate(self.parts):
            if type(part) not in KIND_OF:
                raise ReportError(
                    f"report {self.study}: part {position} is a {type(part).__name__}, not a part"
                )

    def cited(self) -> tuple[str, ...]:
        """Ids of the facts that it speaks of, each once, in the order of first mention."""
        found = [fact_id for fact_id, *_ in markers(self.summary)]
        for part in self.parts:
            if isinstance(part, Text):
                found += [fact_id for fact_id, *_ in markers(part.markdown)]
            found += getattr(part, "fact_ids", ())
        return tuple(dict.fromkeys(found))

    def headline(self) -> tuple[str, ...]:
        """Ids of the facts of its first fact list, empty when it has none."""
        return next((part.fact_ids for part in self.parts if isinstance(part, FactList)), ())


def report_to_frame(report: Report) -> pd.DataFrame:
    """A report as a table: `study`, `position`, `kind`, `payload` (JSON). Row 0 is the report itself."""
    head = {"title": report.title, "summary": report.summary, "promise": report.promise}
    rows = [("report", head), *((kind_of(part), asdict(part)) for part in report.parts)]
    return pd.DataFrame(
        {
            "study": pd.array([report.study] * len(rows), dtype="str"),
            "position": pd.array(range(len(rows)), dtype="Int64"),
            "kind": pd.array([kind for kind, _ in rows], dtype="str"),
            "payload": pd.array(
                # the order of keys is kept: a chart's layers and a table's columns are in reading order
                [json.dumps(payload, ensure_ascii=False, allow_nan=False) for _, payload in rows],
                dtype="str",
            ),
        }
    )


def report_from_frame(frame: pd.DataFrame) -> Report:
    """A report from its table, checked again.

    Raises:
        ReportError: A column is missing, the rows are not those of one report, or a part is wrong.
    """
    missing = [name for name in REPORT_COLUMNS if name not in frame.columns]
    if missing:
        raise ReportError(f"a table of a report needs the columns {', '.join(missing)}")
    ordered = frame.sort_values("position")
    if list(ordered["position"]) != list(range(len(frame))) or ordered["study"].nunique() != 1:
        raise ReportError("a table of a report holds the rows of one study, with positions 0, 1, 2, …")
    kinds, payloads = ordered["kind"].tolist(), [_payload(text) for text in ordered["payload"]]
    if kinds[0] != "report":
        raise ReportError("row 0 of a table of a report is the report itself")
    parts = []
    for position, (kind, payload) in enumerate(zip(kinds[1:], payloads[1:], strict=True), start=1):
        if kind not in KINDS:
            raise ReportError(f"row {position} of the report has the unknown kind {kind!r}")
        parts.append(build_part(KINDS[kind], payload))
    head = payloads[0]
    return Report(
        str(ordered["study"].iloc[0]),
        head.get("title", ""),
        head.get("summary", ""),
        head.get("promise", ""),
        tuple(parts),
    )


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (TypeError, ValueError):
        payload = None
    if not isinstance(payload, dict):
        raise ReportError("a payload of the report is not a JSON object")
    return payload
