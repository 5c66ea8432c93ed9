"""Countries, regions, towns and addresses of the mock world.

Belongs here: the geography that all tables share. Countries are ISO 3166-1 alpha-3 codes because case data
carry them; regions, towns and streets are invented, and telephone numbers use an area code (555) that is
not given to subscribers. Nothing here says anything about a real country.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CITIZENSHIPS: dict[str, str] = {
    "UKR": "ukrainian", "PHL": "hispanic", "NGA": "west_african", "ROU": "romanian", "NPL": "south_asian",
    "VNM": "vietnamese", "MMR": "mekong", "MEX": "hispanic", "IDN": "indonesian",
    "BGD": "south_asian", "KHM": "mekong", "MDA": "romanian", "ETH": "east_african",
    "COL": "hispanic", "MAR": "arabic", "GHA": "west_african", "USA": "anglophone", "IND": "south_asian",
    "GBR": "anglophone", "SYR": "arabic", "UGA": "east_african", "THA": "mekong",
}  # fmt: skip
"""Citizenships, commonest first, with the naming tradition of their people."""

EXPLOITATION_COUNTRIES = ("USA", "GBR", "THA", "ROU", "MEX", "NGA", "UKR", "PHL")

REGIONS: dict[str, str] = {
    "North Shore": "USA", "Plains": "USA", "Bay": "USA",
    "Upper Vale": "GBR", "Harbour Towns": "GBR", "Fenland": "GBR",
    "Delta": "THA", "Eastern Gulf": "THA", "Northern Hills": "THA",
    "Lower River": "ROU", "Carpath": "ROU", "Steppe Edge": "ROU",
    "Border Belt": "MEX", "Highlands": "MEX", "Pacific Coast": "MEX",
    "Lagoon": "NGA", "Savanna": "NGA", "Oil Rivers": "NGA",
    "Right Bank": "UKR", "Black Coast": "UKR", "Western Woods": "UKR",
    "Capital District": "PHL", "Visaya Isles": "PHL", "Southern Cape": "PHL",
}  # fmt: skip
"""Regions with the country that each lies in."""

REGION_NAMES = tuple(REGIONS)
REGION_COUNTRY = np.array([EXPLOITATION_COUNTRIES.index(country) for country in REGIONS.values()])
CALLING_CODES = ("1", "44", "66", "40", "52", "234", "380", "63")

SECTORS = (
    "Agriculture", "Begging", "Construction", "Domestic work", "Fishing", "Hospitality", "Illicit activities",
    "Manufacturing", "Mining", "Peddling", "Transportation", "Other",
)  # fmt: skip
BUSINESS_SECTORS = (0, 2, 3, 4, 5, 7, 8, 10)
"""Positions in `SECTORS` of those in which registered firms work."""

_TOWN_STARTS = (
    "Al Bor Cor Den Ep Ful Gos Hex Ilk Jar Ken Lud Mal Neth Ot Pen Quar Ros Sel Tor Ulver War Yar Zel"
)
_TOWN_ENDS = ("ton", "mouth", "by", "haven")
_STREET_NAMES = (
    "Oak Elm Mill High Station Church Park Queen King Albert Green Bridge Market Canal Harbour Forest Meadow Castle "
    "Abbey Priory Garden School Chapel Spring River Quarry Orchard Foundry Rope Lime"
)
STREET_KINDS = (("Street", "St"), ("Road", "Rd"), ("Avenue", "Ave"), ("Lane", "Ln"), ("Square", "Sq"))

TOWNS = tuple(
    start + _TOWN_ENDS[(i + j) % len(_TOWN_ENDS)]
    for i, start in enumerate(_TOWN_STARTS.split())
    for j in range(len(_TOWN_ENDS))
)
"""Four towns for each region: those of region r are at 4r to 4r + 3."""


_STREETS = tuple(_STREET_NAMES.split())


@dataclass(frozen=True)
class Contacts:
    """Where businesses can be reached: parallel arrays of strings, `town` as positions in `TOWNS`."""

    address: np.ndarray
    town: np.ndarray
    phone: np.ndarray


def draw_contacts(rng: np.random.Generator, region: np.ndarray) -> Contacts:
    """Draw a street address, a town and a telephone number for each region code in `region`."""
    n = len(region)
    town = region * 4 + rng.integers(0, 4, n)
    house = rng.integers(1, 240, n)
    street = rng.integers(0, len(_STREETS), n)
    second = rng.integers(0, len(_STREETS), n)
    kind = rng.integers(0, len(STREET_KINDS), n)
    postcode = rng.integers(10_000, 99_999, n)
    address = [
        f"{h} {_STREETS[s]}{'' if s == t else ' ' + _STREETS[t]} {STREET_KINDS[k][0]}, {p}"
        for h, s, t, k, p in zip(house, street, second, kind, postcode, strict=True)
    ]
    numbers = rng.integers(100_000, 9_999_999, n)
    country = REGION_COUNTRY[region]
    phone = [f"+{CALLING_CODES[c]} 555 {x:07d}" for c, x in zip(country, numbers, strict=True)]
    return Contacts(np.array(address, dtype=object), town, np.array(phone, dtype=object))
