"""An event study as a notebook that runs with this package alone, and its data dictionary; no record in either."""

import json
from collections.abc import Mapping

import pandas as pd

from hrtech.causal.events.question import EventQuestion
from hrtech.causal.jupyter import call, markdown_table, written
from hrtech.facts.frames import rows

_READ = """\
# A CSV or Parquet file with the columns of the data dictionary; None: the study's panel in the lake of this machine.
TABLE = None

import pandas as pd

if TABLE is None:
    from resources.home import hrtech_home
    from resources.lake import read_table

    panel = read_table(hrtech_home(), "restricted", [{study!r}, "records"])
elif str(TABLE).endswith(".parquet"):
    panel = pd.read_parquet(TABLE)
else:
    panel = pd.read_csv(TABLE, sep=None, engine="python", parse_dates={dates!r})
panel = panel[{columns!r}]
len(panel)"""

_ANSWER = """\
from hrtech.causal.events import EventQuestion, study_event

question = {question}
result = study_event(panel, question)
result.effect.drop(columns="estimand_text")"""

_CHART = """\
from hrtech.causal.events.drawing import gap_chart

# Vega-Lite: JupyterLab draws it
first = result.series.loc[
    (result.series["outcome"] == question.outcomes[0]) & (result.series["cohort"] == result.series["cohort"].iloc[0])
]
{{"application/vnd.vegalite.v5+json": gap_chart({study!r}, first).spec}} if len(first) else None"""

_CHECK = """\
# what the study found when this notebook was written: outcome, estimator, effect
stated = {stated}
found = result.estimates.set_index(["outcome", "estimator"])["estimate"]
far = [one for *one, value in stated if not abs(found.get(tuple(one), float("nan")) - value) < 1e-6]
assert not far, f"these give something else now: {{far}}"
"every estimator gives what the study found\""""

_PARTS = {"unit": "unit", "period": "period", "per": "divisor of outcomes", "treated": "event in force"} | {
    "adopted": "first period of the event"
}

_DEFAULT = EventQuestion("", "unit", "period", ("outcome",), treated="treated")
_ALWAYS = frozenset({"hypothesis", "unit", "period", "outcomes", "treated"})


def panel_dictionary(frame: pd.DataFrame, question: EventQuestion, roles: Mapping[str, str]) -> pd.DataFrame:
    """Describe the columns that a study reads, without a value of them.

    Returns:
        `column, read_as, part, rows, blank, different`.
    """
    parts = {getattr(question, setting): words for setting, words in _PARTS.items()}
    parts |= dict.fromkeys(question.outcomes, "outcome")
    found = [
        (
            name,
            roles.get(name, str(frame[name].dtype)),
            parts.get(name, ""),
            len(frame),
            int(frame[name].isna().sum()),
            int(frame[name].nunique()),
        )
        for name in map(str, frame.columns)
    ]
    columns = ["column", "read_as", "part", "rows", "blank", "different"]
    return pd.DataFrame(found, columns=columns).astype({name: "str" for name in columns[:3]})


def event_notebook(
    study: str, title: str, question: EventQuestion, dictionary: pd.DataFrame, estimates: pd.DataFrame
) -> str:
    """Return the notebook, Jupyter format 4.5 as JSON; its last cell compares with `estimates`."""
    stated = [(row["outcome"], row["estimator"], round(float(row["estimate"]), 9)) for row in rows(estimates)]
    dates = dictionary.loc[dictionary["read_as"] == "date", "column"].tolist()
    cells = [
        ("markdown", f"# {title}\n\n{question.hypothesis}. Outcomes: {', '.join(question.outcomes)}."),
        (
            "markdown",
            "The panel is not in this notebook: the next cell reads it. It runs where the package `hrtech-dagster` is "
            "installed.\n\n" + markdown_table(dictionary),
        ),
        ("code", _READ.format(study=study, columns=dictionary["column"].tolist(), dates=dates)),
        ("markdown", "## The question and its answer"),
        ("code", _ANSWER.format(question=call(question, _DEFAULT, _ALWAYS))),
        ("markdown", "## Every estimator"),
        ("code", "result.estimates"),
        ("markdown", "## By periods since the event"),
        ("code", "result.event_time"),
        ("markdown", "## Weights"),
        ("code", "result.weights"),
        ("markdown", "## What would change our mind"),
        ("code", "result.checks"),
        ("code", "result.honest"),
        ("code", "result.leave_one_out"),
        ("markdown", "## The gap, with the band of placebos"),
        ("code", _CHART.format(study=study)),
        ("markdown", "## The same as in the study"),
        ("code", _CHECK.format(stated=json.dumps(stated, ensure_ascii=False, indent=4))),
    ]
    return written(cells)
