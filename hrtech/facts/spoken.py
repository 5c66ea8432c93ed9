"""Reading numbers out of prose: in digits, in words, in signs, with percent marks and scales.

Here: what a text says, as numbers. Whether a fact says so too is judged in `hrtech.facts.narrative`.
"""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = re.compile(
    r"(?P<sign>(?<![\w)\]%])[-\u2212\u2011\u2013])?"
    r"(?P<digits>\d{1,3}(?:[,\u00a0\u202f\u2009 ]\d{3})+(?!\d)|\d+)?"
    r"(?P<decimals>\.\d+)?"
    r"(?P<exponent>[eE][-\u2212+]?\d+)?"
)
_PERCENT: Final = re.compile(r"\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_SCALE: Final = re.compile(r"[\s-]*(hundred|thousand|million|billion|dozen|k|bn|m)\b", re.IGNORECASE)
_UNITS: Final = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
_TENS: Final = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_FRACTIONS: Final = {
    "half": 0.5,
    "halves": 0.5,
    "third": 1 / 3,
    "thirds": 1 / 3,
    "quarter": 0.25,
    "quarters": 0.25,
    "fifth": 0.2,
    "fifths": 0.2,
    "tenth": 0.1,
    "tenths": 0.1,
}
_MULTIPLES: Final = {
    "twice": 2.0,
    "double": 2.0,
    "doubled": 2.0,
    "triple": 3.0,
    "tripled": 3.0,
    "thrice": 3.0,
}
_SCALES: Final = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "dozen": 12.0,
    "k": 1e3,
    "m": 1e6,
    "bn": 1e9,
}
_WORDS: Final = re.compile(
    r"\b(?:(?P<tens>" + "|".join(_TENS) + r")(?:[\s-](?P<unit>one|" + "|".join(_UNITS) + r"))?"
    r"|(?P<alone>" + "|".join([*_UNITS, *_FRACTIONS, *_MULTIPLES]) + r")"
    r"|(?:an?|one|several|many)[\s-](?P<scale>hundred|thousand|million|billion|dozen)"
    r"|(?P<many>hundreds|thousands|millions|billions|dozens))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Said:
    """A number as a text says it."""

    value: float
    percent: bool
    start: int
    words: str

    @property
    def key(self) -> tuple[object, bool]:
        """What makes two of them the same; one without a value is known by its words."""
        return (self.words.casefold().strip() if math.isnan(self.value) else self.value, self.percent)


def numbers_in(text: str) -> Iterator[Said]:
    """All numbers of a text, in digits, in words, and in signs such as `½`."""
    yield from _digit_numbers(text)
    for found in _WORDS.finditer(text):
        scalable = found["scale"] is None and found["many"] is None
        yield _with_scale(text, found.start(), found.end(), _word_value(found), scalable=scalable)
    for position, sign in enumerate(text):
        if unicodedata.category(sign) in ("No", "Nl"):
            yield Said(unicodedata.numeric(sign), False, position, sign)


def _digit_numbers(text: str) -> Iterator[Said]:
    for found in _DIGITS.finditer(text):
        if found["digits"] is None and found["decimals"] is None:
            continue
        body = re.sub(r"[^\d]", "", found["digits"] or "0") + (found["decimals"] or "")
        value = float(body + (found["exponent"] or "").replace("\u2212", "-"))
        value = -value if found["sign"] else value
        yield _with_scale(text, found.start(), found.end(), value)


def _with_scale(text: str, start: int, end: int, value: float, *, scalable: bool = True) -> Said:
    """Read on from a number: `million`, `%`, or letters that make it no number that a fact displays (`3rd`)."""
    scale = _SCALE.match(text, end) if scalable else None
    if scale:
        value, end = value * _SCALES[scale[1].lower()], scale.end()
    elif end < len(text) and (text[end].isalpha() or text[end] in "‰‱"):
        value = math.nan
        end += len(re.match(r"\w+|.", text[end:])[0])  # type: ignore[index]
    percent = _PERCENT.match(text, end)
    return Said(value, percent is not None, start, text[start : percent.end() if percent else end])


def _word_value(found: re.Match[str]) -> float:
    if found["tens"]:
        unit = (found["unit"] or "").lower()
        return float(_TENS[found["tens"].lower()] + (1 if unit == "one" else _UNITS.get(unit, 0)))
    if found["alone"]:
        word = found["alone"].lower()
        return {**_UNITS, **_FRACTIONS, **_MULTIPLES}[word]
    if found["scale"]:
        return _SCALES[found["scale"].lower()]
    # "hundreds" claims a size that no fact displays
    return math.nan


def shown_number(shown: str) -> tuple[float, int]:
    """Read a displayed number back: its value, and the decimals that it shows (negative ones are trailing zeros)."""
    found = next(match for match in _DIGITS.finditer(shown) if match["digits"])
    negative = shown.startswith(("-", "\u2212"))
    exponent = (found["exponent"] or "e0").replace("\u2212", "-")
    body = re.sub(r"[^\d]", "", found["digits"]) + (found["decimals"] or "")
    value = float(body + exponent)
    return (-value if negative else value), len((found["decimals"] or ".")[1:]) - int(exponent[1:])
