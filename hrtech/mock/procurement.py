"""Tenders and bids of the mock world, with colluding rings.

Belongs here: honest tenders, honest frequent partners (decoys) and planted rings of two kinds. In a
`rotation` ring members win in turn; in a `cover` ring one member wins and the others bid to lose. Losing
bids of a ring lie 3 to 8 % above the winning one; honest bids spread with a standard deviation of 9 %.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import FIRST_DAY, LAST_DAY, Streams, dates, ids, labels, text
from hrtech.mock.roles import Roles

PROCEDURES = ("open", "restricted", "negotiated")
RING_KINDS = ("rotation", "cover")


@dataclass
class _Book:
    """Tenders and bids as they are held; numbers of companies, not ids."""

    category: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    tender: list[int] = field(default_factory=list)
    company: list[int] = field(default_factory=list)
    amount: list[float] = field(default_factory=list)

    def hold(self, category: int, value: float, companies: np.ndarray, amounts: np.ndarray) -> None:
        self.tender += [len(self.value)] * len(companies)
        self.category.append(int(category))
        self.value.append(float(value))
        self.company += [int(c) for c in companies]
        self.amount += [float(a) for a in amounts]


def _hold_honest(rng: np.random.Generator, book: _Book, pools: list[np.ndarray], count: int) -> None:
    category = rng.integers(0, len(pools), count)
    size, value = rng.integers(1, 7, count), np.exp(rng.normal(11, 1, count))
    for c, k, worth in zip(category, size, value, strict=True):
        bidders = rng.choice(pools[c], min(len(pools[c]), int(k)), replace=False)
        book.hold(c, worth, bidders, worth * rng.normal(0.92, 0.09, len(bidders)))


def _hold_partners(rng: np.random.Generator, book: _Book, pools: list[np.ndarray], groups: int) -> None:
    """Three or four honest firms that meet again and again in a narrow trade."""
    for _ in range(groups):
        c = int(rng.integers(0, len(pools)))
        if len(pools[c]) < 6:
            continue
        partners = rng.choice(pools[c], int(rng.integers(3, 5)), replace=False)
        for _ in range(int(rng.integers(4, 8))):
            others = rng.choice(pools[c], int(rng.integers(1, 4)), replace=False)
            bidders = np.unique(np.concatenate([partners[rng.random(len(partners)) < 0.8], others]))
            worth = float(np.exp(rng.normal(11, 1)))
            book.hold(c, worth, bidders, worth * rng.normal(0.92, 0.09, len(bidders)))


def _hold_ring(
    rng: np.random.Generator, book: _Book, pools: list[np.ndarray], c: int, ring: np.ndarray, kind: str
) -> None:
    leader = int(rng.integers(0, len(ring)))
    for turn in range(int(rng.integers(5, 10))):
        worth = float(np.exp(rng.normal(11, 1)))
        chosen = turn % len(ring) if kind == "rotation" else leader
        low = worth * float(rng.normal(0.985, 0.01))
        present = rng.random(len(ring)) < 0.8
        present[chosen] = True
        amounts = low * rng.uniform(1.03, 1.08, len(ring))
        amounts[chosen] = low
        outsiders = np.setdiff1d(
            rng.choice(pools[c], min(len(pools[c]), int(rng.integers(0, 3))), replace=False), ring
        )
        bidders = np.concatenate([ring[present], outsiders])
        outside = low * rng.uniform(1.04, 1.15, len(outsiders))
        book.hold(c, worth, bidders, np.concatenate([amounts[present], outside]))


def make_tenders(
    streams: Streams, roles: Roles, links: list[str], companies: int, *, rings: bool, decoys: bool
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Hold the tenders.

    Returns:
        Tables `tenders` and `bids`, and the truth: `ring_id`, `company_id`, `kind` (how it bids), `link`
        (what else joins its members).
    """
    rng = streams("procurement/honest")
    n_categories = max(8, companies // 60)
    category_of = rng.permutation(np.arange(companies) % n_categories)
    for ring in roles.rings:
        category_of[ring] = category_of[ring[0]]
    pools = [np.flatnonzero(category_of == c) for c in range(n_categories)]
    book = _Book()
    _hold_honest(rng, book, pools, max(60, int(companies * 0.45)))
    if decoys:
        _hold_partners(streams("procurement/partners"), book, pools, max(2, companies // 150))
    kinds = [RING_KINDS[i % 2] for i in range(len(roles.rings))]
    if rings:
        dice = streams("procurement/rings")
        for ring, kind in zip(roles.rings, kinds, strict=True):
            _hold_ring(dice, book, pools, int(category_of[ring[0]]), ring, kind)
    names = ids("C", companies)
    members = [
        (f"R-{i + 1:04d}", names[c], kinds[i], links[i])
        for i, ring in enumerate(roles.rings)
        if rings
        for c in ring
    ]
    truth = pd.DataFrame(
        {
            key: text([m[j] for m in members])
            for j, key in enumerate(("ring_id", "company_id", "kind", "link"))
        }
    )
    return _write(streams("procurement/register"), book, names, n_categories), truth


def _write(
    rng: np.random.Generator, book: _Book, names: np.ndarray, n_categories: int
) -> dict[str, pd.DataFrame]:
    n = len(book.value)
    span = int((LAST_DAY - FIRST_DAY).astype(int)) - 70
    published = FIRST_DAY + rng.integers(0, span, n)
    order = np.argsort(published, kind="stable")
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    window = np.where(rng.random(n) < 0.06, rng.integers(3, 8, n), rng.integers(20, 46, n))
    region = rng.integers(0, len(places.REGION_NAMES), n)
    buyers = rng.integers(0, max(5, len(names) // 80), n)
    procedure = rng.choice(PROCEDURES, size=n, p=[0.75, 0.18, 0.07])
    tenders = pd.DataFrame(
        {
            "tender_id": text(ids("TD", n)),
            "buyer": text([f"Buyer {b + 1:03d}" for b in buyers[order]]),
            "category": text(
                [f"Category {c + 1:0{len(str(n_categories))}d}" for c in np.array(book.category)[order]]
            ),
            "region": text(labels(region[order], places.REGION_NAMES)),
            "published_on": dates(published[order]),
            "closes_on": dates((published + window)[order]),
            "procedure": text(procedure[order]),
            "value": np.round(np.array(book.value)[order], 2),
        }
    )
    tender, company = rank[np.array(book.tender)], np.array(book.company)
    amount = np.round(np.array(book.amount), 2)
    by_tender = np.lexsort((company, tender))
    tender, company, amount = tender[by_tender], company[by_tender], amount[by_tender]
    fate = rng.random(len(tender))
    status = np.where(fate < 0.02, "withdrawn", np.where(fate < 0.04, "disqualified", "valid")).astype(object)
    # the lowest bidder wins, so that bid stands
    cheapest = np.lexsort((company, amount, tender))
    winner = np.zeros(len(tender), dtype=bool)
    winner[cheapest[np.r_[True, np.diff(tender[cheapest]) > 0]]] = True
    status[winner] = "valid"
    days = np.minimum(rng.integers(0, 6, len(tender)), window[order][tender])
    bids = pd.DataFrame(
        {
            "bid_id": text(ids("B", len(tender))),
            "tender_id": text(ids("TD", n)[tender]),
            "company_id": text(names[company]),
            "amount": amount,
            "submitted_on": dates((published + window)[order][tender] - days),
            "winner": pd.array(winner, dtype="boolean"),
            "status": text(status),
        }
    )
    return {"tenders": tenders, "bids": bids}
