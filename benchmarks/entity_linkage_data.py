"""Labelled registers that EntityLinkage is measured on, with nothing declared but the kinds of their fields.

Files as published by splink_datasets: `dataset4a.csv` and `dataset4b.csv` (FEBRL 4), `fake_1000.csv`, and
`historical_figures_with_errors_50k.parquet`. Any other CSV or Parquet file with a truth column is read by the names of
its columns. A large register is grown from a seed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hrtech.linkage import FieldSpec, LinkageSpec

TRUTHS = ("cluster", "cluster_id", "entity", "entity_id", "person_id", "truth", "truth_id")
#: Part of a column's name → kind, the first that fits.
KINDS = {
    "given": "given_name", "first_name": "given_name", "forename": "given_name", "surname": "family_name",
    "family": "family_name", "last_name": "family_name", "company": "company_name", "full_name": "person_name",
    "dob": "date", "birth_place": "place", "birth": "date", "born": "date", "email": "email", "phone": "phone",
    "postcode": "postcode", "zip": "postcode", "city": "place", "suburb": "place", "town": "place",
    "address": "address", "ssn": "identifier", "soc_sec": "identifier", "national_id": "identifier",
    "occupation": "category", "gender": "category", "sex": "category", "name": "person_name",
}  # fmt: skip

#: As plain Splink's own model of the set, and four more.
HISTORICAL_RULES = (
    ("first_name:3", "surname:4"), ("surname", "dob"), ("first_name", "dob"), ("postcode_fake", "first_name"),
    ("postcode_fake", "surname"), ("dob", "birth_place"), ("postcode_fake:3", "dob"),
    ("postcode_fake:3", "first_name"), ("postcode_fake:3", "surname"), ("first_name:2", "surname:2", "dob:4"),
    ("surname", "dob:4"), ("dob", "first_name:1"), ("postcode_fake", "dob:4"),
    ("surname", "birth_place", "first_name:1"),
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """Registers with their declaration, and the truth of each record in their order."""

    name: str
    registers: dict[str, pd.DataFrame]
    spec: LinkageSpec
    truth: pd.DataFrame


def _labelled(
    name: str, registers: dict[str, pd.DataFrame], truth: str, spec: LinkageSpec, ids: str
) -> Labelled:
    parts = [
        pd.DataFrame({"register": key, "record_id": table[ids].astype(str), "truth_id": table[truth]})
        for key, table in registers.items()
    ]
    shown = {key: table.drop(columns=truth) for key, table in registers.items()}
    return Labelled(name, shown, spec, pd.concat(parts, ignore_index=True))


def fake_1000(folder: Path, seed: int, size: int | None = None) -> Labelled:
    """1,000 records of invented people with slips; deduplicated."""
    table = pd.read_csv(folder / "fake_1000.csv", dtype=str)
    fields = (
        FieldSpec("first_name", "given_name"),
        FieldSpec("surname", "family_name"),
        FieldSpec("dob", "date"),
        FieldSpec("city", "place"),
        FieldSpec("email", "email"),
    )
    spec = LinkageSpec(fields, mode="deduplicate", id_columns="unique_id", seed=seed)
    return _labelled("fake_1000", {"people": _part(table, size, seed)}, "cluster", spec, "unique_id")


def historical(folder: Path, seed: int, size: int | None = None) -> Labelled:
    """50,000 records of historical figures with errors; deduplicated."""
    table = pd.read_parquet(folder / "historical_figures_with_errors_50k.parquet")
    fields = (
        FieldSpec("full_name", "person_name"),
        FieldSpec("first_name", "given_name"),
        FieldSpec("surname", "family_name"),
        FieldSpec("dob", "date"),
        FieldSpec("birth_place", "place"),
        FieldSpec("postcode_fake", "postcode"),
        FieldSpec("occupation", "category"),
    )
    spec = LinkageSpec(
        fields, mode="deduplicate", id_columns="unique_id", seed=seed, blocking=HISTORICAL_RULES
    )
    return _labelled("historical 50k", {"people": _part(table, size, seed)}, "cluster", spec, "unique_id")


def febrl(
    folder: Path, seed: int, *, with_id: bool = True, halved: bool = False, size: int | None = None
) -> Labelled:
    """FEBRL 4: two registers without duplicates, linked one to one."""
    rng = np.random.default_rng(seed)
    registers = {}
    for side in "ab":
        table = pd.read_csv(folder / f"dataset4{side}.csv", dtype=str, skipinitialspace=True)
        table.columns = table.columns.str.strip()
        table["person"] = table["rec_id"].str.extract(r"^(rec-\d+)")[0]
        if halved:
            table = table.sample(frac=0.5, random_state=int(rng.integers(2**31)))
        registers[side] = table.reset_index(drop=True)
    if size is not None:
        people = registers["a"]["person"].sample(min(size // 2, len(registers["a"])), random_state=seed)
        registers = {
            side: t[t["person"].isin(people)].reset_index(drop=True) for side, t in registers.items()
        }
    fields = [
        FieldSpec("given_name", "given_name"),
        FieldSpec("surname", "family_name"),
        FieldSpec("date_of_birth", "date"),
        FieldSpec("address_1", "address"),
        FieldSpec("address_2", "address"),
        FieldSpec("suburb", "place"),
        FieldSpec("postcode", "postcode"),
        FieldSpec("street_number", "category"),
    ]
    if with_id:
        fields.append(FieldSpec("soc_sec_id", "identifier"))
    spec = LinkageSpec(tuple(fields), mode="link", id_columns="rec_id", seed=seed, duplicate_free=("a", "b"))
    name = "FEBRL 4" + ("" if with_id else " without soc_sec_id") + (", both halved" if halved else "")
    return _labelled(name, registers, "person", spec, "rec_id")


def any_file(path: Path, seed: int) -> Labelled:
    """Read a labelled file: a truth column by its name, other columns by what their names say they are."""
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
    table.columns = table.columns.str.strip()
    truth = next((name for name in TRUTHS if name in table.columns), None)
    if truth is None and "rec_id" in table.columns:
        truth = "truth"
        table[truth] = table["rec_id"].astype(str).str.extract(r"^(rec-\d+)")[0]
    if truth is None:
        raise SystemExit(
            f"{path.name} has no truth: name a column {', '.join(TRUTHS)}, or give rec_id as FEBRL does"
        )
    fields = tuple(
        FieldSpec(column, kind)
        for column in table.columns
        if column not in (truth, "rec_id", "unique_id")
        and (kind := next((kind for part, kind in KINDS.items() if part in column.lower()), None))
    )
    table["row_of_file"] = np.arange(len(table)).astype(str)
    spec = LinkageSpec(fields, mode="deduplicate", id_columns="row_of_file", seed=seed)
    return _labelled(path.name, {"records": table}, truth, spec, "row_of_file")


def _part(table: pd.DataFrame, size: int | None, seed: int) -> pd.DataFrame:
    """Return whole clusters of about so many records."""
    if size is None or size >= len(table):
        return table
    clusters = pd.Series(table["cluster"].unique()).sample(frac=1, random_state=seed)
    kept = table["cluster"].value_counts().reindex(clusters).cumsum() <= size
    return table[table["cluster"].isin(kept.index[kept])].reset_index(drop=True)


def large(records: int, seed: int) -> Labelled:
    """Grow a register of people with typing errors, blanks and changes of address; 4 of 10 people have more records.

    Names follow a Zipf law over syllables, towns and postcodes belong together, and each field of a repeated record is
    blank in 5 % and mistyped in 8 % of cases.
    """
    rng = np.random.default_rng(seed)
    people = int(records / 1.6)
    syllables = np.array(
        ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "han", "dor", "mel", "ric"]
    )

    def pool(count: int, length: int) -> np.ndarray:
        words = ["".join(word) for word in rng.choice(syllables, (2 * count, length))]
        return np.array(list(dict.fromkeys(words))[:count])

    def drawn(values: np.ndarray, exponent: float) -> np.ndarray:
        weight = 1 / np.arange(1, len(values) + 1) ** exponent
        return rng.choice(values, people, p=weight / weight.sum())

    towns = pool(3_000, 4)
    town = rng.choice(len(towns), people, p=(w := 1 / np.arange(1, len(towns) + 1) ** 0.8) / w.sum())
    days = np.datetime64("1930-01-01") + rng.integers(0, 29_000, people)
    table = pd.DataFrame(
        {
            "given_name": drawn(pool(2_500, 3), 0.9),
            "family_name": drawn(pool(20_000, 4), 0.7),
            "born": days.astype(str),
            "town": towns[town],
            "postcode": [f"{a:04d}{b:02d}" for a, b in zip(town, rng.integers(0, 30, people), strict=True)],
            "phone": rng.integers(10**9, 10**10, people).astype(str),
            "person": np.arange(people),
        }
    )
    extra = np.repeat(np.arange(people), rng.choice([0, 1, 2], people, p=[0.55, 0.3, 0.15]))
    both = pd.concat([table, table.iloc[extra]], ignore_index=True).head(records)
    for column in ("given_name", "family_name", "born", "town", "postcode", "phone"):
        fate = rng.random(len(both))
        again = np.arange(len(both)) >= people
        wrong = again & (fate < 0.08)
        both.loc[wrong, column] = _mistyped(both.loc[wrong, column], rng)
        both.loc[again & (fate > 0.95), column] = None
    both.insert(0, "record_id", np.arange(len(both)).astype(str))
    fields = (
        FieldSpec("given_name", "given_name"),
        FieldSpec("family_name", "family_name"),
        FieldSpec("born", "date"),
        FieldSpec("town", "place"),
        FieldSpec("postcode", "postcode"),
        FieldSpec("phone", "phone"),
    )
    spec = LinkageSpec(fields, mode="deduplicate", seed=seed)
    return _labelled(f"{len(both):,} grown records", {"people": both}, "person", spec, "record_id")


def _mistyped(values: pd.Series, rng: np.random.Generator) -> list[str]:
    """Change, lose or transpose one character of each value."""
    places, kinds, digits = (
        rng.random(len(values)),
        rng.integers(0, 3, len(values)),
        rng.integers(0, 10, len(values)),
    )
    found = []
    for value, place, kind, digit in zip(values, places, kinds, digits, strict=True):
        at = int(place * len(value))
        if kind == 0:
            found.append(
                value[:at] + (str(digit) if value[at].isdigit() else "aeioulnrst"[digit]) + value[at + 1 :]
            )
        elif kind == 1:
            found.append(value[:at] + value[at + 1 :])
        else:
            found.append(value[:at] + value[at : at + 2][::-1] + value[at + 2 :])
    return found
