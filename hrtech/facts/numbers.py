"""How a number is shown: rounded by its uncertainty, the same on every machine.

Here: formatting of one number with its unit, and the rounding that was used. No locale is read, so the same number
gives the same text everywhere. Sentences and links are made elsewhere.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

#: Units that are written as a symbol beside the number; a unit that is not listed is a word of the sentence.
SYMBOLS: Final = {"percent": ("", "%"), "proportion": ("", "%"), "USD": ("US$", ""), "EUR": ("€", "")}
#: Units whose numbers are names of a place on a scale and take no thousands separator.
_UNGROUPED: Final = frozenset({"year"})
#: Units that count things, and so never show decimals.
_WHOLE: Final = frozenset(
    {"count", "people", "persons", "records", "cases", "victims", "firms", "rows", "year"}
)
_MINUS: Final = "\u2212"
_SIGNIFICANT: Final = 3
_MOST_DECIMALS: Final = 6


@dataclass(frozen=True)
class Rounding:
    """How a number is rounded for display.

    Attributes:
        decimals: Decimals shown.
        fixed: Trailing zeros are kept, because the number has an interval of the same precision.
    """

    decimals: int
    fixed: bool = False


def scaled(value: float, unit: str) -> float:
    """The number that stands before the unit's symbol: a proportion of 0.125 is shown as 12.5 %."""
    return float(Decimal(repr(float(value))) * 100) if unit == "proportion" else float(value)


def rounding(value: float, unit: str = "", low: float | None = None, high: float | None = None) -> Rounding:
    """Choose the decimals of a number.

    With an interval, the decimals are those that give its half width two significant digits, the rule of the
    Particle Data Group (Review of Particle Physics, "Rounding"), simplified. Without one, three significant
    digits. Whole numbers and counts show no decimals.

    Args:
        value: The number, in its unit.
        unit: Unit; `proportion` is shown in percent.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """
    if unit in _WHOLE:
        return Rounding(0)
    half = (scaled(high, unit) - scaled(low, unit)) / 2 if low is not None and high is not None else 0.0
    if half > 0:
        return Rounding(min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(half)))), fixed=True)
    shown = scaled(value, unit)
    if shown == 0 or shown.is_integer():
        return Rounding(0)
    return Rounding(max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(shown)))))


def plain(value: float, how: Rounding, *, grouped: bool = True) -> str:
    """A number without unit: `12345.678` is `12,345.7`, a negative one has a true minus sign."""
    if how.decimals > _MOST_DECIMALS and not how.fixed:
        digits, exponent = f"{value:.{_SIGNIFICANT - 1}e}".split("e")
        text = f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{int(exponent)}"
        return text.replace("-", _MINUS)
    exact = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-how.decimals), rounding=ROUND_HALF_EVEN)
    text = f"{abs(exact):{',' if grouped else ''}.{how.decimals}f}"
    if not how.fixed and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{_MINUS}{text}" if exact < 0 else text


def format_number(
    value: float,
    unit: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    as_rounded: Rounding | None = None,
) -> str:
    """A number as it stands in a sentence.

    Only the units of `SYMBOLS` are written beside the number; any other unit is a word that the sentence brings.

    Args:
        value: The number, in its unit.
        unit: Unit.
        low: Lower end of its interval, which sets the rounding.
        high: Upper end of its interval, which sets the rounding.
        as_rounded: Rounding to use instead, so that the ends of an interval are shown like its middle.

    Example:
        >>> format_number(1234567)
        '1,234,567'
        >>> format_number(0.12345, "proportion", low=0.11, high=0.14)
        '12.3%'
    """
    how = as_rounded or rounding(value, unit, low, high)
    before, after = SYMBOLS.get(unit, ("", ""))
    text = plain(scaled(value, unit), how, grouped=unit not in _UNGROUPED)
    if text.startswith(_MINUS):
        return f"{_MINUS}{before}{text[1:]}{after}"
    return f"{before}{text}{after}"
