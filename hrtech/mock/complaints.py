"""Complaints of workers over time in the mock world, with planted emerging patterns and decoys.

Belongs here: complaint records, what truly rose and what only looks so (season, stable rare combinations, a
surge of everything). Does not belong here: victims or firms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import Streams, dates, ids, labels, multi_valued, text

START = np.datetime64("2022-01", "M")
PERIODS = 36
CHANNELS = ("Helpline", "Mobile app", "Union", "Walk-in")
RECRUITERS = (
    "Bluegate Agency",
    "Crestline Manpower",
    "Direct hire",
    "Family contact",
    "Orbit Staffing",
    "Sunway Placement",
)
ISSUES = (
    "Contract changed", "Excessive hours", "Harassment", "Illegal deductions", "Injury", "Movement restricted",
    "Passport withheld", "Recruitment fees", "Unpaid wages", "Unsafe housing",
)  # fmt: skip
VALUES: dict[str, tuple[str, ...]] = {
    "region": places.REGION_NAMES[:12],
    "sector": places.SECTORS,
    "channel": CHANNELS,
    "worker_origin": tuple(places.CITIZENSHIPS)[:12],
    "gender": ("Female", "Male"),
    "recruiter": RECRUITERS,
}
COLUMNS = (*VALUES, "issue")
_CLASSES = 4

Items = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Batch:
    """Complaints as codes: period, one code per single-valued column, and a matrix of issues."""

    period: np.ndarray
    codes: np.ndarray
    issues: np.ndarray

    def holds(self, items: Items) -> np.ndarray:
        out = np.ones(len(self.period), dtype=bool)
        for column, code in items:
            out &= self.issues[:, code] if column == "issue" else self.codes[:, COLUMNS.index(column)] == code
        return out


@dataclass(frozen=True)
class _Model:
    """Latent classes: complaints of one class resemble each other; classes do not change over time."""

    weights: np.ndarray
    tables: list[np.ndarray]

    def draw(self, rng: np.random.Generator, period: np.ndarray, fixed: Items = ()) -> _Batch:
        n = len(period)
        kind = rng.choice(_CLASSES, size=n, p=self.weights)
        columns = []
        for table in self.tables:
            bounds = table.cumsum(axis=1)[kind]
            columns.append(np.minimum((rng.random((n, 1)) > bounds).sum(axis=1), table.shape[1] - 1))
        issues = np.zeros((n, len(ISSUES)), dtype=bool)
        issues[np.arange(n), columns[-1]] = True
        more = rng.random(n) < 0.3
        issues[more, rng.integers(0, len(ISSUES), n)[more]] = True
        codes = np.stack(columns[:-1], axis=1)
        for column, code in fixed:
            if column == "issue":
                issues[:, code] = True
            else:
                codes[:, COLUMNS.index(column)] = code
        return _Batch(period, codes, issues)


def _model(rng: np.random.Generator) -> _Model:
    tables = []
    for column in COLUMNS:
        k = len(ISSUES) if column == "issue" else len(VALUES[column])
        base = rng.dirichlet(np.full(k, 3.0))
        tables.append(0.6 * base + 0.4 * rng.dirichlet(np.full(k, 2.0), _CLASSES))
    return _Model(rng.dirichlet(np.full(_CLASSES, 4.0)), tables)


def _pick(
    rng: np.random.Generator, base: _Batch, length: int, low: float, high: float, used: list[Items]
) -> Items | None:
    """Pick a combination that occurs `low` to `high` times a period and shares at most one item with others."""
    for _ in range(400):
        row = int(rng.integers(0, len(base.period)))
        places_ = sorted(rng.choice(len(COLUMNS), length, replace=False))
        issue = int(rng.choice(np.flatnonzero(base.issues[row])))
        items = tuple(
            (COLUMNS[j], issue if COLUMNS[j] == "issue" else int(base.codes[row, j])) for j in places_
        )
        if any(len(set(items) & set(other)) > 1 for other in used):
            continue
        if low <= base.holds(items).sum() / PERIODS <= high:
            used.append(items)
            return items
    return None


def attributes_text(items: Items) -> str:
    """Render a combination as `column:value;column:value`, sorted by column, then value."""
    named = [(c, ISSUES[code] if c == "issue" else VALUES[c][code]) for c, code in items]
    return ";".join(f"{column}:{value}" for column, value in sorted(named))


def make_complaints(
    streams: Streams, count: int, patterns: int, *, planted: bool, decoys: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw complaints over 36 months.

    Args:
        streams: Random streams of the world.
        count: Complaints before anything is planted.
        patterns: How many emerging patterns to plant.
        planted: Whether to plant them.
        decoys: Whether to add what looks like a pattern and is none.

    Returns:
        The complaints, and the truth: `pattern_id`, `attributes`, `start`, `end` (first and last day),
        `expected` and `extra` complaints in the window, `ratio` = (expected + extra) / expected, `kind`
        (`emerging`; decoys are `seasonal`, `stable_rare`, `surge`).
    """
    rng = streams("complaints/base")
    time = np.arange(PERIODS)
    volume = np.exp(0.008 * time) * (1 + 0.15 * np.sin(2 * np.pi * time / 12))
    surge = int(rng.integers(6, PERIODS - 3))
    if decoys:
        volume[surge] *= 1.8
    share = volume / volume.sum()
    model = _model(streams("complaints/model"))
    base = model.draw(rng, rng.choice(PERIODS, size=count, p=share))
    batches, truth = [base], []
    used: list[Items] = []
    if planted:
        dice = streams("complaints/patterns")
        for i in range(patterns):
            length, z, duration = (2, 3, 3, 4)[i % 4], (12.0, 8.0, 6.0, 10.0)[i % 4], (3, 2, 4)[i % 3]
            items = _pick(
                dice, base, length, 0.2 if length == 4 else 1.0, max(2.0, count / PERIODS / 8), used
            )
            if items is None:
                continue
            first = int(dice.integers(PERIODS // 3, PERIODS - duration + 1))
            window = slice(first, first + duration)
            expected = float(base.holds(items).sum() * share[window].sum())
            extra = int(np.ceil(z * np.sqrt(max(expected, 1.0))))
            batches.append(model.draw(dice, dice.integers(first, first + duration, extra), items))
            truth.append((items, first, first + duration - 1, expected, extra, "emerging"))
    if decoys:
        dice = streams("complaints/decoys")
        for kind in ("seasonal", "stable_rare", "seasonal", "stable_rare"):
            items = _pick(dice, base, int(dice.integers(2, 4)), 0.3, max(3.0, count / PERIODS / 40), used)
            if items is None:
                continue
            mean = base.holds(items).sum() / PERIODS
            phase = int(dice.integers(0, 12))
            active = time if kind == "stable_rare" else time[np.isin(time % 12, (phase, (phase + 1) % 12))]
            size = (3.0 if kind == "stable_rare" else 7.0) * np.sqrt(max(mean, 1.0))
            period = np.repeat(active, np.maximum(1, dice.poisson(size, len(active))))
            batches.append(model.draw(dice, period, items))
            expected = float(base.holds(items).sum() * share[active].sum())
            truth.append((items, int(active[0]), int(active[-1]), expected, len(period), kind))
        truth.append(
            (
                (),
                surge,
                surge,
                count * float(share[surge]) / 1.8,
                round(count * share[surge] * 0.8 / 1.8),
                "surge",
            )
        )
    return _write(streams("complaints/records"), batches), _truth(truth)


def _write(rng: np.random.Generator, batches: list[_Batch]) -> pd.DataFrame:
    period = np.concatenate([b.period for b in batches])
    codes, issues = np.concatenate([b.codes for b in batches]), np.concatenate([b.issues for b in batches])
    first_day = (START + period).astype("datetime64[D]")
    length = ((START + period + 1).astype("datetime64[D]") - first_day).astype(np.int64)
    day = first_day + (rng.random(len(period)) * length).astype(np.int64)
    order = np.lexsort((rng.random(len(period)), day))
    frame = {"complaint_id": text(ids("Q", len(period))), "date": dates(day[order])}
    for j, (column, values) in enumerate(VALUES.items()):
        frame[column] = text(labels(codes[order, j], values))
    frame["issue"] = multi_valued(issues[order], ISSUES)
    return pd.DataFrame(frame)


def _truth(rows: list[tuple[Items, int, int, float, int, str]]) -> pd.DataFrame:
    first = np.array([row[1] for row in rows], dtype=np.int64)
    last = np.array([row[2] for row in rows], dtype=np.int64)
    expected = np.array([row[3] for row in rows], dtype=float)
    extra = np.array([row[4] for row in rows], dtype=np.int64)
    return pd.DataFrame(
        {
            "pattern_id": text([f"PAT-{i + 1:02d}" for i in range(len(rows))]),
            "attributes": text([attributes_text(row[0]) for row in rows]),
            "start": dates((START + first).astype("datetime64[D]")),
            "end": dates((START + last + 1).astype("datetime64[D]") - 1),
            "expected": expected,
            "extra": extra,
            "ratio": (expected + extra) / np.where(expected > 0, expected, np.nan),
            "kind": text([row[5] for row in rows]),
        }
    )
