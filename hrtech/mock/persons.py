"""The people of the mock world: what happened to each, before any office wrote it down.

Belongs here: latent attributes of victims and their exact counts. Does not belong here: records about them.
Attributes follow a log-linear model with interactions whose strengths vary with the seed, and a few people
have a profile drawn at random, so that combinations have the long tail of real case data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import FIRST_DAY, LAST_DAY, Streams, draw, logistic, text, zipf_weights
from hrtech.mock.names import draw_names

GENDERS = ("Female", "Male", "Transgender/NonConforming")
AGE_BANDS = ("0–8", "9–17", "18–20", "21–23", "24–26", "27–29", "30–38", "39–47", "48+")
_AGE_FROM = np.array([1, 9, 18, 21, 24, 27, 30, 39, 48])
_AGE_TO = np.array([8, 17, 20, 23, 26, 29, 38, 47, 75])
MAJORITY = ("Minor", "Adult")
TYPES = ("Forced labour", "Sexual exploitation", "Forced marriage", "Slavery-like practices", "Other")
MEANS = (
    "Debt bondage", "Excessive working hours", "False promises", "Physical abuse", "Psychoactive substances",
    "Psychological abuse", "Restricts medical care", "Restricts movement", "Sexual abuse", "Takes earnings",
    "Threats", "Withholds documents", "Withholds necessities",
)  # fmt: skip
RELATIONS = (
    "Employment agency",
    "Family or relative",
    "Friend or acquaintance",
    "Intimate partner",
    "Stranger",
)
RARE_SHARE = 0.04

CITIZENSHIP_VALUES = tuple(places.CITIZENSHIPS)


@dataclass(frozen=True)
class Persons:
    """Latent people; every array has one row per person, codes are positions in the value lists."""

    gender: np.ndarray
    age_band: np.ndarray
    citizenship: np.ndarray
    country: np.ndarray
    region: np.ndarray
    types: np.ndarray
    sector: np.ndarray
    means: np.ndarray
    relations: np.ndarray
    born: np.ndarray
    reported: np.ndarray
    given: np.ndarray
    second_given: np.ndarray
    family: np.ndarray
    other_family: np.ndarray
    national_id: np.ndarray

    def __len__(self) -> int:
        return len(self.gender)

    @property
    def majority(self) -> np.ndarray:
        """Codes into `MAJORITY`: age at the first report, under 18 or not."""
        return (self.age_band >= 2).astype(np.int64)


def draw_persons(streams: Streams, count: int) -> Persons:
    """Draw `count` latent people."""
    strength = streams("persons/parameters")
    rng = streams("persons/attributes")
    n_citizen, n_country = len(CITIZENSHIP_VALUES), len(places.EXPLOITATION_COUNTRIES)
    citizenship = rng.choice(n_citizen, size=count, p=zipf_weights(n_citizen, 0.9))
    corridor = strength.normal(0, 1.3, (n_citizen, n_country))
    for row, code in enumerate(CITIZENSHIP_VALUES):
        if code in places.EXPLOITATION_COUNTRIES:
            corridor[row, places.EXPLOITATION_COUNTRIES.index(code)] += 3.0
    country = draw(rng, corridor[citizenship])
    gender = draw(rng, np.array([0.6, 0.0, -4.0]) + strength.normal(0, 0.5, (n_citizen, 3))[citizenship])
    type_scores = (
        np.array([1.0, 0.8, -1.8, -2.2, -1.6])
        + np.array([[-0.6, 0.9, 0.8, 0, 0], [1.2, -1.4, -1.5, 0, 0], [-0.5, 1.0, -1.0, 0, 0]])[gender]
        + strength.normal(0, 0.7, (n_country, 5))[country]
    )
    first_type = draw(rng, type_scores)
    age_scores = (
        np.array([-1.8, 0.4, 0.0, 0.0, -0.1, -0.3, 0.5, -0.2, -0.9])
        + strength.normal(0, 0.5, (5, 9))[first_type]
        + strength.normal(0, 0.4, (n_citizen, 9))[citizenship]
    )
    age_scores[first_type == 1] += np.array([-1.0, 0.9, 0.5, 0.4, 0.2, 0, -0.4, -1.0, -1.6])
    age_band = draw(rng, age_scores)
    rare = np.flatnonzero(rng.random(count) < RARE_SHARE)
    for array, values in ((gender, 3), (country, n_country), (first_type, 5), (age_band, 9)):
        array[rare] = rng.integers(0, values, len(rare))
    types = np.zeros((count, 5), dtype=bool)
    types[np.arange(count), first_type] = True
    types |= rng.random((count, 5)) < np.array([0.07, 0.05, 0.01, 0.01, 0.02])
    sector = _draw_sector(strength, rng, gender, country, types)
    means = _draw_means(strength, rng, first_type, gender, sector)
    relation_scores = np.array([-0.7, -1.3, -0.9, -2.0, -0.6]) + strength.normal(0, 0.5, (5, 5))[first_type]
    relations = rng.random((count, 5)) < logistic(relation_scores)
    unrelated = np.flatnonzero(~relations.any(axis=1))
    relations[unrelated, rng.integers(0, 5, len(unrelated))] = True
    region = country * 3 + draw(rng, strength.normal(0, 0.5, (n_country, 3))[country])
    return Persons(
        gender, age_band, citizenship, country, region, types, sector, means, relations,
        **_draw_identity(streams("persons/identity"), gender, age_band, citizenship),
    )  # fmt: skip


def _draw_sector(
    strength: np.random.Generator,
    rng: np.random.Generator,
    gender: np.ndarray,
    country: np.ndarray,
    types: np.ndarray,
) -> np.ndarray:
    k = len(places.SECTORS)
    base = np.array([0.6, -1.2, 0.7, 0.5, -0.6, 0.1, -0.8, 0.2, -1.5, -1.4, -1.0, -0.6])
    by_gender = np.zeros((3, k))
    by_gender[0, [2, 3, 4, 8]] = [-1.8, 1.6, -2.0, -1.5]
    by_gender[1, [2, 3, 4]] = [0.6, -1.6, 0.6]
    scores = (
        base + by_gender[gender] + strength.normal(0, 0.8, (len(places.EXPLOITATION_COUNTRIES), k))[country]
    )
    return np.where(types[:, 0], draw(rng, scores), -1)


def _draw_means(
    strength: np.random.Generator,
    rng: np.random.Generator,
    first_type: np.ndarray,
    gender: np.ndarray,
    sector: np.ndarray,
) -> np.ndarray:
    k = len(MEANS)
    base = np.array([-0.9, -0.8, -0.6, -1.0, -2.2, -0.2, -2.4, -0.4, -1.9, -0.6, -0.3, -1.0, -1.6])
    by_type = strength.normal(0, 0.5, (5, k))
    by_type[1, [4, 8]] += [1.2, 1.6]
    by_type[0, [1, 11]] += [0.9, 0.6]
    by_sector = np.vstack([strength.normal(0, 0.6, (len(places.SECTORS), k)), np.zeros(k)])
    severity = rng.normal(0, 0.9, len(gender))[:, None]
    scores = (
        base + by_type[first_type] + by_sector[sector] + strength.normal(0, 0.3, (3, k))[gender] + severity
    )
    return np.asarray(rng.random(scores.shape) < logistic(scores))


def _draw_identity(
    rng: np.random.Generator, gender: np.ndarray, age_band: np.ndarray, citizenship: np.ndarray
) -> dict[str, np.ndarray]:
    count = len(gender)
    tradition = np.array(list(places.CITIZENSHIPS.values()), dtype=object)[citizenship]
    woman = (gender == 0) | ((gender == 2) & (rng.random(count) < 0.5))
    given_part = np.where(woman, "female", "male")
    family_part = np.full(count, "family")
    span = int((LAST_DAY - FIRST_DAY).astype(int))
    reported = FIRST_DAY + (span * np.sqrt(rng.random(count))).astype(np.int64)
    age = rng.integers(_AGE_FROM[age_band], _AGE_TO[age_band] + 1)
    # one day short of a year: the age on the day of the report stays what was drawn
    born = reported - (age * 365.25 + rng.random(count) * 364).astype(np.int64) - 1
    with_id = rng.random(count) < 0.12
    numbers = rng.choice(900_000_000, size=count, replace=False) + 100_000_000
    codes = np.array(CITIZENSHIP_VALUES, dtype=object)[citizenship]
    given = draw_names(rng, tradition, given_part)
    second = draw_names(rng, tradition, given_part)
    second[rng.random(count) >= 0.15] = None
    family = draw_names(rng, tradition, family_part)
    other = draw_names(rng, tradition, family_part)
    other[~(woman & (rng.random(count) < 0.2))] = None
    return {
        "born": born,
        "reported": reported,
        "given": given,
        "second_given": second,
        "family": family,
        "other_family": other,
        "national_id": np.array(
            [f"{c}{x}" if w else None for c, x, w in zip(codes, numbers, with_id, strict=True)], dtype=object
        ),
    }


def _items(persons: Persons) -> list[tuple[str, str, np.ndarray]]:
    single = {
        "gender": (persons.gender, GENDERS),
        "age_band": (persons.age_band, AGE_BANDS),
        "majority_status": (persons.majority, MAJORITY),
        "citizenship": (persons.citizenship, CITIZENSHIP_VALUES),
        "country_of_exploitation": (persons.country, places.EXPLOITATION_COUNTRIES),
        "labour_sector": (persons.sector, places.SECTORS),
    }
    items = [
        (column, v, codes == i) for column, (codes, values) in single.items() for i, v in enumerate(values)
    ]
    for column, member, values in (
        ("type_of_exploitation", persons.types, TYPES),
        ("means_of_control", persons.means, MEANS),
    ):
        items += [(column, value, member[:, i]) for i, value in enumerate(values)]
    return sorted(items, key=lambda item: item[:2])


def count_persons(persons: Persons) -> pd.DataFrame:
    """Count the people behind every combination of one or two attributes that occurs.

    Two different values of one multi-valued column are a combination too.

    Returns:
        Columns `length`, `attributes` (`column:value;column:value`, sorted) and `count`; the row of
        length 0 and empty attributes holds the number of all people.
    """
    items = _items(persons)
    names = [f"{column}:{value}" for column, value, _ in items]
    member = np.stack([held for _, _, held in items], axis=1)
    together = np.zeros((len(items), len(items)), dtype=np.int64)
    # blocks keep the exact float32 products below 2**24 and the memory small
    for start in range(0, len(member), 100_000):
        block = member[start : start + 100_000].astype(np.float32)
        together += (block.T @ block).astype(np.int64)
    first, second = np.nonzero(np.triu(together, 1))
    alone = np.flatnonzero(np.diag(together))
    return pd.DataFrame(
        {
            "length": np.repeat([0, 1, 2], [1, len(alone), len(first)]),
            "attributes": text(
                [
                    "",
                    *(names[i] for i in alone),
                    *(f"{names[i]};{names[j]}" for i, j in zip(first, second, strict=True)),
                ]
            ),
            "count": np.concatenate([[len(persons)], np.diag(together)[alone], together[first, second]]),
        }
    )
