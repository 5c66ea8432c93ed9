r"""Attributes and how a combination of them is written.

An attribute is one (column, value) pair. A combination is a set of attributes; its canonical text is
``column:value;column:value`` with the attributes sorted by column and then by value, so that the text
does not depend on the order of columns in a file. A backslash protects ``\``, ``;`` and (in a column
name) ``:`` where they are part of a name, so that every text can be read back.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Attribute = tuple[str, str]

_JOINT = ";"
_COLON = ":"


def _protected(text: str, marks: str) -> str:
    return "".join("\\" + c if c in marks else c for c in text)


def render_attribute(attribute: Attribute) -> str:
    """One attribute as text, ``column:value``."""
    column, value = attribute
    return _protected(column, "\\;:") + _COLON + _protected(value, "\\;")


def render_attributes(attributes: Iterable[Attribute]) -> str:
    """The canonical text of a combination."""
    return _JOINT.join(render_attribute(a) for a in sorted(attributes))


def _split(text: str, mark: str, at_most: int = -1) -> list[str]:
    """Split at unprotected marks, leaving the protection in the parts."""
    parts: list[str] = []
    part, position = "", 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            part += text[position : position + 2]
            position += 2
            continue
        if char == mark and len(parts) != at_most:
            parts.append(part)
            part = ""
        else:
            part += char
        position += 1
    return [*parts, part]


def _unprotected(text: str) -> str:
    out, position = "", 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        out += text[position : position + 1]
        position += 1
    return out


def parse_attributes(text: str) -> tuple[Attribute, ...]:
    """Read a canonical text back into its attributes.

    Raises:
        ValueError: if a part holds no ``:``.
    """
    attributes = []
    for part in _split(text, _JOINT):
        pieces = _split(part, _COLON, at_most=1)
        if len(pieces) != 2:
            raise ValueError("a combination is written column:value;column:value")
        attributes.append((_unprotected(pieces[0]), _unprotected(pieces[1])))
    return tuple(attributes)


def render_cells(items: Sequence[Attribute], cells: NDArray[np.integer]) -> pd.Series:
    """Canonical texts of many combinations at once.

    Args:
        items: all attributes, addressed by position.
        cells: shape (combinations, length), positions in ``items``.

    Returns:
        One text per row of ``cells``, dtype ``str``.
    """
    order = sorted(range(len(items)), key=lambda k: items[k])
    rank = np.empty(len(items), dtype=np.int64)
    rank[order] = np.arange(len(items))
    texts = pa.array([render_attribute(items[k]) for k in order], type=pa.large_string())
    ranked = np.sort(rank[cells], axis=1)
    parts = [pc.take(texts, pa.array(ranked[:, k])) for k in range(ranked.shape[1])]
    joined = (
        parts[0]
        if len(parts) == 1
        else pc.binary_join_element_wise(*parts, pa.scalar(_JOINT, pa.large_string()))
    )
    return pd.Series(joined.to_numpy(zero_copy_only=False), dtype="str")
