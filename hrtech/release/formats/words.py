"""What the files say in words: the promise, what each column means, how to cite. The same words in every format."""

from collections.abc import Mapping
from typing import Final

from hrtech.pages.promises import PROMISES, odds_in_words
from hrtech.release.declared import ZERO, ReleaseColumn
from hrtech.release.formats.content import Content

#: An identifier of a licence, such as CC-BY-4.0, rather than a sentence.
_IDENTIFIER: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"


def is_licence_id(licence: str) -> bool:
    """Whether this is the identifier of a licence rather than a sentence."""
    return bool(licence) and not set(licence) - set(_IDENTIFIER)


def licence_text(content: Content) -> str:
    """The terms of use as a sentence."""
    if not content.licence:
        return "No licence is stated. Ask who released these data before you pass them on."
    return f"Licence: {content.licence}." if is_licence_id(content.licence) else content.licence


def citation(content: Content) -> str:
    """How to cite the release."""
    cost = f", ε = {content.terms.epsilon:g}" if content.terms.epsilon is not None else ""
    who = f"{content.organisation}. " if content.organisation else ""
    return f"{who}{content.title}. Data released under {_promise(content)}{cost}."


def terms_text(content: Content) -> str:
    """The promise with its numbers, one paragraph."""
    terms = content.terms
    told = [f"These data are released under {_promise(content)}. {PROMISES[terms.promise].short}"]
    if terms.epsilon is not None:
        chance = f" at δ = {terms.delta:g}" if terms.delta else ""
        told.append(f"The privacy loss is ε = {terms.epsilon:g}{chance}; it protects each {terms.unit}.")
        told.append(odds_in_words(terms.epsilon, terms.unit))
    if terms.k is not None:
        told.append(f"Every combination that is told is shared by at least k = {terms.k} {terms.units}.")
    return " ".join(told)


def not_promised(content: Content) -> list[str]:
    """What the release does not promise."""
    terms = content.terms
    told = [
        f"A combination that is not listed was too rare to be told, which is not the same as no {terms.unit} at all.",
        "What is true of a whole group can be learned from these data, also about people who are not in them.",
    ]
    if content.interval:
        told.append("Counts are not exact, and a small one may be told of a combination that nobody has.")
    if terms.expected_false_share is not None:
        percent = 100 * terms.expected_false_share
        share = f"about {percent:.2g} %" if percent >= 0.01 else "fewer than 0.01 %"
        told.append(f"Of the combinations that are listed, {share} are expected to be held by nobody.")
    if terms.promise != "differential-privacy":
        told.append(
            "No bound is claimed on what a reader can learn who knows much already, or who compares several releases."
        )
    if content.synthetic is not None:
        who = (
            "describe nobody"
            if terms.promise == "differential-privacy"
            else "are made of what was released, and one may be equal to the record of somebody real"
        )
        told.append(
            f"Synthetic records {who}. Take a count from the aggregates, and use the records to try out an analysis."
        )
    return told


def interval_text(content: Content) -> str:
    """How to read an interval, or that there is none."""
    terms = content.terms
    if not {"low", "high"} <= set(content.interval):
        return f"Counts are as they were released{_rounding(content)}, and carry no interval."
    return (
        f"Read each count with its interval: {_percent(content)} of such intervals hold the count that the records "
        "themselves would give. An interval tells the noise that was added for privacy and nothing else: not errors "
        f"in the records, and not {terms.units} whom nobody recorded. Do not make much of differences that are "
        "smaller than the intervals."
    )


def unknown_text() -> str:
    """What a blank cell means."""
    return "Blank means unknown, not no."


def column_meanings(content: Content) -> Mapping[str, str]:
    """Columns of the aggregates and what they mean."""
    terms = content.terms
    noise = ", with noise added for privacy" if content.interval else _rounding(content)
    return {
        "length": "How many attributes the combination has.",
        "attributes": "The combination, as column:value;column:value. A backslash stands before ; and \\ where they "
        "are part of a name or a value, and before : in the name of a column.",
        "count": f"How many {terms.units} have all attributes of the combination{noise}.",
        "low": f"Lower end of the {_percent(content)} interval of the count that the noise leaves.",
        "high": f"Upper end of the {_percent(content)} interval of the count that the noise leaves.",
        "sd": f"Standard deviation of the noise with which the combination was measured, in {terms.units}.",
    }


def value_meaning(content: Content, column: ReleaseColumn, value: str) -> str:
    """What a value means, as far as anybody said."""
    said = content.label(column.name, value)
    if value == ZERO and not column.sensitive_zeros:
        return f"{said or 'No'}; not counted among the aggregates."
    return said or "As the value says."


def _rounding(content: Content) -> str:
    return "" if content.terms.k is None else f", rounded down to a multiple of k = {content.terms.k}"


def _promise(content: Content) -> str:
    return PROMISES[content.terms.promise].name[:1].lower() + PROMISES[content.terms.promise].name[1:]


def _percent(content: Content) -> str:
    return f"{100 * content.terms.confidence:g} %"
