"""A study as a notebook that runs with this package alone, and its data dictionary; no record of a person in either."""

import csv
import io
import json
from collections.abc import Mapping

import pandas as pd

from hrtech.causal.expression import columns_named
from hrtech.causal.jupyter import call, markdown_table, written
from hrtech.causal.question import ROLES, EffectError, EffectQuestion
from hrtech.causal.whole_curve import CurveSettings
from hrtech.facts.frames import rows

_READ = """\
# A CSV or Parquet file with the columns of the data dictionary; None: the study's records in the lake of this machine.
TABLE = None

import pandas as pd

if TABLE is None:
    from resources.home import hrtech_home
    from resources.lake import read_table

    records = read_table(hrtech_home(), "restricted", [{study!r}, "records"])
elif str(TABLE).endswith(".parquet"):
    records = pd.read_parquet(TABLE)
else:
    records = pd.read_csv(TABLE)
records = records[{columns!r}]
len(records)"""

_QUESTION = """\
from hrtech.causal.question import Alternative, Belief, EffectQuestion

question = {question}"""

_ANSWER = """\
from hrtech.causal import estimate_effect

result = estimate_effect(records, question)
result.to_frame()[["estimator", "estimate", "low", "high", "n", "verdict"]]"""

_CURVE = """\
from hrtech.causal.whole_curve import CurveSettings, whole_curve

curve = whole_curve(records, question, {settings})
curve["specification_curve"].drop(columns=["assumes", "reason"])"""

_REFUTED = """\
curve["curve_refutations"].groupby("refutation")["verdict"].value_counts().unstack(fill_value=0)"""

_JOINT = """\
from hrtech.causal.acceptance import acceptance, decision_log
from hrtech.causal.whole_curve import joint_answers

# decisions that people had made when the notebook was written: specification, decision, who, why
decisions = {decisions}
forms = pd.DataFrame(
    [
        (str(place), pd.Timestamp(when), who, field, value)
        for place, (when, who, *said) in enumerate(decisions)
        for field, value in zip(("specification", "decision", "reason"), said)
    ],
    columns=["judgement_id", "judged_at", "judged_by", "field", "value"],
)
table = curve["specification_curve"]
accepted = acceptance(table, curve["curve_refutations"], decision_log(forms, table["specification"]))
joint_answers(curve["permuted_effects"], accepted, question)"""

_SENSITIVE = """\
from hrtech.causal.whole_curve import study_sensitivity

hidden = study_sensitivity(records, question, result.to_frame())
hidden["sensitivity"]"""

_CHART = """\
from hrtech.causal.effect_charts import curve_chart

# Vega-Lite: JupyterLab draws it
{{"application/vnd.vegalite.v5+json": curve_chart({study!r}, table, accepted).spec}}"""

_CHECK = """\
# what the study found when this notebook was written
stated = {stated}
found = table.set_index("specification")["estimate"]
far = [one for one, value in stated.items() if not abs(found.get(one, float("nan")) - value) < 1e-6]
assert not far, f"these specifications give something else now: {{far}}"
"all specifications give what the study found\""""


def data_dictionary(frame: pd.DataFrame, question: EffectQuestion, roles: Mapping[str, str]) -> pd.DataFrame:
    """Describe the columns that a study reads, without a value of them.

    Args:
        frame: The records.
        question: The question, for what each column is in it.
        roles: Column → role with which it is read.

    Returns:
        `column, read_as, part, said_by, rows, blank, different`: `part` is what it is in the question, `different` how
        many different values there are.
    """
    said: dict[str, list[str]] = {}
    for belief in question.beliefs:
        said.setdefault(belief.variable, []).append(
            f"{belief.who or 'somebody'}: {belief.degree}" + (f" ({belief.why})" if belief.why else "")
        )
    found = []
    for name in map(str, frame.columns):
        values = frame[name]
        hashable = values.map(lambda value: tuple(value) if isinstance(value, list) else value)
        found.append(
            (
                name,
                roles.get(name, str(values.dtype)),
                _part(name, question),
                "; ".join(said.get(name, [])),
                len(values),
                int(values.isna().sum()),
                int(hashable.nunique()),
            )
        )
    columns = ["column", "read_as", "part", "said_by", "rows", "blank", "different"]
    texts = ("column", "read_as", "part", "said_by")
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(texts, "str"))


def _part(name: str, question: EffectQuestion) -> str:
    parts = [role.rstrip("s").replace("_", " ") for role in ROLES if name in getattr(question, role)]
    single = {"exposure": "treatment", "outcome": "outcome", "cluster": "cluster", "weight": "weights"}
    parts += [words for words, setting in single.items() if getattr(question, setting) == name]
    parts += ["negative control outcome"] * (name in question.negative_control_outcomes)
    parts += ["group"] * (name in question.groups)
    parts += [
        f"in the definition of {element}"
        for element in ("treatment", "outcome", "population")
        if name != getattr(question, element) and name in _named(getattr(question, element))
    ]
    parts += [
        f"in the definition '{one.name}'" for one in question.alternatives if name in _named(one.expression)
    ]
    return ", ".join(parts)


def _named(expression: str | None) -> set[str]:
    try:
        return columns_named(expression) if expression else set()
    except EffectError:
        return set()


def notebook(
    study: str,
    title: str,
    question: EffectQuestion,
    settings: CurveSettings,
    dictionary: pd.DataFrame,
    curve: pd.DataFrame,
    decisions: pd.DataFrame,
) -> str:
    """Return the notebook, Jupyter format 4.5 as JSON.

    Args:
        study: Name of the study.
        title: Title.
        question: The question.
        settings: How the curve was made.
        dictionary: As `data_dictionary` gives it.
        curve: The curve's table, whose estimates the last cell compares with.
        decisions: As `decision_log` gives it.
    """
    columns = dictionary["column"].tolist()
    known = curve[curve["status"] == "estimated"]
    stated = {str(row["specification"]): round(float(row["estimate"]), 9) for row in rows(known)}
    made = [
        (str(row["judged_at"]), row["judged_by"], row["specification"], row["decision"], row["reason"])
        for row in decisions.astype({"judged_at": "str"}).to_dict("records")
    ]
    cells = [
        (
            "markdown",
            f"# {title}\n\n{question.hypothesis}. Exposure `{question.treatment}`, outcome `{question.outcome}`.",
        ),
        (
            "markdown",
            "The records of people are not in this notebook: the next cell reads them. It runs where the package "
            "`hrtech-dagster` is installed.\n\n" + markdown_table(dictionary),
        ),
        ("code", _READ.format(study=study, columns=columns)),
        ("markdown", "## The question"),
        (
            "code",
            _QUESTION.format(
                question=call(question, EffectQuestion("", "t", "y"), ("hypothesis", "treatment", "outcome"))
            ),
        ),
        ("markdown", "## The answer of the first estimator"),
        ("code", _ANSWER),
        ("markdown", "## Every specification"),
        ("code", _CURVE.format(settings=call(settings, CurveSettings()))),
        ("code", _REFUTED),
        ("markdown", "## One answer of the whole curve"),
        ("code", _JOINT.format(decisions=json.dumps(made, ensure_ascii=False, indent=4))),
        ("markdown", "## What a hidden confounder would do"),
        ("code", _SENSITIVE),
        ("markdown", "## The curve"),
        ("code", _CHART.format(study=study)),
        ("markdown", "## The same as in the study"),
        ("code", _CHECK.format(stated=json.dumps(stated, indent=4))),
    ]
    return written(cells)


def notebook_files(book: str, dictionary: pd.DataFrame) -> pd.DataFrame:
    """Return notebook and dictionary as files: `path, media_type, content`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(dictionary.columns)
    writer.writerows(dictionary.itertuples(index=False))
    files = [
        ("notebook.ipynb", "application/x-ipynb+json", book.encode()),
        ("data_dictionary.csv", "text/csv; charset=utf-8", text.getvalue().encode()),
    ]
    return pd.DataFrame(files, columns=["path", "media_type", "content"]).astype(
        {"path": "str", "media_type": "str"}
    )
