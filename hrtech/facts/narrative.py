"""May this text be said? A narrative speaks of facts alone, and this module finds where it does not.

Every number in a text, in digits, words or signs, and every declared name must belong to a fact that the text cites.
What does not match is a `Problem`; the caller strikes it out or refuses the draft. Text is data here: it is never
executed, and nothing in it can change the rules.

What this cannot see, and does not claim: a name that nobody declared, and a wrong direction (`rose` for `fell`)
beside a right number, unless the sign is written.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hrtech.facts.fact import Fact, index_facts, sentence, sentence_pieces
from hrtech.facts.numbers import scaled
from hrtech.facts.parts import FactList, Heading, Text, markers
from hrtech.facts.report import Report
from hrtech.facts.spoken import Said, numbers_in, shown_number

ProblemKind = Literal["number", "name", "unknown fact", "uncited fact", "broken marker"]

_BRACES: Final = re.compile(r"\{\{|\}\}")


@dataclass(frozen=True)
class Problem:
    """Something in a text that no cited fact says.

    Attributes:
        kind: `number`, `name`, `unknown fact`, `uncited fact` or `broken marker`.
        text: The words in question.
        position: Where they begin in the text.
        message: What is wrong and how it is mended.
    """

    kind: ProblemKind
    text: str
    position: int
    message: str


def check_narrative(
    text: str,
    facts: Iterable[Fact],
    cited: Collection[str],
    *,
    names: Iterable[str] = (),
) -> list[Problem]:
    """Find every number and declared name of a text that no cited fact says.

    A number matches a fact when it lies within the rounding in which the fact's value, or an end of its interval, is
    displayed; exactly so when the fact is displayed without rounding. A number with a percent sign matches only a
    share. Numbers that a cited fact's own words hold (`in 2023`, `95 % interval`) may be repeated.

    Args:
        text: The draft, with or without `{{fact:ID}}` markers.
        facts: All facts that could be told.
        cited: Ids of the facts that the draft says it speaks of.
        names: Names of persons, firms or places that may be said only where a cited fact names them.

    Returns:
        The problems in the order of the text; none means that the text may be said.
    """
    known = index_facts(facts)
    problems = _marker_problems(text, known, cited)
    allowed = [known[fact_id] for fact_id in cited if fact_id in known]
    bare = text
    for _, _, start, end in markers(text):
        bare = bare[:start] + " " * (end - start) + bare[end:]
    bare, name_problems = _check_names(bare, allowed, names)
    problems += name_problems
    spoken = {said.key for fact in allowed for said in numbers_in(_own_words(fact))}
    for said in numbers_in(bare):
        if said.key in spoken or any(_says(fact, said) for fact in allowed):
            continue
        words = said.words.strip()
        problems.append(
            Problem(
                "number",
                words,
                said.start,
                f"{words!r} is the value of no cited fact; cite the fact as {{{{fact:ID}}}} or strike it out",
            )
        )
    return sorted(problems, key=lambda problem: problem.position)


def fill_markers(text: str, facts: Mapping[str, Fact]) -> str:
    """Put the numbers in place of the markers.

    Args:
        text: Text with `{{fact:ID}}` markers.
        facts: Facts by id.

    Raises:
        KeyError: A marker names a fact that is not there.
    """
    for fact_id, field, start, end in reversed(markers(text)):
        fact = facts[fact_id]
        text = text[:start] + (sentence(fact) if field == "sentence" else fact.shown(field)) + text[end:]
    return text


def narrate(report: Report, facts: Iterable[Fact]) -> str:
    """The default narrative of a report: its summary, headings, prose and facts, every number as a marker.

    Args:
        report: The report.
        facts: Facts; those that the report cites must be among them.

    Returns:
        Markdown-lite text that passes `check_narrative` with the report's own citations, as far as the report's prose
        does.

    Raises:
        KeyError: The report cites a fact that is not there.
    """
    known = index_facts(facts)
    blocks = [report.summary]
    told: set[str] = set()
    for part in report.parts:
        if isinstance(part, Heading):
            blocks.append(f"**{part.text}**")
        elif isinstance(part, Text):
            blocks.append(part.markdown)
        else:
            new = [fact_id for fact_id in getattr(part, "fact_ids", ()) if fact_id not in told]
            lines = [_with_markers(known[fact_id]) for fact_id in new]
            if lines:
                blocks.append(
                    "\n".join(f"- {line}" for line in lines)
                    if isinstance(part, FactList)
                    else " ".join(lines)
                )
            told.update(new)
    return "\n\n".join(blocks)


def _with_markers(fact: Fact) -> str:
    return "".join(
        text
        if field is None
        else f"{{{{fact:{fact.fact_id}|{field}}}}}"
        if field != "value"
        else f"{{{{fact:{fact.fact_id}}}}}"
        for text, field in sentence_pieces(fact)
    )


def _marker_problems(text: str, known: Mapping[str, Fact], cited: Collection[str]) -> list[Problem]:
    problems = []
    inside: set[int] = set()
    for fact_id, field, start, end in markers(text):
        inside.update(range(start, end))
        if fact_id not in known:
            message = f"there is no fact {fact_id}"
            problems.append(Problem("unknown fact", text[start:end], start, message))
        elif fact_id not in cited:
            message = f"fact {fact_id} is told but not cited"
            problems.append(Problem("uncited fact", text[start:end], start, message))
        elif field in ("low", "high") and getattr(known[fact_id], field) is None:
            problems.append(
                Problem("broken marker", text[start:end], start, f"fact {fact_id} has no {field}")
            )
    problems += [
        Problem("broken marker", m[0], m.start(), "a marker is written {{fact:ID}} or {{fact:ID|low}}")
        for m in _BRACES.finditer(text)
        if m.start() not in inside
    ]
    problems += [
        Problem("unknown fact", fact_id, 0, f"the draft cites {fact_id}, but there is no such fact")
        for fact_id in cited
        if fact_id not in known
    ]
    return problems


def _check_names(text: str, allowed: Sequence[Fact], names: Iterable[str]) -> tuple[str, list[Problem]]:
    """Find declared names; those that a cited fact names are blanked, so that their digits are no numbers."""
    said = " \n ".join(f"{fact.statement} {fact.row_key}" for fact in allowed)
    problems = []
    # longest first, so that a name inside a longer one is not taken for itself
    for name in sorted(set(names), key=lambda each: (-len(each), each)):
        if not name.strip():
            continue
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        backed = pattern.search(said) is not None
        for found in pattern.finditer(text):
            if not backed:
                message = f"no cited fact names {found[0]!r}; cite one that does or strike it out"
                problems.append(Problem("name", found[0], found.start(), message))
        text = pattern.sub(lambda found: " " * len(found[0]), text)
    return text, problems


def _own_words(fact: Fact) -> str:
    words = " ".join(text for text, field in sentence_pieces(fact) if field is None)
    return f"{words} ; {fact.uncertainty}"


def _says(fact: Fact, said: Said) -> bool:
    if said.percent and fact.unit not in ("percent", "proportion"):
        return False
    return any(
        _matches(fact, name, said) for name in ("value", "low", "high") if getattr(fact, name) is not None
    )


def _matches(fact: Fact, name: str, said: Said) -> bool:
    shown, exact = fact.shown(name), scaled(getattr(fact, name), fact.unit)
    # a share may be said as 0.12 as well as 12 %
    sizes = (1.0, 0.01) if fact.unit == "proportion" and not said.percent else (1.0,)
    value, decimals = shown_number(shown)
    if any(math.isclose(said.value, value * size, rel_tol=1e-12, abs_tol=0.0) for size in sizes):
        return True
    if value == exact:
        return False
    half = 0.5 * 10.0**-decimals * (1 + 1e-9)
    return any(abs(said.value - exact * size) <= half * size for size in sizes)
