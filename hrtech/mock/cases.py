"""Case and perpetrator records of the mock world: what each organisation wrote down about latent people.

Belongs here: who is seen by whom, and the gaps and errors of each office. Does not belong here: the people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import (
    LAST_DAY,
    Streams,
    concentrated,
    dates,
    draw,
    ids,
    labels,
    misspell_some,
    multi_valued,
    text,
)
from hrtech.mock.persons import (
    AGE_BANDS,
    CITIZENSHIP_VALUES,
    GENDERS,
    MAJORITY,
    MEANS,
    RELATIONS,
    TYPES,
    Persons,
)

ORGANISATIONS = ("Harbour Line", "Open Door Shelter", "Labour Rights Centre", "Northern Casework Network")
REGION_CODES = np.arange(len(places.REGION_NAMES))
_PREFIXES = ("HL", "OD", "LR", "NC")
_SHARE = np.array([0.4, 0.27, 0.2, 0.13])
_SPELLING = np.array([0, 1, 2, 0])
_CARELESS = np.array([1.3, 0.8, 1.0, 1.1])
"""By how much each office's error rates differ from the rates below."""

_MISSING = {
    "given_name": 0.04, "family_name": 0.06, "date_of_birth": 0.22, "gender": 0.02, "age_band": 0.12,
    "majority_status": 0.05, "citizenship": 0.06, "country_of_exploitation": 0.05, "region": 0.08,
    "type_of_exploitation": 0.04, "labour_sector": 0.1, "means_of_control": 0.14, "recruiter_relation": 0.2,
    "reported_on": 0.03,
}  # fmt: skip

ROLES = ("Recruiter", "Exploiter", "Broker", "Transporter", "Guard", "Landlord")
PERPETRATOR_AGES = ("Under 18", "18–29", "30–44", "45–59", "60+")
_PERPETRATOR_GENDERS = ("Female", "Male")


@dataclass(frozen=True)
class Sightings:
    """Which office recorded whom: `person` and `office` codes and the day, one element per record."""

    person: np.ndarray
    office: np.ndarray
    registered: np.ndarray
    record_id: np.ndarray


def draw_sightings(streams: Streams, persons: Persons, *, overlap: bool) -> Sightings:
    """Decide which organisations record which people; without `overlap` each person is recorded once."""
    rng = streams("cases/sightings")
    n = len(persons)
    taste = (
        np.log(_SHARE) + streams("cases/parameters").normal(0, 0.5, (len(REGION_CODES), 4))[persons.region]
    )
    order = np.argsort(-(taste + rng.gumbel(size=(n, 4))), axis=1)
    person, office = [np.arange(n)], [order[:, 0]]
    extra = streams("cases/overlap").random((n, 3))
    if overlap:
        # a second and a third organisation, and the same organisation twice
        for column, rate, choice in ((0, 0.24, 1), (1, 0.05, 2), (2, 0.03, 0)):
            again = np.flatnonzero(extra[:, column] < rate)
            person.append(again)
            office.append(order[again, choice])
    who, where = np.concatenate(person), np.concatenate(office)
    delay = streams("cases/delay").exponential(40, len(who)).astype(np.int64)
    registered = np.minimum(persons.reported[who] + delay, LAST_DAY + 60)
    sequence = np.lexsort((who, registered, where))
    who, where, registered = who[sequence], where[sequence], registered[sequence]
    counts = np.bincount(where, minlength=4)
    record_id = np.concatenate([ids(p, int(c)) for p, c in zip(_PREFIXES, counts, strict=True)])
    return Sightings(who, where, registered, record_id)


def true_persons(seen: Sightings) -> pd.DataFrame:
    """Return which person each record is about: `record_id`, `person_id`."""
    names = ids("V", int(seen.person.max()) + 1)
    return pd.DataFrame({"record_id": text(seen.record_id), "person_id": text(names[seen.person])})


def _names(
    rng: np.random.Generator, people: Persons, seen: Sightings, *, errors: bool
) -> dict[str, np.ndarray]:
    n = len(seen.person)
    rows = np.arange(n)
    if not errors:
        spelling = np.zeros(n, dtype=np.int64)
    else:
        other = rng.integers(0, 3, n)
        spelling = np.where(rng.random(n) < 0.75, _SPELLING[seen.office], other)
        spelling[(seen.office == 1) & (rng.random(n) < 0.06)] = 3
    given = people.given[seen.person][rows, spelling]
    second = people.second_given[seen.person][rows, spelling]
    family = people.family[seen.person][rows, spelling]
    other_family = people.other_family[seen.person][rows, spelling]
    with_second = np.array([isinstance(x, str) for x in second])
    if errors:
        with_second &= rng.random(n) < 0.5
        married = np.array([isinstance(x, str) for x in other_family]) & (rng.random(n) < 0.4)
        family = np.where(married, other_family, family)
        given = misspell_some(rng, given, 0.06)
        family = misspell_some(rng, family, 0.07)
    given = np.where(with_second, given + " " + np.where(with_second, second, ""), given)
    if errors:
        swapped = rng.random(n) < 0.02
        given, family = np.where(swapped, family, given), np.where(swapped, given, family)
    return {"given_name": given, "family_name": family}


def _wrong_birth_dates(rng: np.random.Generator, born: np.ndarray) -> np.ndarray:
    """Swap day and month, keep only the year, or miss by a year, in a few of the dates."""
    n = len(born)
    year, month = born.astype("datetime64[Y]"), born.astype("datetime64[M]")
    day_number = (born - month.astype("datetime64[D]")).astype(np.int64) + 1
    month_number = (month - year.astype("datetime64[M]")).astype(np.int64) + 1
    fate = rng.random(n)
    swapped = (
        (year.astype("datetime64[M]") + np.minimum(day_number, 12) - 1).astype("datetime64[D]")
        + month_number
        - 1
    )
    out = np.where((fate < 0.05) & (day_number <= 12), swapped, born)
    out = np.where((fate >= 0.05) & (fate < 0.13), year.astype("datetime64[D]"), out)
    shifted = born + np.where(rng.random(n) < 0.5, 365, -365)
    return np.asarray(np.where((fate >= 0.13) & (fate < 0.16), shifted, out))


def _replace_some(rng: np.random.Generator, codes: np.ndarray, values: int, rate: float) -> np.ndarray:
    hit = (codes >= 0) & (rng.random(len(codes)) < rate)
    return np.asarray(np.where(hit, rng.integers(0, values, len(codes)), codes))


def _thin(rng: np.random.Generator, member: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Leave out some of the values of multi-valued cells, never the one marked in `first`."""
    kept = member & ((rng.random(member.shape) < 0.88) | first)
    return np.asarray(kept | (rng.random(member.shape) < 0.006))


def make_case_records(
    streams: Streams,
    people: Persons,
    seen: Sightings,
    employer: np.ndarray,
    employer_name: np.ndarray,
    *,
    errors: bool,
) -> pd.DataFrame:
    """Write down the sightings, each in its office's way.

    Args:
        streams: Random streams of the world.
        people: The latent people.
        seen: Who was recorded where.
        employer: For each person the position of the employer in `employer_name`, or -1.
        employer_name: Names as the inspectorate's register has them.
        errors: Whether offices misspell, mistake and leave out.
    """
    rng = streams("cases/errors")
    who, n = seen.person, len(seen.person)
    age, types, means, relations = (
        people.age_band[who],
        people.types[who],
        people.means[who],
        people.relations[who],
    )
    citizenship, sector, gender = people.citizenship[who], people.sector[who], people.gender[who]
    majority = people.majority[who]
    born, reported = people.born[who], people.reported[who]
    missing = {column: np.zeros(n, dtype=bool) for column in _MISSING}
    names = _names(streams("cases/names"), people, seen, errors=errors)
    known_employer = (employer[who] >= 0) & (streams("cases/employer_known").random(n) < 0.6)
    work = np.array([None] * n, dtype=object)
    work[known_employer] = employer_name[employer[who][known_employer]]
    if errors:
        missing = {c: rng.random(n) < rate * _CARELESS[seen.office] for c, rate in _MISSING.items()}
        age = np.clip(age + (rng.random(n) < 0.04) - (rng.random(n) < 0.04), 0, len(AGE_BANDS) - 1)
        majority = _replace_some(rng, majority, 2, 0.02)
        citizenship = _replace_some(rng, citizenship, len(CITIZENSHIP_VALUES), 0.02)
        sector = _replace_some(rng, sector, len(places.SECTORS), 0.04)
        first = np.zeros_like(types)
        first[np.arange(n), types.argmax(axis=1)] = True
        types, means = _thin(rng, types, first), _thin(rng, means, np.zeros_like(means))
        relations = _thin(rng, relations, np.zeros_like(relations))
        missing["recruiter_relation"] |= ~relations.any(axis=1)
        born = _wrong_birth_dates(rng, born)
        reported = np.minimum(reported + (rng.random(n) < 0.3) * rng.integers(0, 8, n), seen.registered)
        work = misspell_some(rng, work, 0.15)
    return pd.DataFrame(
        {
            "record_id": text(seen.record_id),
            "organisation": text(labels(seen.office, ORGANISATIONS)),
            "registered_on": dates(seen.registered),
            "given_name": text(names["given_name"], missing["given_name"]),
            "family_name": text(names["family_name"], missing["family_name"]),
            "date_of_birth": dates(born, missing["date_of_birth"]),
            "national_id": text(people.national_id[who]),
            "gender": text(labels(gender, GENDERS), missing["gender"]),
            "age_band": text(labels(age, AGE_BANDS), missing["age_band"]),
            "majority_status": text(labels(majority, MAJORITY), missing["majority_status"]),
            "citizenship": text(labels(citizenship, CITIZENSHIP_VALUES), missing["citizenship"]),
            "country_of_exploitation": text(
                labels(people.country[who], places.EXPLOITATION_COUNTRIES), missing["country_of_exploitation"]
            ),
            "type_of_exploitation": multi_valued(types, TYPES, missing["type_of_exploitation"]),
            "labour_sector": text(labels(sector, places.SECTORS), missing["labour_sector"]),
            "means_of_control": multi_valued(means, MEANS, missing["means_of_control"]),
            "recruiter_relation": multi_valued(relations, RELATIONS, missing["recruiter_relation"]),
            "region": text(labels(people.region[who], places.REGION_NAMES), missing["region"]),
            "reported_on": dates(reported, missing["reported_on"]),
            "employer_name": text(work),
        }
    )


def place_of_work(
    streams: Streams, people: Persons, employer_region: pd.Series, exploits: np.ndarray
) -> np.ndarray:
    """Give some of the people in forced labour a registered employer of their region; -1 for none.

    Employers that are known exploiters (`exploits`) come first, and so have most of the people.
    """
    rng = streams("cases/employers")
    pools = [rng.permutation(np.flatnonzero(employer_region == region)) for region in places.REGION_NAMES]
    pools = [np.concatenate([pool[exploits[pool]], pool[~exploits[pool]]]) for pool in pools]
    chosen = concentrated(rng, pools, people.region)
    return np.asarray(np.where(people.types[:, 0] & (rng.random(len(people)) < 0.45), chosen, -1))


def make_perpetrator_records(
    streams: Streams, people: Persons, seen: Sightings, *, errors: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write down the perpetrators of each case.

    Returns:
        The records, and the truth: `record_id`, `perpetrator_id`. A perpetrator harms several people of one
        region, and appears in the records of each organisation that has their case.
    """
    rng = streams("perpetrators/latent")
    n = len(people)
    count = max(2 * len(REGION_CODES), n // 2)
    region = np.concatenate([REGION_CODES, rng.integers(0, len(REGION_CODES), count - len(REGION_CODES))])
    gender = (rng.random(count) < 0.66).astype(np.int64)
    age = draw(rng, np.tile([-3.0, 0.3, 0.6, 0.0, -1.6], (count, 1)))
    local = np.array([CITIZENSHIP_VALUES.index(c) for c in places.REGIONS.values()])[region]
    citizenship = np.where(rng.random(count) < 0.5, local, rng.integers(0, len(CITIZENSHIP_VALUES), count))
    pools = [rng.permutation(np.flatnonzero(region == r)) for r in REGION_CODES]
    harms = rng.choice([1, 2, 3], size=n, p=[0.7, 0.22, 0.08])
    victim = np.repeat(np.arange(n), harms)
    perpetrator = concentrated(rng, pools, people.region[victim])
    pairs = np.unique(np.stack([victim, perpetrator], axis=1), axis=0)
    role = draw(rng, np.tile([0.6, 0.8, -0.3, -0.9, -1.2, -1.5], (len(pairs), 1)))
    relation = rng.integers(0, len(RELATIONS), len(pairs))
    own = people.relations[pairs[:, 0]]
    relation = np.where(own[np.arange(len(pairs)), relation], relation, own.argmax(axis=1))
    # each record of a victim repeats that victim's perpetrators
    start = np.searchsorted(pairs[:, 0], seen.person)
    length = np.searchsorted(pairs[:, 0], seen.person, side="right") - start
    record = np.repeat(np.arange(len(seen.person)), length)
    pair = np.repeat(start, length) + np.arange(len(record)) - np.repeat(np.cumsum(length) - length, length)
    noise = streams("perpetrators/errors")
    dice = noise.random((len(record), 5))
    if errors:
        kept = dice[:, 4] < 0.85
        record, pair, dice = record[kept], pair[kept], dice[kept]
    missing = (dice < np.array([0.12, 0.3, 0.25, 0.2, 0.0])) & errors
    whom = pairs[pair, 1]
    record_ids = ids("PR", len(record))
    frame = pd.DataFrame(
        {
            "record_id": text(record_ids),
            "case_record_id": text(seen.record_id[record]),
            "organisation": text(labels(seen.office[record], ORGANISATIONS)),
            "role": text(labels(role[pair], ROLES)),
            "gender": text(labels(gender[whom], _PERPETRATOR_GENDERS), missing[:, 0]),
            "age_broad": text(labels(age[whom], PERPETRATOR_AGES), missing[:, 1]),
            "citizenship": text(labels(citizenship[whom], CITIZENSHIP_VALUES), missing[:, 2]),
            "relation_to_victim": text(labels(relation[pair], RELATIONS), missing[:, 3]),
        }
    )
    names = ids("T", count)
    return frame, pd.DataFrame({"record_id": text(record_ids), "perpetrator_id": text(names[whom])})
