"""Values made comparable: case, accents, punctuation, legal forms, phone digits, dates.

Belongs here: one function from a raw text to its comparable form, per kind of field, and words of a value.
Nothing here compares two values. Scripts other than Latin keep their letters (no transliteration).
Legal forms: the abbreviations in frequent use of ISO 20275 (Entity Legal Forms); a list, not the whole code list.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

import pandas as pd

from hrtech.linkage.spec import FieldKind

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam"})
_LEGAL_FORMS: Final = frozenset({
    "ltd", "limited", "llc", "llp", "lp", "plc", "inc", "incorporated", "corp", "corporation", "co",
    "company", "gmbh", "ag", "kg", "ohg", "ug", "mbh", "sarl", "sas", "sasu", "sa", "srl", "spa", "sl",
    "slu", "sca", "bv", "nv", "cv", "vof", "ab", "oy", "oyj", "as", "asa", "aps", "kft", "zrt", "doo",
    "dooel", "sro", "spzoo", "zoo", "ooo", "oao", "zao", "pao", "ao", "pjsc", "ojsc", "jsc", "pt", "tbk",
    "sdn", "bhd", "pte", "pty", "pvt", "private", "kk", "yk", "gk", "ltda", "eireli", "sapi", "fzco",
    "fze", "fzllc", "dmcc", "est", "wll", "saoc",
})  # fmt: skip
_ADDRESS_WORDS: Final = {
    "street": "st", "road": "rd", "avenue": "ave", "lane": "ln", "square": "sq", "boulevard": "blvd",
    "drive": "dr", "place": "pl", "court": "ct", "highway": "hwy", "terrace": "tce", "crescent": "cres",
    "parade": "pde", "trail": "trl", "suite": "ste", "apartment": "apt", "building": "bldg", "floor":
    "fl", "north": "n", "south": "s", "east": "e", "west": "w",
}  # fmt: skip
_DOTTED: Final = re.compile(r"\b(?:\w\.){2,}")
_BREAKS: Final = re.compile(r"[\W_]+")
_ISO_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?")


def fold(text: str) -> str:
    """Return a text in lower case without accents, with single spaces between its words."""
    text = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = _DOTTED.sub(lambda found: found.group().replace(".", ""), text.replace("'", "").replace("’", ""))
    return _BREAKS.sub(" ", text).strip()


def _person(text: str) -> str:
    words = fold(text).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _TITLES else words)


def _company(text: str) -> str:
    words = fold(text.replace("&", " and ")).split()
    kept = list(words)
    while len(kept) > 1 and (kept[-1] in _LEGAL_FORMS or (kept[-1] == "and" and len(kept) < len(words))):
        kept.pop()
    while len(kept) > 1 and kept[0] in _LEGAL_FORMS:
        kept.pop(0)
    return " ".join(kept)


def _address(text: str) -> str:
    return " ".join(_ADDRESS_WORDS.get(word, word) for word in fold(text).split())


def _phone(text: str) -> str:
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", text)).lstrip("0")


def _email(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip().casefold()
    return text if "@" in text else ""


def _date(text: str) -> str:
    found = _ISO_DATE.fullmatch(text.strip())
    return "-".join(found.groups()) if found else ""


def _identifier(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


_BY_KIND: Final[dict[str, Callable[[str], str]]] = {
    "person_name": _person,
    "given_name": _person,
    "family_name": _person,
    "company_name": _company,
    "address": _address,
    "phone": _phone,
    "email": _email,
    "date": _date,
    "identifier": _identifier,
    "category": fold,
    "encoded": str.strip,
}


def normalise(values: pd.Series, kind: FieldKind) -> pd.Series:
    """Return values in comparable form, dtype `str`, missing where nothing comparable is left.

    Args:
        values: Raw values; dates may be datetimes or texts `YYYY-MM-DD` or `YYYYMMDD` (others become missing).
        kind: Kind of field.

    Returns:
        A series with the same index.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        texts = values.dt.strftime("%Y-%m-%d").astype("str")
    elif pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        texts = (
            values.astype("Int64").astype("str").where(values.notna())
        )  # 1234.0 read from a column with blanks
    else:
        texts = values.astype("str").where(values.notna())
    rule = _BY_KIND[kind]
    forms = {text: rule(text) or None for text in texts.dropna().unique()}
    return texts.map(forms).astype("str")


def words_of(values: pd.Series) -> pd.Series:
    """Return the sorted distinct words of normalised values as lists, None where missing (dtype object)."""
    forms = {text: sorted(set(text.split())) for text in values.dropna().unique()}
    return pd.Series([forms.get(text) for text in values], index=values.index, dtype=object)
