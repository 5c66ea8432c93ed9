"""Facts and reports: what may be told, by whom it is backed, and how its numbers are said.

Every capability emits facts, one number each with unit, uncertainty and source, and a report that speaks of them.
Both go to the lake as tables and come back unchanged.

Belongs here: facts, reports, the formatting of numbers, the narrative checker. Does not: HTML, styles, lineage
(`hrtech.pages`), and anything that computes a number.
"""

from hrtech.facts.fact import (
    FACT_COLUMNS,
    Fact,
    FactError,
    facts_from_frame,
    facts_to_frame,
    index_facts,
    sentence,
)
from hrtech.facts.narrative import Problem, check_narrative, fill_markers, narrate
from hrtech.facts.numbers import format_number
from hrtech.facts.parts import (
    Chart,
    DataTable,
    Edge,
    FactList,
    FormField,
    Heading,
    JudgementForm,
    Network,
    Node,
    Part,
    Text,
)
from hrtech.facts.report import PROMISES, REPORT_COLUMNS, Report, report_from_frame, report_to_frame
from hrtech.facts.values import ReportError

__all__ = [
    "FACT_COLUMNS",
    "PROMISES",
    "REPORT_COLUMNS",
    "Chart",
    "DataTable",
    "Edge",
    "Fact",
    "FactError",
    "FactList",
    "FormField",
    "Heading",
    "JudgementForm",
    "Network",
    "Node",
    "Part",
    "Problem",
    "Report",
    "ReportError",
    "Text",
    "check_narrative",
    "facts_from_frame",
    "facts_to_frame",
    "fill_markers",
    "format_number",
    "index_facts",
    "narrate",
    "report_from_frame",
    "report_to_frame",
    "sentence",
]
