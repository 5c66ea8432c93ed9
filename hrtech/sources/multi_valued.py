"""Columns whose cells hold several words: lists, each word once and in order.

Null is unknown; `[]`, which only typed sources can say, is known to be none.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hrtech.sources.columns import ColumnSpec
from hrtech.sources.errors import SourceError
from hrtech.sources.raw import RawTable
from hrtech.sources.words import PLAIN, coded_words, is_list, known_words, refuse

LIST: Final = pa.list_(pa.string())


def read_lists(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pd.Series:
    """Type a multi-valued column, from text with a separator or from lists.

    Raises:
        SourceError: No separator is declared for text, or an item is not one of the declared values.
    """
    if spec.separator is None and cells.null_count == len(cells):
        lists = pa.chunked_array([pa.nulls(len(cells), LIST)])
    elif is_list(cells.type):
        lists = _tidy_lists(raw, spec, cells)
    else:
        if spec.separator is None:
            raise SourceError(
                "no separator is declared for a multi-valued column of text",
                mend="Name what stands between two items, such as ';'",
                file=raw.parts[0].file,
                column=spec.name,
                setting=spec.setting("separator"),
            )
        lists = _split(known_words(raw, spec, cells), spec)
    if spec.values is not None:
        _check_items(raw, spec, lists)
    return pd.Series(pd.arrays.ArrowExtensionArray(lists))


def _split(words: pa.ChunkedArray, spec: ColumnSpec) -> pa.ChunkedArray:
    """Split each distinct cell once. A cell that holds nothing but separators and blanks is unknown."""
    coded = coded_words(words)
    items = [
        _items(cell.split(spec.separator or ";"), spec.blank) or None for cell in coded.dictionary.to_pylist()
    ]
    return pa.chunked_array([pa.array(items, type=LIST).take(coded.indices)])


def _items(parts: Sequence[str | None], blank: tuple[str, ...]) -> list[str]:
    trimmed = {part.strip() for part in parts if part is not None}
    return sorted(trimmed - {"", *blank})


def _tidy_lists(raw: RawTable, spec: ColumnSpec, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tidy lists that are lists already. One that holds only blanks is unknown; an empty one stays empty."""
    if not any(plain(cells.type.value_type) for plain in PLAIN):
        raise SourceError(
            f"lists of type {cells.type.value_type} cannot be read as multi-valued",
            mend="Write lists of text",
            file=raw.parts[0].file,
            column=spec.name,
            setting=spec.setting("role"),
        )
    cells = cells.cast(LIST)
    memory: dict[tuple[object, ...], list[str] | None] = {}
    tidy: list[list[str] | None] = []
    for cell in cells.to_pylist():
        if cell is None:
            tidy.append(None)
            continue
        key = tuple(cell)
        if key not in memory:
            memory[key] = _items(key, spec.blank) or (None if key else [])
        tidy.append(memory[key])
    return pa.chunked_array([pa.array(tidy, type=LIST)])


def _check_items(raw: RawTable, spec: ColumnSpec, lists: pa.ChunkedArray) -> None:
    declared = pa.array(spec.values or (), pa.string())
    flat = lists.combine_chunks()
    if isinstance(flat, pa.ChunkedArray):
        flat = flat.chunk(0)
    wrong_items = pc.invert(pc.is_in(pc.list_flatten(flat), value_set=declared)).to_numpy(
        zero_copy_only=False
    )
    wrong = np.zeros(len(flat), dtype=bool)
    wrong[pc.list_parent_indices(flat).to_numpy()[wrong_items]] = True
    refuse(
        raw,
        spec,
        pa.chunked_array([pa.array(wrong)]),
        f"an item of the cell is not one of the {len(declared)} declared values",
        mend="Correct the cell or its separator, complete the values, or list a word for unknown under `blank`",
        field="values",
    )
