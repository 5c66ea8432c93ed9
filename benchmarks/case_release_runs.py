"""Our releases of one table and the peer's, made once and judged for several figures.

Nothing is free: the number of people, rough frequencies, the bound on a person's weight and the values of every column
are measured privately and charged. Which columns hold several values is told to both. Settings are the defaults.
"""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from case_release_data import Table
from case_release_judge import Judge
from harness import run_peer

from hrtech.release.declared import ReleaseSettings
from hrtech.release.mechanism import draw
from hrtech.release.publish import Draft, Published, draft, finish

PARTS = ("records", "aggregates")
#: Thresholds of the curve of missing against fabricated, and how often the peer's point is closed in on.
THRESHOLDS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 3.0)
CLOSER = 3


@dataclass(frozen=True)
class Size:
    """How much is repeated.

    Attributes:
        draws: Releases of a table; the first also loads compiled code, the others are timed.
        peer_runs: Runs of the peer.
        curves: Draws whose curve of missing against fabricated is followed.
        covered: Draws whose intervals are looked at, 200 or more to be judged.
        part: Rows and columns of the table at most in those; None for all.
        large: Rows of the large release.
        counted: Rows of the exact counts.
        audit: Runs of the audit, audits of half the noise, and runs in each of them.
    """

    draws: int
    peer_runs: int
    curves: int
    covered: int
    part: tuple[int, int] | None
    large: int
    counted: int
    audit: tuple[int, int, int]


SIZES = {
    "small": Size(2, 1, 1, 50, (4_000, 6), 50_000, 1_000_000, (300, 6, 240)),
    "full": Size(6, 3, 3, 200, None, 200_000, 10_000_000, (4_000, 100, 240)),
}


@dataclass(frozen=True)
class Run:
    """One release, judged at the default setting; seconds of wall and of this process for draw and publication."""

    draft: Draft
    published: Published
    judged: dict[str, dict]
    seconds: float
    cpu: float


@dataclass(frozen=True)
class Point:
    """What is fabricated and missing at a threshold, in % of the combinations told and of those truly held."""

    threshold: float
    fabricated: float
    missing: float


class Comparison:
    """One table: our runs and the peer's."""

    def __init__(self, table: Table, size: Size, seed: int) -> None:
        self.table, self.size, self.seed = table, size, seed
        self._runs: dict[float, list[Run]] = {}
        self._peers: dict[float, list[dict]] = {}
        self._curves: dict[tuple[float, int], Curve] = {}

    @cached_property
    def judge(self) -> Judge:
        """The truth."""
        return Judge(self.table)

    def settings(self, epsilon: float) -> ReleaseSettings:
        """The defaults, fixed before any figure was seen."""
        return ReleaseSettings(epsilon=epsilon, delta=self.table.delta)

    def runs(self, epsilon: float) -> list[Run]:
        """Our releases."""
        if epsilon not in self._runs:
            self._runs[epsilon] = [self._run(epsilon, k) for k in range(self.size.draws)]
        return self._runs[epsilon]

    def _run(self, epsilon: float, number: int) -> Run:
        typed, schema, settings = self.table.typed, self.table.schema, self.settings(epsilon)
        rng = np.random.default_rng([self.seed, number])
        started, busy = time.perf_counter(), time.process_time()
        made = draft(draw(typed, settings, schema), rng)
        published = finish(made, settings, rng)
        spent = time.perf_counter() - started, time.process_time() - busy
        return Run(made, published, self.judge.both(published), *spent)

    def peers(self, epsilon: float) -> list[dict]:
        """The peer's releases at its best setting; none where it is not installed."""
        if epsilon not in self._peers:
            best = ["--fabrication", "balanced", "--synthetic-counts", "--threads", "1"]
            words = ["--epsilon", str(epsilon), *best, "--repeats", str(self.size.peer_runs)]
            found = run_peer("pac_synth", "pac_synth.py", str(self.table.path), *words)
            self._peers[epsilon] = [
                {
                    "records": one["synthetic"]["all"],
                    "aggregates": one["aggregates"]["all"],
                    "seconds": one["fit_s"] + one["sample_s"],
                    "cpu": one["fit_cpu_s"] + one["sample_cpu_s"],
                }
                for one in found
            ]
        return self._peers[epsilon]

    def peer_mean(self, epsilon: float, part: str, figure: str) -> float | None:
        """Mean of one of the peer's figures."""
        found = [one[part][figure] for one in self.peers(epsilon)]
        return float(np.mean(found)) if found else None

    def curve(self, epsilon: float, number: int) -> "Curve":
        """What other thresholds would tell of one of our draws."""
        key = epsilon, number
        if key not in self._curves:
            self._curves[key] = Curve(self, self.runs(epsilon)[number].draft, epsilon)
        return self._curves[key]


class Curve:
    """Missing against fabricated from one draw: any threshold is post-processing of it."""

    def __init__(self, comparison: Comparison, made: Draft, epsilon: float) -> None:
        self.comparison, self.draft = comparison, made
        self.settings = comparison.settings(epsilon)
        self.judged: dict[float, dict[str, dict]] = {}
        for threshold in THRESHOLDS:
            self._look(threshold)

    def _look(self, threshold: float) -> None:
        rng = np.random.default_rng(self.comparison.seed)
        published = finish(self.draft, self.settings, rng, threshold=threshold)
        self.judged[threshold] = self.comparison.judge.both(published)

    def points(self, part: str) -> list[Point]:
        """Points so far, by threshold."""
        return [
            Point(t, both[part]["fabricated_pct"], both[part]["missing_pct_ge_min"])
            for t, both in sorted(self.judged.items())
        ]

    def nearest(self, part: str, fabricated: float) -> Point:
        """The point that fabricates most without fabricating more than this, closed in on."""
        for _ in range(CLOSER):
            points = self.points(part)
            fair = [p.threshold for p in points if p.fabricated <= fabricated]
            lower = [p.threshold for p in points if fair and p.threshold < min(fair)]
            if not fair or not lower:
                break
            self._look((max(lower) * min(fair)) ** 0.5)
        points = self.points(part)
        fair = [p for p in points if p.fabricated <= fabricated]
        return max(fair, key=lambda p: (p.fabricated, -p.missing)) if fair else points[-1]
