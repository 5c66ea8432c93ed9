"""Values made comparable: script, case, accents, punctuation, legal forms, phone numbers, dates.

Belongs here: one function from a raw text to its comparable form, per kind of field, and words of a value.
Nothing here compares two values. Every script is written in Latin letters (anyascii); Arabic and Hebrew write no short
vowels, so that their names are comparable with one another and only partly with Latin spellings. Legal forms are those
of cleanco and some that it lacks. Phone numbers follow Google's libphonenumber. Postal addresses get common words
shortened and are not taken apart into street, number and town, which would need gigabytes of models.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import pandas as pd

from hrtech.linkage.spec import FieldKind

_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam"})
#: Legal forms in frequent use (ISO 20275) that cleanco does not list.
_MORE_FORMS: Final = (
    "ao", "dmcc", "eireli", "est", "fzco", "fze", "fzllc", "jsc", "mbh", "ojsc", "pjsc", "pty", "pvt", "sdn", "slu",
    "sp z o o", "spzoo", "tbk", "ug", "wll", "zoo", "srls", "sab de cv", "s de rl de cv", "ltd sti", "sti", "co ltd",
    "public company limited", "zhushihuishe",
)  # fmt: skip
#: Listed by cleanco, but as often the name of a country or a word.
_NO_FORMS: Final = frozenset({"at", "ca", "eu", "nl", "ok", "pc", "pp", "uk"})
#: Forms that stand before the name.
_LEADING: Final = frozenset(
    {"pt", "ooo", "oao", "zao", "pao", "ao", "tov", "jsc", "ojsc", "pjsc", "uab", "sia", "as", "ab", "oy", "ou", "cv",
     "zhushihuishe"}
)  # fmt: skip
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
    """Return a text in lower-case Latin letters without accents, with single spaces between its words."""
    if not text.isascii():
        from anyascii import anyascii

        text = anyascii(unicodedata.normalize("NFKC", text))
    text = text.casefold().replace("'", "").replace("`", "")
    if "." in text:
        text = _DOTTED.sub(lambda found: found.group().replace(".", ""), text)
    return _BREAKS.sub(" ", text).strip()


@lru_cache(maxsize=1)
def legal_forms() -> frozenset[tuple[str, ...]]:
    """Return every legal form that is known, as its words."""
    from cleanco.termdata import terms_by_country, terms_by_type

    listed = {
        fold(term) for terms in (terms_by_type, terms_by_country) for some in terms.values() for term in some
    }
    return frozenset(tuple(form.split()) for form in {*listed, *_MORE_FORMS} - _NO_FORMS - {""})


def _person(text: str) -> str:
    words = fold(text).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in _TITLES else words)


def _company(text: str) -> str:
    words = fold(text.replace("&", " and ")).split()
    forms = legal_forms()
    kept = list(words)
    while len(kept) > 1:
        ends = next((n for n in (4, 3, 2, 1) if n < len(kept) and tuple(kept[-n:]) in forms), 0)
        ends = ends or int(kept[-1] == "and" and len(kept) < len(words))
        if ends:
            del kept[-ends:]
        elif kept[0] in _LEADING:
            del kept[0]
        else:
            break
    return " ".join(kept)


def _address(text: str) -> str:
    return " ".join(_ADDRESS_WORDS.get(word, word) for word in fold(text).split())


def _phone(text: str, region: str | None = None) -> str:
    """Return the digits of a number with its country code where that is known, else the digits as they are."""
    import phonenumbers

    text = unicodedata.normalize("NFKC", text).strip()
    international = "+" + text[2:] if text.startswith("00") else text
    try:
        number = phonenumbers.parse(international, region)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", text).lstrip("0")
    if phonenumbers.is_possible_number(number):
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    return re.sub(r"\D", "", text).lstrip("0")


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
    "event_date": _date,
    "place": fold,
    "postcode": fold,
    "identifier": _identifier,
    "category": fold,
    "encoded": str.strip,
}


def normalise(values: pd.Series, kind: FieldKind, region: pd.Series | str | None = None) -> pd.Series:
    """Return values in comparable form, dtype `str`, missing where nothing comparable is left.

    Args:
        values: Raw values; dates may be datetimes or texts `YYYY-MM-DD` or `YYYYMMDD` (others become missing).
        kind: Kind of field.
        region: For phones: where a number without a country code is from (ISO 3166-1, two letters), one for all or
            one a row. Others are left as their digits.

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
    if kind == "phone" and region is not None:
        return _phones(texts, region)
    rule = _BY_KIND[kind]
    forms = {text: rule(text) or None for text in texts.dropna().unique().tolist()}
    return texts.map(forms).astype("str")


def _phones(texts: pd.Series, region: pd.Series | str) -> pd.Series:
    regions = region if isinstance(region, pd.Series) else pd.Series(region, index=texts.index)
    pairs = pd.DataFrame({"text": texts, "region": regions.astype("str").str.strip().str.upper()})
    known = pairs[pairs["text"].notna()]
    forms = {
        (text, place): _phone(text, place if isinstance(place, str) else None) or None
        for text, place in set(known.itertuples(index=False, name=None))
    }
    found = [forms.get(row) for row in pairs.itertuples(index=False, name=None)]
    return pd.Series(found, index=texts.index, dtype="str")


def words_of(values: pd.Series) -> pd.Series:
    """Return the sorted distinct words of normalised values as lists, None where missing (dtype object)."""
    forms = {text: sorted(set(text.split())) for text in values.dropna().unique()}
    return pd.Series([forms.get(text) for text in values], index=values.index, dtype=object)
