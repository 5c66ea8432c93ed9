"""One text for one value: what is hashed, chained and compared in the ledger.

Keys are sorted, a whole number is written the same whether it came as 4 or 4.0, tuples are lists. The form is part
of every release key: a change of it would make every release a new one, and charge it again.
"""

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any


def canonical_json(value: Any, name: str = "value") -> str:
    """Write a value as canonical JSON (ASCII, keys sorted, no spaces).

    Args:
        value: Built from mappings with text keys, sequences, text, numbers, booleans and None.
        name: What the value is, for the message.

    Raises:
        TypeError: Something in it has no JSON form; the message names the place and the type, not the value.
    """
    return json.dumps(_plain(value, name), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        if not math.isfinite(number):
            raise TypeError(f"{place} is not a finite number, which has no canonical form.")
        return int(number) if number.is_integer() else number
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{place} has a key that is not text.")
        return {key: _plain(entry, f"{place}.{key}") for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(entry, f"{place}[{index}]") for index, entry in enumerate(value)]
    raise TypeError(
        f"{place} is a {type(value).__name__}, which has no canonical form. Use text, numbers, lists, mappings."
    )
