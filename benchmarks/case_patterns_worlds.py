"""Case records with a time column: planted emerging patterns, decoys, null worlds of several kinds; and judging.

`make_cases` draws the world that the peer is measured on; `mock_complaints` the complaints of the mock world. A truth
is `items` (column, value), `first` and `last` period; a decoy `items` and `kind`.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hrtech.counts import parse_attributes
from hrtech.mock.common import Streams
from hrtech.mock.complaints import make_complaints
from hrtech.patterns import Patterns

CARDS = {
    "region": 6, "sector": 8, "channel": 3, "sex": 2, "age_band": 5, "issue": 10, "product": 12, "priority": 4
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """A planted pattern."""

    items: frozenset
    first: str
    last: str


@dataclass
class World:
    """Records and what is so."""

    frame: pd.DataFrame
    time: str
    columns: tuple[str, ...]
    planted: list[Truth] = field(default_factory=list)
    decoys: list[tuple[frozenset, str]] = field(default_factory=list)
    windows: tuple[int, ...] = (1, 2, 3)


class _Base:
    """Latent classes give correlated attributes that do not change over time."""

    def __init__(self, rng, cards, classes=4):
        self.rng, self.cards, self.names = rng, cards, list(cards)
        self.weights = rng.dirichlet(np.ones(classes) * 4)
        self.tables = {}
        for name, k in cards.items():
            base = rng.dirichlet(np.ones(k) * 3)
            self.tables[name] = np.stack(
                [0.6 * base + 0.4 * rng.dirichlet(np.ones(k) * 2) for _ in range(classes)]
            )

    def draw(self, number):
        kind = self.rng.choice(len(self.weights), number, p=self.weights)
        out = np.empty((number, len(self.names)), np.int16)
        for j, name in enumerate(self.names):
            bounds = self.tables[name].cumsum(1)[kind]
            out[:, j] = np.minimum((self.rng.random(number)[:, None] > bounds).sum(1), self.cards[name] - 1)
        return out


def _labels(periods, per_year):
    if per_year == 4:
        return [f"{2018 + p // 4}-Q{p % 4 + 1}" for p in range(periods)]
    return [f"{2022 + p // 12}-{p % 12 + 1:02d}" for p in range(periods)]


def _pick(rng, base, x, periods, length, low, high, used):
    for _ in range(4000):
        at = sorted(rng.choice(len(base.names), length, replace=False))
        row = x[rng.integers(len(x))]
        key = tuple((int(j), int(row[j])) for j in at)
        if key in used or any(len(set(key) & set(u)) > 1 for u in used):
            continue
        mean = np.logical_and.reduce([x[:, j] == v for j, v in key]).sum() / periods
        if low <= mean <= high:
            used.add(key)
            return key, mean
    return None, 0.0


def _when_decoy(rng, kind, mean, periods, per_year):
    """Periods of the added records: in every period, or in two phases of each year."""
    if kind == "stable_rare":
        return np.repeat(np.arange(periods), np.maximum(1, rng.poisson(max(3 * np.sqrt(mean), 2), periods)))
    phase = int(rng.integers(0, per_year))
    active = [p for p in range(periods) if p % per_year in (phase, (phase + 1) % per_year)]
    return np.repeat(active, np.maximum(2, rng.poisson(10 * np.sqrt(max(mean, 1)), len(active))))


def _when_planted(rng, z, span, mean, periods):
    """First period of the window, and the periods of the added records."""
    first = int(rng.integers(periods // 3, periods - span + 1))
    extra = int(np.ceil(z * np.sqrt(max(mean * span, 1.0))))
    when = first + rng.integers(0, span, extra)
    if extra >= span:
        when[:span] = np.arange(first, first + span)
    return first, when


def make_cases(
    rows, seed, *, planted=8, decoys=True, periods=24, cards=None, per_year=12, seasonal=0, batches=0.0
):
    """Draw a world.

    Args:
        rows: Records before anything is planted.
        seed: Of everything.
        planted: Patterns to plant: lengths 2 to 4, excess of 4 to 12 standard deviations, 1 to 3 periods.
        decoys: Two stable rare combinations, two seasonal ones, a surge of volume.
        periods: How many.
        cards: Values of each column.
        per_year: 12 or 4.
        seasonal: More seasonal combinations, for null worlds.
        batches: Share of records that come as copies of another of the same period, for null worlds.
    """
    rng = np.random.default_rng(seed)
    cards = cards or CARDS
    volume = np.exp(0.01 * np.arange(periods)) * (
        1 + 0.15 * np.sin(2 * np.pi * np.arange(periods) / per_year)
    )
    if decoys:
        volume[int(rng.integers(4, periods - 2))] *= 1.8
    t = np.repeat(np.arange(periods), rng.multinomial(rows, volume / volume.sum()))
    base = _Base(rng, cards)
    x = base.draw(len(t))
    used, more, false, true = set(), [], [], []

    def add(key, when):
        extra = base.draw(len(when))
        for j, value in key:
            extra[:, j] = value
        more.append((extra, when))

    def named(key):
        return frozenset((base.names[j], f"v{v}") for j, v in key)

    kinds = ("stable_rare", "stable_rare", "seasonal", "seasonal") if decoys else ("seasonal",) * seasonal
    for kind in kinds:
        length = int(rng.choice([2, 3]))
        key, mean = _pick(rng, base, x, periods, length, 0.3, max(3.0, rows / periods / 60), used)
        if key is not None:
            add(key, _when_decoy(rng, kind, mean, periods, per_year))
            false.append((named(key), kind))
    labels = _labels(periods, per_year)
    for i in range(planted):
        length, z, span = (2, 3, 4)[i % 3], (4.0, 6.0, 8.0, 12.0)[i % 4], (1, 2, 3)[i % 3]
        least = 0.5 if length == 4 else 1.0
        key, mean = _pick(rng, base, x, periods, length, least, rows / periods / 8, used)
        if key is not None:
            first, when = _when_planted(rng, z, span, mean, periods)
            add(key, when)
            true.append(Truth(named(key), labels[first], labels[first + span - 1]))
    if more:
        x = np.vstack([x, *(part for part, _ in more)])
        t = np.concatenate([t, *(when for _, when in more)])
    if batches:
        copied = rng.random(len(t)) < batches
        within = np.array([rng.choice(np.flatnonzero(t == p)) for p in t[copied]])
        x[copied] = x[within]
    order = rng.permutation(len(t))
    frame = pd.DataFrame(
        {
            name: np.array([f"v{k}" for k in range(cards[name])])[x[order, j]]
            for j, name in enumerate(base.names)
        }
    )
    frame["period"] = np.array(labels)[t[order]]
    return World(frame, "period", tuple(base.names), true, false)


def mock_complaints(rows, seed, *, planted=True, patterns=12):
    """The complaints of the mock world: 36 months, several values a cell, windows as the demo's study has them."""
    frame, truth = make_complaints(Streams(seed), rows, patterns, planted=planted, decoys=planted)
    columns = tuple(c for c in frame.columns if c not in ("complaint_id", "date"))
    made = World(frame, "date", columns, windows=(1, 2, 3, 4))
    for row in truth.itertuples():
        items = frozenset(parse_attributes(row.attributes)) if row.attributes else frozenset()
        if row.kind == "emerging":
            made.planted.append(Truth(items, f"{row.start:%Y-%m}", f"{row.end:%Y-%m}"))
        elif items:
            made.decoys.append((items, row.kind))
    return made


def holds(frame, items):
    """Who holds all items, (records,)."""
    rows = np.ones(len(frame), dtype=bool)
    for column, value in items:
        cells = frame[column]
        several = isinstance(cells.iloc[0], list | np.ndarray)
        rows &= (
            np.array([value in cell for cell in cells])
            if several
            else (cells == value).fillna(False).to_numpy(bool)
        )
    return rows


def judge(world: World, found: Patterns, tier: str = "strict") -> dict[str, int]:
    """Count what an oracle could detect, what was found exactly, and what was reported, by kind.

    The oracle knows pattern and window: it detects where the exact tail is at most the search's own threshold.
    """
    from scipy.stats import hypergeom

    labels = list(found.search.periods)
    steps = found.thresholds[found.thresholds["tier"] == "strict"].set_index("length")["threshold"]
    leaders = found.leaders
    if tier == "strict":
        leaders = leaders[leaders["tier"] == "strict"]
    told = [
        (
            frozenset(parse_attributes(q.attributes)),
            set(labels[labels.index(q.first) : labels.index(q.last) + 1]),
            not pd.isna(q.p_season),
        )
        for q in leaders.itertuples()
    ]
    period = world.frame[world.time]
    if world.time == "date":
        period = pd.to_datetime(period).dt.strftime("%Y-%m")
    names = (
        "planted",
        "detectable",
        "found",
        "both",
        "reported",
        "true",
        "decoy",
        "other",
        "tested",
        "tested_true",
    )
    out = dict.fromkeys(names, 0)
    windows = []
    for one in world.planted:
        window = set(labels[labels.index(one.first) : labels.index(one.last) + 1])
        windows.append(window)
        rows, inside = holds(world.frame, one.items), period.isin(window).to_numpy()
        p = hypergeom.sf((rows & inside).sum() - 1, len(rows), rows.sum(), inside.sum())
        detectable = p <= float(steps.get(len(one.items), 0.0))
        hit = any(items == one.items and when & window for items, when, _ in told)
        out["planted"] += 1
        out["detectable"] += detectable
        out["found"] += hit
        out["both"] += detectable and hit
    for items, when, tested in told:
        true = any(
            _near(items, one.items) and when & w for one, w in zip(world.planted, windows, strict=True)
        )
        out["reported"] += 1
        out["tested"] += tested
        out["true"] += true
        out["tested_true"] += true and tested
        if not true:
            out[
                "decoy" if any(items <= other or other <= items for other, _ in world.decoys) else "other"
            ] += 1
    return out


def _near(a, b):
    return (a <= b or b <= a) and len(a & b) / len(a | b) >= 0.5
