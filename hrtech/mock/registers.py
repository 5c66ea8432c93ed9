"""Registers of firms in the mock world: the company register and the labour inspectorate's employers.

Belongs here: firms, their contacts and which entries of the two registers are one firm. Does not belong here:
who owns them, what they bid and what is held against them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import Streams, dates, ids, labels, misspell_some, rewrite_some, text
from hrtech.mock.roles import Roles, ring_links

LEGAL_FORMS = (
    ("Inc.", "LLC"), ("Ltd", "LLP"), ("Co., Ltd.", "PCL"), ("S.R.L.", "S.A."), ("S.A. de C.V.", "S. de R.L."),
    ("Limited", "Enterprises Ltd"), ("TOV", "PAT"), ("Corp.", "OPC"),
)  # fmt: skip
"""Two legal forms for each country of `places.EXPLOITATION_COUNTRIES`."""

_LONG_FORMS = {
    "Inc.": "Incorporated", "LLC": "L.L.C.", "Ltd": "Limited", "LLP": "L.L.P.", "Co., Ltd.": "Company Limited",
    "PCL": "Public Company Limited", "S.R.L.": "SRL", "S.A.": "SA", "S.A. de C.V.": "SA de CV",
    "S. de R.L.": "S de RL", "Limited": "Ltd", "Enterprises Ltd": "Enterprises Limited", "TOV": "LLC",
    "PAT": "PJSC", "Corp.": "Corporation", "OPC": "O.P.C.",
}  # fmt: skip
_TRADES = {
    0: ("Farms", "Growers", "Harvest"), 2: ("Construction", "Builders", "Civil Works"),
    3: ("Home Services", "Domestic Staff", "Household Care"), 4: ("Fisheries", "Seafood", "Trawling"),
    5: ("Hotels", "Catering", "Restaurants"), 7: ("Textiles", "Manufacturing", "Garments"),
    8: ("Mining", "Minerals", "Quarries"), 10: ("Logistics", "Haulage", "Freight"),
}  # fmt: skip
_SYLLABLES = (
    "ba be bo da de di fa fe ga go ha he ja ka ke ko la le li ma me mo na ne no pa pe ra re ri sa se so ta te"
)
AGENT_SHARES = (0.04, 0.03, 0.02, 0.015, 0.01, 0.01)
_AGENT_NAMES = (
    "Fastform",
    "Keystone Filings",
    "Registra",
    "Onestop Corporate",
    "Paperweight",
    "Quickstart Offices",
)
CONTACT_KINDS = ("address", "phone", "email")


@dataclass(frozen=True)
class Firms:
    """Latent firms, as they truly are: parallel arrays, codes are positions in the value lists."""

    name: np.ndarray
    form: np.ndarray
    region: np.ndarray
    sector: np.ndarray
    town: np.ndarray
    address: np.ndarray
    phone: np.ndarray
    email: np.ndarray
    incorporated: np.ndarray
    agent: np.ndarray

    def __len__(self) -> int:
        return len(self.name)


def draw_firms(rng: np.random.Generator, count: int, neighbours: Iterable[np.ndarray] = ()) -> Firms:
    """Draw `count` firms with contacts of their own; some are registered by a formation agent.

    Each set of positions in `neighbours` lies in one region.
    """
    region = rng.integers(0, len(places.REGION_NAMES), count)
    for firms in neighbours:
        region[firms] = region[firms[0]]
    sector = rng.choice(places.BUSINESS_SECTORS, size=count)
    contacts = places.draw_contacts(rng, region)
    syllables = np.array(_SYLLABLES.split(), dtype=object)
    pieces = syllables[rng.integers(0, len(syllables), (max(60, count), 4))]
    third = np.where(rng.random(len(pieces)) < 0.6, pieces[:, 2], "")
    words = np.array([w.capitalize() for w in pieces[:, 0] + pieces[:, 1] + third], dtype=object)
    word = words[rng.integers(0, len(words), count)]
    trade = rng.integers(0, 3, count)
    name = np.array(
        [f"{w} {_TRADES[int(s)][t]}" for w, s, t in zip(word, sector, trade, strict=True)], dtype=object
    )
    numbers = rng.integers(1, 999, count)
    email = np.array(
        [f"office{x}@{w.lower()}.example" for w, x in zip(word, numbers, strict=True)], dtype=object
    )
    bounds = np.cumsum(AGENT_SHARES)
    agent = np.searchsorted(bounds, rng.random(count), side="right")
    return Firms(
        name=name,
        form=rng.integers(0, 2, count),
        region=region,
        sector=sector,
        town=contacts.town,
        address=contacts.address,
        phone=contacts.phone,
        email=email,
        incorporated=np.datetime64("1995-01-01", "D") + rng.integers(0, 365 * 28, count),
        agent=np.where(agent < len(AGENT_SHARES), agent, -1),
    )


def share_contacts(streams: Streams, firms: Firms, roles: Roles, *, rings: bool, errors: bool) -> Firms:
    """Give firms the contacts that they share, innocently (agents, offices, groups) or not (rings).

    Each member of a ring that is linked by contacts carries two of the ring's address, phone and e-mail.
    """
    rng = streams("companies/shared")
    address, phone, email, town = (
        firms.address.copy(),
        firms.phone.copy(),
        firms.email.copy(),
        firms.town.copy(),
    )
    agents = places.draw_contacts(rng, rng.integers(0, len(places.REGION_NAMES), len(AGENT_SHARES)))
    through = firms.agent >= 0
    address[through] = agents.address[firms.agent[through]]
    town[through] = agents.town[firms.agent[through]]
    same_phone = through & (rng.random(len(firms)) < 0.6)
    phone[same_phone] = agents.phone[firms.agent[same_phone]]
    blocks = np.flatnonzero(~through & (rng.random(len(firms)) < 0.2))
    for region in range(len(places.REGION_NAMES)):
        tenants = blocks[firms.region[blocks] == region]
        landlord = tenants[rng.integers(0, max(1, len(tenants) // 3), len(tenants))]
        address[tenants], town[tenants] = firms.address[landlord], firms.town[landlord]
    for group in roles.groups:
        address[group], town[group] = firms.address[group[0]], firms.town[group[0]]
    if rings:
        dice = streams("rings/contacts")
        for ring, link in zip(roles.rings, ring_links(roles, owners=True), strict=True):
            if link != "contacts":
                continue
            held = dice.permuted(np.tile([True, True, False], (len(ring), 1)), axis=1)
            for column, kind in ((address, 0), (phone, 1), (email, 2)):
                column[ring[held[:, kind]]] = getattr(firms, CONTACT_KINDS[kind])[ring[0]]
            town[ring[held[:, 0]]] = firms.town[ring[0]]
            if errors:
                for column, rewrite in ((address, _rewrite_address), (phone, _rewrite_phone)):
                    column[ring] = rewrite_some(dice, column[ring], 0.35, rewrite)
    values = {**vars(firms), "address": address, "phone": phone, "email": email, "town": town}
    return Firms(**values)


def _rewrite_address(address: str, die: int) -> str:
    if die < 4:
        for long, short in places.STREET_KINDS:
            if f" {long}," in address:
                return address.replace(f" {long},", f" {short},")
    return address.replace(",", "").upper() if die == 4 else f"Unit 2, {address}"


def _rewrite_phone(phone: str, die: int) -> str:
    digits = phone.replace(" ", "")
    return digits if die < 4 else f"00{digits[1:]}"


def _rewrite_name(name: str, die: int) -> str:
    if die < 2:
        return name.upper()
    if die == 2:
        return name.replace(" ", "-", 1)
    return name.split(" ")[0] if die == 3 else f"The {name}"


def make_companies(streams: Streams, firms: Firms) -> pd.DataFrame:
    """Write the company register."""
    rng = streams("companies/register")
    n = len(firms)
    country = places.REGION_COUNTRY[firms.region]
    form = np.array([LEGAL_FORMS[c][f] for c, f in zip(country, firms.form, strict=True)], dtype=object)
    number = 10_000_000 + rng.choice(80_000_000, size=n, replace=False)
    status = rng.choice(["active", "dormant", "dissolved"], size=n, p=[0.86, 0.06, 0.08])
    return pd.DataFrame(
        {
            "company_id": text(ids("C", n)),
            "registration_number": text([str(x) for x in number]),
            "name": text(firms.name + " " + form),
            "legal_form": text(form),
            "address": text(firms.address),
            "city": text(labels(firms.town, places.TOWNS)),
            "region": text(labels(firms.region, places.REGION_NAMES)),
            "country": text(labels(country, places.EXPLOITATION_COUNTRIES)),
            "phone": text(firms.phone, rng.random(n) < 0.05),
            "email": text(firms.email, rng.random(n) < 0.15),
            "sector": text(labels(firms.sector, places.SECTORS)),
            "incorporated_on": dates(firms.incorporated),
            "status": text(status),
            "formation_agent": text(labels(firms.agent, _AGENT_NAMES)),
        }
    )


def make_employers(
    streams: Streams, firms: Firms, count: int, *, overlap: bool, errors: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the labour inspectorate's register of employers.

    With `overlap`, six in ten employers are firms of the company register too.

    Returns:
        The register, and the truth: `company_id`, `employer_id`, `entity_id` with one row for each firm
        (blank where a firm is not in that register).
    """
    rng = streams("employers/register")
    own = draw_firms(streams("employers/firms"), count)
    shared = rng.permutation(len(firms))[:count]
    both = (
        (rng.random(count) < 0.6) & (np.arange(count) < len(firms))
        if overlap
        else np.zeros(count, dtype=bool)
    )
    source = np.where(both, np.resize(shared, count), -1)
    merged = {
        key: np.where(both, getattr(firms, key)[source], getattr(own, key))
        for key in ("name", "form", "region", "sector", "town", "address", "phone", "email")
    }
    country = places.REGION_COUNTRY[merged["region"]]
    form = np.array([LEGAL_FORMS[c][f] for c, f in zip(country, merged["form"], strict=True)], dtype=object)
    missing = np.zeros((count, 4), dtype=bool)
    if errors:
        noise = streams("employers/errors")
        long_form = np.array([_LONG_FORMS[f] for f in form], dtype=object)
        form = np.where(noise.random(count) < 0.4, long_form, form)
        form = np.where(noise.random(count) < 0.25, "", form)
        merged["name"] = misspell_some(noise, rewrite_some(noise, merged["name"], 0.2, _rewrite_name), 0.12)
        merged["address"] = misspell_some(
            noise, rewrite_some(noise, merged["address"], 0.35, _rewrite_address), 0.08
        )
        merged["phone"] = rewrite_some(noise, merged["phone"], 0.4, _rewrite_phone)
        missing = noise.random((count, 4)) < np.array([0.08, 0.25, 0.45, 0.1])
    employer_id = ids("E", count)
    frame = pd.DataFrame(
        {
            "employer_id": text(employer_id),
            "name": text([f"{name} {f}".strip() for name, f in zip(merged["name"], form, strict=True)]),
            "address": text(merged["address"], missing[:, 0]),
            "city": text(labels(merged["town"], places.TOWNS)),
            "region": text(labels(merged["region"], places.REGION_NAMES)),
            "phone": text(merged["phone"], missing[:, 1]),
            "email": text(merged["email"], missing[:, 2]),
            "sector": text(labels(merged["sector"], places.SECTORS), missing[:, 3]),
        }
    )
    company_id = ids("C", len(firms))
    employer_of = np.full(len(firms), None, dtype=object)
    employer_of[source[both]] = employer_id[both]
    only = employer_id[~both]
    truth = pd.DataFrame(
        {
            "company_id": text([*company_id, *[None] * len(only)]),
            "employer_id": text([*employer_of, *only]),
            "entity_id": text(ids("N", len(firms) + len(only))),
        }
    )
    return frame, truth
