"""Encodings read and compared, by somebody who has no key.

Registers of encodings are made by `hrtech.linkage.encoding`. Here: whether they fit together, and the levels of
agreement of two encodings. Filters are compared by the Dice coefficient of their bits, told as similarity beyond
chance: 0 is what two unrelated filters of the field have in common, 1 is equality. So the same levels suit full and
sparse, balanced and folded filters.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from hrtech.linkage.encoding import ENCODING, HASH_MARK, VERSION
from hrtech.linkage.spec import LinkageError, LinkageSpec

_LEVELS: Final = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
_SAMPLE: Final = 20_000
_HASH_DIGITS: Final = 32


def check_encodings(registers: Mapping[str, pd.DataFrame], spec: LinkageSpec) -> None:
    """Refuse encodings that cannot be compared with one another.

    Raises:
        LinkageError: A register does not say how it was encoded, was encoded otherwise or with another key than the
            others, or holds a cell that is no encoding of the declared width. Names register, column and row.
    """
    encoded = [one for one in spec.fields if one.kind == "encoded"]
    if not encoded:
        return
    described: dict[str, dict[str, str]] = {}
    for register, frame in registers.items():
        columns = [column for one in encoded if (column := one.column(register)) is not None]
        if not columns:
            continue
        described[register] = said = _described(register, frame)
        for column in columns:
            if column in frame.columns:
                _check_cells(register, column, frame[column], said)
    _check_alike(described)
    for one in encoded:
        names = {column for register in registers if (column := one.column(register)) is not None}
        if len(names) > 1:
            raise LinkageError(
                f"Field '{one.name}' compares the unlike encodings {', '.join(sorted(names))}, which have nothing in "
                "common by design. Compare columns of one name [setting: fields.columns]"
            )


def _described(register: str, frame: pd.DataFrame) -> dict[str, str]:
    if ENCODING not in frame.columns:
        raise LinkageError(
            f"Register '{register}' has no column '{ENCODING}', which says how it was encoded. Read the file as the "
            "encoding tool wrote it, this column included [setting: registers.source.columns]"
        )
    texts = frame[ENCODING].astype("str").unique()
    if len(texts) != 1:
        raise LinkageError(
            f"Register '{register}' holds records of {len(texts)} encodings. Encode them together, or make each a "
            "register of its own"
        )
    version, *rest = texts[0].split(";")
    said = dict(part.partition("=")[::2] for part in rest)
    wanted = {"width", "filters", "hashes", "parameters", "normalisation", "key"}
    if version != VERSION or set(said) != wanted or not said["width"].isdigit():
        raise LinkageError(
            f"Register '{register}' was not encoded in the form {VERSION}. Encode it with this version of the tool"
        )
    return said


def _check_alike(described: Mapping[str, Mapping[str, str]]) -> None:
    first, *others = described
    for other in others:
        for part, meaning, mend in (
            ("parameters", "parameters", "Agree on one scheme file"),
            (
                "normalisation",
                "versions of the tool, which spell values otherwise",
                "Install the same version",
            ),
            ("key", "keys", "Agree on one key"),
        ):
            if described[first][part] != described[other][part]:
                raise LinkageError(
                    f"Registers '{first}' and '{other}' were encoded with different {meaning}, so that none of their "
                    f"encodings can be compared. {mend}, and encode both again"
                )


def _check_cells(register: str, column: str, values: pd.Series, said: Mapping[str, str]) -> None:
    filters, hashes = said["filters"].split(","), said["hashes"].split(",")
    if column not in filters and column not in hashes:
        raise LinkageError(
            f"Register '{register}', column '{column}' is no encoding: the file has "
            f"{', '.join(name for name in (*filters, *hashes) if name)} [setting: fields.columns]"
        )
    width = int(said["width"])
    fits = _is_hash if column in hashes else lambda text: _is_filter(text, width)
    known = values.dropna()
    wrong = ~known.map({text: fits(text) for text in known.unique()}).to_numpy(bool)
    if wrong.any():
        row = int(np.flatnonzero(values.notna().to_numpy())[wrong][0])
        what = "a keyed hash" if column in hashes else f"a filter of {width} bits"
        raise LinkageError(
            f"Register '{register}', column '{column}': {int(wrong.sum())} cells are not {what}, the first in record "
            f"{row + 1}. Use the file as the encoding tool wrote it"
        )


def _is_hash(text: str) -> bool:
    digits = text.removeprefix(HASH_MARK)
    return len(digits) == _HASH_DIGITS == len(text) - 1 and set(digits) <= set("0123456789abcdef")


def _is_filter(text: str, width: int) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) * 8 == width
    except (binascii.Error, ValueError):
        return False


def is_filter(values: pd.Series) -> bool:
    """Return whether encodings are filters, and not hashes."""
    return not values.dropna().str.startswith(HASH_MARK).any()


def encoded_levels(name: str, values: pd.Series) -> tuple[list[dict[str, Any]], dict[str, pd.Series]]:
    """Return the levels between equality and difference, and the columns that they need.

    Args:
        name: Name of the field.
        values: Its encodings, missing where blank.

    Returns:
        Level dictionaries, none for hashes; the filter as bytes `<name>__bits` and its number of ones `<name>__ones`.
    """
    if not is_filter(values):
        return [], {}
    packed = _packed(values)
    known = values.notna().to_numpy()
    share = _shares(packed[known])
    chance = float((share**2).sum() / share.sum())
    ones = pd.Series(np.bitwise_count(packed).sum(axis=1, dtype=np.int64), index=values.index)
    derived = {
        f"{name}__bits": pd.Series([row.tobytes() for row in packed], index=values.index).where(known, None),
        f"{name}__ones": ones.astype("Int64").where(known),
    }
    common = f"bits_in_common({name}__bits_l, {name}__bits_r)"
    both = f"({name}__ones_l + {name}__ones_r)"
    levels = [
        {
            "sql_condition": f"2 * {common} >= {chance + (1 - chance) * level:.6f} * {both}",
            "label_for_charts": f"alike by {level:.0%} or more".replace("%", " %"),
        }
        for level in _LEVELS
    ]
    return levels, derived


def bit_key(values: pd.Series, bits: int, table: int) -> pd.Series:
    """Return what records must agree on in one table of locality-sensitive hashing: some bits of a filter.

    Filters that differ in few bits agree on a small sample of bits in some of several tables, whatever the difference
    (bit sampling for the Hamming distance, Indyk and Motwani 1998; for linkage Durham 2012). Bits are drawn among the
    half that is nearest to being set in every second record, which tell most.

    Args:
        values: Filters, missing where blank.
        bits: Bits to agree on.
        table: Number of the table; each has its own bits, the same in every run.

    Returns:
        A text per record, missing where the value is.
    """
    packed = _packed(values)
    known = values.notna().to_numpy()
    order = np.argsort(np.abs(_shares(packed[known]) - 0.5), kind="stable")
    drawn = np.random.default_rng([bits, table]).choice(
        order[: max(len(order) // 2, bits)], bits, replace=False
    )
    sample = packed[:, drawn // 8] >> (7 - drawn % 8).astype(np.uint8) & 1
    keys = np.packbits(sample, axis=1)
    texts = pd.Series([row.tobytes().hex() for row in keys], index=values.index, dtype="str")
    return texts.where(known)


def bits_of(values: pd.Series) -> np.ndarray:
    """Return the bits of filters, a row each; zeros where missing."""
    return np.unpackbits(_packed(values), axis=1)


def _packed(values: pd.Series) -> np.ndarray:
    """Return filters as rows of bytes; zeros where missing."""
    codes, distinct = pd.factorize(values)
    rows = np.frombuffer(b"".join(base64.b64decode(text) for text in distinct), np.uint8)
    rows = rows.reshape(len(distinct), -1)
    return np.vstack([rows, np.zeros((1, rows.shape[1]), np.uint8)])[codes]


def _shares(packed: np.ndarray) -> np.ndarray:
    """Return the share of records in which each bit is set, from at most 20,000 of them."""
    sample = packed[:: max(len(packed) // _SAMPLE, 1)]
    return np.unpackbits(sample, axis=1).mean(axis=0)
