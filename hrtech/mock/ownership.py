"""Owners of companies in the mock world, and who stands behind each company in truth.

Belongs here: direct interests, chains, cycles and ranges of shares, and the integrated shares that follow.
Integrated ownership is (I - A)^-1 D with A the shares between companies and D those held by persons
(Brioschi, Buzzacchi and Colombo 1989). Shares are per cent, 0 to 100.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import LAST_DAY, Streams, dates, ids, text
from hrtech.mock.names import draw_names
from hrtech.mock.registers import Firms
from hrtech.mock.roles import Roles, ring_links

_BANDS = np.array([0.0, 25.0, 50.0, 75.0, 100.0])
_SPLITS = {
    1: ((100.0,), (75.0,), (60.0,)),
    2: ((50.0, 50.0), (60.0, 40.0), (75.0, 25.0)),
    3: ((40.0, 35.0, 25.0), (51.0, 29.0, 20.0), (34.0, 33.0, 33.0)),
}


@dataclass(frozen=True)
class Interests:
    """Direct interests: parallel arrays; `person` or `parent` is -1 according to the kind of owner."""

    company: np.ndarray
    parent: np.ndarray
    person: np.ndarray
    share: np.ndarray
    former: np.ndarray
    people: int


class _Collector:
    """Gathers interests and hands out numbers of persons."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, float]] = []
        self.people = 0

    def new_person(self) -> int:
        self.people += 1
        return self.people - 1

    def by_company(self, child: int, parent: int, share: float) -> None:
        self.rows.append((int(child), int(parent), -1, share))

    def by_person(self, child: int, person: int, share: float) -> None:
        self.rows.append((int(child), -1, person, share))


def _plant(
    rng: np.random.Generator, roles: Roles, *, rings: bool
) -> tuple[_Collector, list[tuple[str, int, int]]]:
    """Plant chains, one cycle, honest groups and the shells behind rings."""
    out, structures = _Collector(), []
    for number, chain in enumerate(roles.chains):
        kind = "cycle" if number == 0 else "chain"
        structures += [(kind, number, int(c)) for c in chain]
        for child, parent in itertools.pairwise(chain):
            out.by_company(
                child, parent, float(rng.choice([30.0, 40.0] if kind == "cycle" else [51, 60, 75, 100]))
            )
        if kind == "cycle":
            out.by_company(chain[-1], chain[0], float(rng.choice([30.0, 40.0])))
            for company in chain:
                out.by_person(company, out.new_person(), float(rng.choice([45.0, 60.0])))
        else:
            out.by_person(chain[-1], out.new_person(), float(rng.choice([60.0, 100.0])))
    for number, group in enumerate(roles.groups):
        structures += [("group", number, int(c)) for c in group]
        out.by_person(group[0], out.new_person(), 100.0)
        for company in group[1:]:
            out.by_company(company, group[0], 100.0)
    used = 0
    for number, (ring, link) in enumerate(zip(roles.rings, ring_links(roles, owners=True), strict=True)):
        if not rings or link != "ownership":
            continue
        behind = out.new_person()
        for member in ring:
            below = int(member)
            for shell in roles.shells[used : used + int(rng.integers(1, 3))]:
                out.by_company(below, shell, float(rng.choice([51.0, 60.0, 75.0, 100.0])))
                structures.append(("shell", number, int(shell)))
                below, used = int(shell), used + 1
            out.by_person(below, behind, float(rng.choice([60.0, 100.0])))
    return out, structures


def _ordinary(rng: np.random.Generator, out: _Collector, companies: int) -> np.ndarray:
    """Give everyone else owners of their own; a few nominees hold interests in many companies."""
    taken = {row[0] for row in out.rows}
    nominees = [out.new_person() for _ in range(max(2, companies // 1500))]
    dice, size = rng.random((companies, 4)), rng.choice([1, 2, 3], size=companies, p=[0.55, 0.3, 0.15])
    former = []
    for company in range(companies):
        if company in taken or dice[company, 0] < 0.12:
            continue
        splits = _SPLITS[int(size[company])]
        for share in splits[int(dice[company, 1] * len(splits))]:
            nominee = rng.random() < 0.03
            person = nominees[int(rng.integers(len(nominees)))] if nominee else out.new_person()
            out.by_person(company, person, share)
        if dice[company, 2] < 0.08:
            former.append(len(out.rows))
            out.by_person(company, out.new_person(), float(rng.choice([50.0, 100.0])))
    ended = np.zeros(len(out.rows), dtype=bool)
    ended[former] = True
    return ended


def draw_interests(
    streams: Streams, roles: Roles, companies: int, *, owners: bool, rings: bool
) -> tuple[Interests, pd.DataFrame]:
    """Draw all interests, and list the planted structures (`structure_id`, `kind`, `company_id`)."""
    out = _Collector()
    structures: list[tuple[str, int, int]] = []
    if owners:
        out, structures = _plant(streams("owners/structures"), roles, rings=rings)
    ended = _ordinary(streams("owners/ordinary"), out, companies)
    table = np.array(out.rows, dtype=float).reshape(-1, 4)
    codes = table[:, :3].astype(np.int64)
    names = ids("C", companies)
    listed = pd.DataFrame(
        {
            "structure_id": text([f"{kind}-{number + 1}" for kind, number, _ in structures]),
            "kind": text([kind for kind, _, _ in structures]),
            "company_id": text([names[company] for _, _, company in structures]),
        }
    )
    return Interests(codes[:, 0], codes[:, 1], codes[:, 2], table[:, 3], ended, out.people), listed


def make_owners(streams: Streams, interests: Interests, firms: Firms, names: pd.Series) -> pd.DataFrame:
    """Write the register of owners: four in ten shares only as a range, as registers of control do."""
    rng = streams("owners/register")
    n = len(interests.company)
    tradition = rng.choice(
        np.array(sorted(set(places.CITIZENSHIPS.values())), dtype=object), interests.people
    )
    given = draw_names(rng, tradition, np.where(rng.random(interests.people) < 0.3, "female", "male"))[:, 0]
    family = draw_names(rng, tradition, np.full(interests.people, "family"))[:, 0]
    person_name, person_id = given + " " + family, ids("P", interests.people)
    by_person = interests.person >= 0
    company_id = ids("C", len(firms))
    band = np.clip(np.searchsorted(_BANDS, interests.share) - 1, 0, 3)
    ranged = rng.random(n) < 0.4
    voting = np.where(rng.random(n) < 0.05, np.minimum(interests.share + 25.0, 100.0), interests.share)
    started = firms.incorporated[interests.company] + rng.integers(0, 700, n)
    ended = np.minimum(started + rng.integers(100, 1500, n), LAST_DAY - 30)
    started = np.minimum(started, ended - 30)
    return pd.DataFrame(
        {
            "interest_id": text(ids("I", n)),
            "owner_id": text(np.where(by_person, person_id[interests.person], company_id[interests.parent])),
            "company_id": text(company_id[interests.company]),
            "owner_kind": text(np.where(by_person, "person", "company")),
            "owner_name": text(
                np.where(by_person, person_name[interests.person], names.to_numpy()[interests.parent])
            ),
            "owner_company_id": text(company_id[interests.parent], by_person),
            "share_minimum": np.where(ranged, _BANDS[band], interests.share),
            "share_maximum": np.where(ranged, _BANDS[band + 1], interests.share),
            "voting_share": pd.array(np.where(ranged, np.nan, voting), dtype="Float64"),
            "from_date": dates(started),
            "to_date": dates(ended, ~interests.former),
        }
    )


def integrated_shares(owners: pd.DataFrame, interests: Interests, companies: int) -> pd.DataFrame:
    """Work out which person holds how much of each company through all paths, on the last day.

    Returns:
        Columns `company_id`, `owner_id`, `integrated_share`, `integrated_minimum`, `integrated_maximum`
        (per cent): the true share, and what the published ranges allow (at most 100).
    """
    from scipy import sparse

    current = ~interests.former
    results = []
    for share in (interests.share, owners["share_minimum"].to_numpy(), owners["share_maximum"].to_numpy()):
        matrices = []
        for holder, width in ((interests.parent, companies), (interests.person, interests.people)):
            rows = current & (holder >= 0)
            matrices.append(
                sparse.csr_array(
                    (share[rows] / 100.0, (interests.company[rows], holder[rows])), shape=(companies, width)
                )
            )
        between, direct = matrices
        total, step = direct, direct
        for _ in range(200):
            step = between @ step
            if step.nnz == 0 or abs(step).max() < 1e-12:
                break
            total = total + step
        results.append(total.tocsr())
    true, low, high = results
    company, person = high.nonzero()
    order = np.lexsort((person, company))
    company, person = company[order], person[order]
    return pd.DataFrame(
        {
            "company_id": text(ids("C", companies)[company]),
            "owner_id": text(ids("P", interests.people)[person]),
            "integrated_share": 100.0 * np.asarray(true[company, person]).ravel(),
            "integrated_minimum": 100.0 * np.asarray(low[company, person]).ravel(),
            "integrated_maximum": np.minimum(100.0, 100.0 * np.asarray(high[company, person]).ravel()),
        }
    )
