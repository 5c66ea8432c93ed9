"""Why a folder of studies does not load, in one message: file, line or study, setting, mend.

Loading reads settings and policy, never a record, so these messages may be shown in full even where the errors of
runs are masked. Only errors whose text is known to be written for the author of a study are told; any other passes
through as it is, and is masked where `DAGSTER_REDACT_USER_CODE_ERRORS` says so.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator

import dagster as dg
from dagster.components.resolved.errors import ResolutionException
from pydantic import ValidationError

from assets.study import REFUSALS
from hrtech.zones import ZoneError

#: Dagster's excerpt of a YAML file: `FILE:LINE - SETTING`, the lines around, and after a caret what is wrong.
_EXCERPT = re.compile(r"\s\^ (?:[\w.]+: )?(?P<problem>.*?)\n\s+(?:\d+ )?\|", re.DOTALL)
_PYDANTIC = re.compile(
    r"\d+ validation errors? for \w+\n|\s*\[type=.*?\]$|\s*For further information .*$", re.MULTILINE
)


class StudyError(dg.DagsterInvalidDefinitionError):
    """The studies do not load; the message says which, why, and what to do."""


@contextlib.contextmanager
def load_errors_told() -> Iterator[None]:
    """Turn what is wrong with a study's settings or policy into one message without Dagster's own frames.

    Raises:
        StudyError: Settings or policy are wrong.
    """
    masked = os.environ.get("DAGSTER_REDACT_USER_CODE_ERRORS", "").lower() in ("1", "true", "t")
    try:
        yield
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        if masked:
            print(told, file=sys.stderr)  # Dagster masks what is raised from here
        raise StudyError(told) from None


def _told(error: BaseException) -> str | None:
    study, chain = "", []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        study = study or _study(at)
        at = at.__cause__ or at.__context__
    for one in chain:
        if isinstance(one, ResolutionException):
            return _from_excerpt(str(one))
        if isinstance(one, ValidationError):
            problems = "; ".join(
                f"{problem['msg'].removeprefix('Value error, ')} [setting: {'.'.join(map(str, problem['loc']))}]"
                for problem in one.errors(include_url=False, include_input=False)
            )
            return f"{study}{problems.replace(' [setting: ]', '')}"
        if isinstance(one, (*REFUSALS, ZoneError, StudyError)):
            return f"{study}{one}"
    return None


def _from_excerpt(text: str) -> str:
    """Say on one line what Dagster shows with the lines of the file around."""
    place = text.partition("\n")[0].strip()
    found = _EXCERPT.search(text)
    if found is None:
        return text.partition("\nException occurred")[0].rstrip()
    problem = _PYDANTIC.sub("", found["problem"]).replace("Value error, ", "")
    return f"{place}: {' '.join(problem.split())}"


def _study(error: BaseException) -> str:
    """Name the study's file from the tree that Dagster draws around an error of one component."""
    if type(error).__name__ != "ComponentTreeException":
        return ""
    first = str(error).partition("\n")[0]
    name = first.rpartition(" for ")[2] if " for " in first else first.rpartition(" component ")[2]
    folder = name.strip(" :").partition("[")[0]
    return f"defs/{folder}/defs.yaml: " if folder else ""
