"""Encodings of names and other fields, made with a secret key where the data lives.

A *filter* is a keyed Bloom filter: every bigram of a value sets some of its bits, chosen by HMAC-SHA256, so that alike
values have alike filters and nobody without the key can compute one. A *hash* is a keyed hash of a whole value, for
identifiers. Two organisations that hold the same key and the same scheme make encodings that can be compared; whoever
compares them has neither key nor values. What can be learned from them nevertheless is in `docs/private_linkage.md`.

Sources: Schnell, Bachteler and Reiher 2009 (encoding, record-level filters 2011); Schnell and Borgs 2016 (random
instead of double hashing, balancing, XOR-folding); Niedermeyer et al. 2014 (salting with another attribute).

Here: the scheme, and the encoding of a table. Reading encodings is in `hrtech.linkage.encoded`.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from hrtech.linkage.normalise import normalise
from hrtech.linkage.spec import FIELD_NAME, RESERVED, FieldKind, LinkageError

VERSION: Final = "clk1"
"""Form of encodings; raised whenever the same value would be encoded otherwise."""

ENCODING: Final = "encoding"
"""Column that says, alike in every row, how a file was encoded and with which key (by a check value)."""

KEY_BYTES: Final = 32
HASH_MARK: Final = "#"

_NAMES: Final = frozenset({"person_name", "given_name", "family_name"})
_DIGITS: Final = frozenset({"date", "identifier", "phone"})
_BITS: Final = (256, 512, 1024, 2048, 4096)
_MOST_HASHES: Final = 64
_CHUNK: Final = 4096

# Spellings whose comparable forms are part of the description: sides that normalise otherwise are told apart.
_PROBES: Final = (
    "Dr. Zoë O'Nåll-Łuk", "Müller & Søn GmbH", "Žižek  d.o.o.", "Александр Ößül", "محمد", "李小龍",
    "12 Main Street, 3rd Floor", "+44 (0)20 7946-0018", "Some.One@Example.org ", "1990-02-03", "19900203", "AB-12 34/x",
)  # fmt: skip


@dataclass(frozen=True)
class EncodedPart:
    """One thing that goes into an encoded field.

    Attributes:
        name: Name of the thing; a column of the table to encode.
        kind: What it is; decides how it is normalised and cut into bigrams.
        hashes: Bits that each bigram sets in a filter; more give the part more weight among others.
        first: Only the first characters count (of a hash or a salt); None: all.
    """

    name: str
    kind: FieldKind
    hashes: int = 12
    first: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(FieldKind) or self.kind == "encoded":
            raise LinkageError(
                f"Part '{self.name}' has the kind '{self.kind}', which cannot be encoded. Use one of "
                f"{', '.join(kind for kind in get_args(FieldKind) if kind != 'encoded')} [setting: parts.kind]"
            )
        if not 1 <= self.hashes <= _MOST_HASHES:
            raise LinkageError(
                f"Part '{self.name}': hashes must be between 1 and {_MOST_HASHES} [setting: parts.hashes]"
            )
        if self.first is not None and self.first < 1:
            raise LinkageError(f"Part '{self.name}': first must be at least 1 [setting: parts.first]")


@dataclass(frozen=True)
class EncodedField:
    """One encoded column.

    Attributes:
        name: Name of the column.
        parts: What goes into it. Several parts in one filter hide how often each of their values occurs.
        method: `filter` (compared by similarity) or `hash` (compared by equality).
    """

    name: str
    parts: tuple[EncodedPart, ...]
    method: Literal["filter", "hash"] = "filter"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not FIELD_NAME.fullmatch(self.name) or "__" in self.name or self.name in {*RESERVED, ENCODING}:
            raise LinkageError(
                f"Encoded field '{self.name}' cannot be called so. Take letters, digits and single underscores, and "
                f"none of {', '.join(sorted({*RESERVED, ENCODING}))} [setting: fields.name]"
            )
        if self.method not in ("filter", "hash"):
            raise LinkageError(
                f"Encoded field '{self.name}': method is filter or hash [setting: fields.method]"
            )
        if not self.parts:
            raise LinkageError(f"Encoded field '{self.name}' has no parts. Name one [setting: fields.parts]")
        if self.method == "filter" and any(part.first for part in self.parts):
            raise LinkageError(
                f"Encoded field '{self.name}': first is for hashes and salts, not for filters [setting: parts.first]"
            )


@dataclass(frozen=True)
class EncodingScheme:
    """How a table is encoded; no secret, and the same on both sides.

    Attributes:
        fields: The encoded columns.
        bits: Length of a filter before hardening: 256, 512, 1024, 2048 or 4096.
        folded: Halve each filter by exclusive or (XOR-folding): hides which bits one bigram set.
        balanced: Append the complement, in keyed order: every filter has the same number of ones, which hides how
            long a value is; it is twice as long.
        salt: A part, such as the year of birth, that every bit also depends on: equal names of people with unequal
            salts get unrelated filters. Records with a wrong or blank salt are lost.
    """

    fields: tuple[EncodedField, ...]
    bits: int = 1024
    folded: bool = False
    balanced: bool = False
    salt: EncodedPart | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        names = [field.name for field in self.fields]
        if not names or len(set(names)) < len(names):
            raise LinkageError(
                "A scheme needs encoded fields, each under a name of its own [setting: fields]"
            )
        if self.bits not in _BITS:
            raise LinkageError(f"bits is one of {', '.join(map(str, _BITS))} [setting: bits]")
        kinds: dict[str, str] = {}
        for part in self.parts():
            if kinds.setdefault(part.name, part.kind) != part.kind:
                raise LinkageError(
                    f"Part '{part.name}' is declared with two kinds. Give it one [setting: parts.kind]"
                )

    def parts(self) -> list[EncodedPart]:
        """Return every part, the salt included; one that serves twice occurs twice."""
        return [part for field in self.fields for part in field.parts] + ([self.salt] if self.salt else [])

    @property
    def width(self) -> int:
        """Bits of a finished filter."""
        return self.bits // (2 if self.folded else 1) * (2 if self.balanced else 1)

    def describe(self, key: bytes) -> str:
        """Return what the column `encoding` says of every row: form, parameters, and check values."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        named = {method: [f.name for f in self.fields if f.method == method] for method in ("filter", "hash")}
        said = {
            "width": str(self.width),
            "filters": ",".join(named["filter"]),
            "hashes": ",".join(named["hash"]),
            "parameters": hashlib.sha256(content.encode()).hexdigest()[:16],
            "normalisation": _normalisation(self),
            "key": key_check(key),
        }
        return ";".join([VERSION, *(f"{name}={value}" for name, value in said.items())])


def key_check(key: bytes) -> str:
    """Return a check value of a key, which tells keys apart and nothing else about them.

    Raises:
        LinkageError: The key has not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise LinkageError(
            f"The key has {len(key)} bytes instead of {KEY_BYTES}. Make one with the tool, and copy it whole"
        )
    return hmac.digest(key, b"hrtech linkage key check", "sha256").hex()[:16]


def encode(table: pd.DataFrame, scheme: EncodingScheme, key: bytes, tokens: pd.Series) -> pd.DataFrame:
    """Encode a table.

    Args:
        table: One column per part, called like it; raw values, blanks missing.
        scheme: How.
        key: 32 secret bytes that both sides hold.
        tokens: A random name for each record, in the order of the table, which the owner alone can resolve.

    Returns:
        `record_id` (the token), `encoding`, and one text column per encoded field: a filter in base64, a hash in
        hexadecimal after `#`, missing where every part (of a hash: any part) is blank. Rows are in the order of
        their tokens, which tells nothing of the table's.

    Raises:
        LinkageError: A column is missing, the key has not 32 bytes, or a token is used twice.
    """
    check = scheme.describe(key)
    if missing := sorted({part.name for part in scheme.parts()} - set(table.columns)):
        raise LinkageError(
            f"The table has no column {', '.join(missing)}. Say which columns hold these parts [option: --column]"
        )
    if tokens.duplicated().any() or len(tokens) != len(table):
        raise LinkageError("Every record needs a token of its own")
    values = {part.name: normalise(table[part.name], part.kind) for part in scheme.parts()}
    salt = pd.Series("", index=table.index, dtype="str")
    if scheme.salt is not None:
        salt = values[scheme.salt.name].str.slice(0, scheme.salt.first).fillna("")
    columns = {"record_id": tokens.to_numpy(), ENCODING: check}
    for field in scheme.fields:
        secret = hmac.digest(key, f"{VERSION} {field.method} {field.name}".encode(), "sha256")
        make = _hashes if field.method == "hash" else _filters
        columns[field.name] = make(field, values, salt, scheme, secret).to_numpy()
    return pd.DataFrame(columns).astype("str").sort_values("record_id", ignore_index=True)


def _hashes(
    field: EncodedField, values: dict[str, pd.Series], salt: pd.Series, scheme: EncodingScheme, secret: bytes
) -> pd.Series:
    texts = [values[part.name].str.slice(0, part.first) for part in field.parts]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + "\x1f" + text
    forms = {
        text: HASH_MARK + hmac.digest(secret, text.encode(), "sha256").hex()[:32]
        for text in joined.dropna().unique()
    }
    return joined.map(forms).astype("str")


def _filters(
    field: EncodedField, values: dict[str, pd.Series], salt: pd.Series, scheme: EncodingScheme, secret: bytes
) -> pd.Series:
    packed = np.zeros((len(salt), scheme.bits // 8), np.uint8)
    known = np.zeros(len(salt), bool)
    for part in field.parts:
        own = values[part.name]
        known |= own.notna().to_numpy()
        codes, distinct = pd.factorize(own.str.cat(salt, sep="\x1f"))
        rows = _filter_rows(list(distinct), part, scheme.bits, secret)
        held = codes >= 0
        packed[held] |= rows[codes[held]]
    if scheme.folded:
        half = packed.shape[1] // 2
        packed = packed[:, :half] ^ packed[:, half:]
    if scheme.balanced:
        packed = _permuted(np.hstack([packed, ~packed]), secret)
    texts = [base64.b64encode(row.tobytes()).decode() if any_part else None
             for row, any_part in zip(packed, known.tolist(), strict=True)]  # fmt: skip
    return pd.Series(texts, index=salt.index, dtype="str")


def _filter_rows(distinct: list[str], part: EncodedPart, bits: int, secret: bytes) -> np.ndarray:
    """Return one packed filter per value (with its salt after a separator)."""
    places = _places(part, bits, secret)
    rows = np.zeros((len(distinct), bits // 8), np.uint8)
    for start in range(0, len(distinct), _CHUNK):
        chunk = distinct[start : start + _CHUNK]
        dense = np.zeros((len(chunk), bits), bool)
        for number, value in enumerate(chunk):
            text, _, salt = value.partition("\x1f")
            for gram in grams(text, part.kind):
                dense[number, places(gram, salt)] = True
        rows[start : start + len(chunk)] = np.packbits(dense, axis=1)
    return rows


def _places(part: EncodedPart, bits: int, secret: bytes) -> Callable[[str, str], np.ndarray]:
    """Return a function from a bigram and a salt to the bits that they set: independent draws, no double hashing."""
    seen: dict[tuple[str, str], np.ndarray] = {}
    # given and family names share their bits, so that swapped ones are alike; any other part has its own
    tag = "name" if part.kind in _NAMES else part.name

    def places(gram: str, salt: str) -> np.ndarray:
        if (gram, salt) not in seen:
            message = f"{tag}\x1f{salt}\x1f{gram}\x1f".encode()
            blocks = range((part.hashes + 7) // 8)
            stream = b"".join(hmac.digest(secret, message + bytes([block]), "sha256") for block in blocks)
            drawn = np.frombuffer(stream, "<u4")[: part.hashes]
            seen[gram, salt] = drawn % bits  # bits is a power of two: no place is likelier than another
        return seen[gram, salt]

    return places


def grams(text: str, kind: str) -> list[str]:
    """Return the pieces of a normalised value that set bits.

    Words: bigrams of the padded text. Digits (dates, phones, identifiers): each with its position, and bigrams
    without, so that one wrong digit and one that slipped both cost little. Categories: the whole value.
    """
    if kind == "category":
        return [text]
    if kind in _DIGITS:
        text = text.replace("-", "")
        return [f"{place}{sign}" for place, sign in enumerate(text)] + _bigrams(text)
    return _bigrams(f"_{text}_")


def _bigrams(text: str) -> list[str]:
    return [text[place : place + 2] for place in range(len(text) - 1)]


def _permuted(packed: np.ndarray, secret: bytes) -> np.ndarray:
    """Put the bits of all filters in one order that the key decides."""
    width = packed.shape[1] * 8
    seed = hmac.digest(secret, b"order of bits", "sha256")
    order = np.argsort([hmac.digest(seed, place.to_bytes(4, "big"), "sha256") for place in range(width)])
    return np.vstack(
        [
            np.packbits(np.unpackbits(packed[start : start + _CHUNK], axis=1)[:, order], axis=1)
            for start in range(0, max(len(packed), 1), _CHUNK)
        ]
    )


def _normalisation(scheme: EncodingScheme) -> str:
    """Return a digest of how this installation spells the probes: unlike normalisation must not pass unnoticed."""
    probes = pd.Series(list(_PROBES), dtype="str")
    kinds = sorted({part.kind for part in scheme.parts()})
    spelt = [normalise(probes, kind).fillna("").tolist() for kind in kinds]
    return hashlib.sha256(json.dumps([kinds, spelt], ensure_ascii=False).encode()).hexdigest()[:8]


def scheme_of(settings: object) -> EncodingScheme:
    """Read a scheme as it stands in its file.

    Args:
        settings: `fields` (each `name`, `method`, `parts`; each part `name`, `kind`, `hashes`, `first`), and where
            wanted `bits`, `folded`, `balanced`, `salt` (a part).

    Raises:
        LinkageError: Something is missing, unknown or of another type.
    """
    try:
        given = _settings(settings, "the scheme", {"fields", "bits", "folded", "balanced", "salt"})
        fields = [_settings(one, "a field", {"name", "method", "parts"}) for one in _list(given, "fields")]
        made = [
            EncodedField(**{**one, "parts": [_part(part) for part in _list(one, "parts")]}) for one in fields
        ]
        salt = None if given.get("salt") is None else _part(given["salt"])
        _typed(given, "the scheme", {"bits": int, "folded": bool, "balanced": bool})
        return EncodingScheme(**{**given, "fields": tuple(made), "salt": salt})
    except TypeError:
        raise LinkageError(
            "The scheme lacks a name or a kind somewhere. Give every field and part both"
        ) from None


def _part(settings: object) -> EncodedPart:
    given = _settings(settings, "a part", {"name", "kind", "hashes", "first"})
    _typed(given, "a part", {"name": str, "kind": str, "hashes": int, "first": int})
    return EncodedPart(**given)


def _settings(given: object, place: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise LinkageError(
            f"In {place} of the scheme, names and their values are wanted: {', '.join(sorted(known))}"
        )
    if unknown := sorted(set(given) - known):
        raise LinkageError(
            f"{place.capitalize()} has the unknown setting {', '.join(unknown)}. There are {', '.join(sorted(known))}"
        )
    return given


def _list(given: dict[str, Any], name: str) -> list[Any]:
    if not isinstance(given.get(name), list):
        raise LinkageError(f"The scheme's {name} are a list. Write one entry each [setting: {name}]")
    return list(given[name])


def _typed(given: dict[str, Any], place: str, types: dict[str, type]) -> None:
    for name, wanted in types.items():
        value = given.get(name)
        if value is not None and type(value) is not wanted:
            raise LinkageError(f"In {place} of the scheme, {name} is no {wanted.__name__} [setting: {name}]")
