"""EntityNetwork against the Intelligence Toolkit's Detect Entity Networks: the same worlds, planted and without rings.

`--data FOLDER` takes a world as parquet tables. The Toolkit ranks by its best column. It finds nothing in 40 s where
8,000 firms bid, so it is told of bids in worlds of 2,000 firms, where ours stands beside it. Worlds that the rules were
set on: seeds 101 and 102 (8,000 firms), 3000 to 3059 (null worlds); none of them is measured here.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import ROOT, Figure, arguments, run_peer, tell  # first: it fixes the threads

# isort: split
from case_release_judge import interval, not_above
from entity_network_activity import TARGET, recovery
from entity_network_worlds import World, mock_ranking
from scipy.stats import binomtest

TARGETS = {
    "4.6": "AUC ≥ .97, precision at n ≥ .70",
    "4.7": "standard AUC ≥ .998, precision ≥ .95; hard AUC ≥ .98, precision ≥ .80",
    "4.8": "standard recall ≥ .95 at precision ≥ .95; hard ≥ .45 at ≥ .75",
    "4.9": "worlds with any false link: 10 % not rejected; false-discovery proportion ≤ 10 %",
    "4.10": TARGET,
    "4.11": "≤ 30 s, ≤ 2 GB; exponent ≤ 1.15",
}
PEER = "intelligence_toolkit"
_ALPHA = 0.1


@dataclass(frozen=True)
class Size:
    """How much is measured: firms and repetitions of planted worlds, null worlds, and firms to time."""

    firms: int
    worlds: int
    nulls: int
    null_firms: int
    timed: tuple[int, ...]
    mock: str


SIZES = {
    "small": Size(2_000, 2, 20, 1_000, (1_300, 13_000), "tiny"),
    "full": Size(8_000, 5, 200, 1_000, (1_300, 13_000, 132_000), "demo"),
}


def line(
    id: str, name: str, ours: list[float], peer: float | None = None, *, least: float | None = None
) -> Figure:
    """One figure, the mean of worlds, judged against the least that it may be."""
    mean = float(np.mean(ours))
    reached = None if least is None else not_above([-x for x in ours], -least)
    numbers = (None if x is None else float(f"{x:.4g}") for x in (mean, peer, mean / peer if peer else None))
    return Figure(id, name, *numbers, TARGETS[id], len(ours), interval(ours), reached)


class Runs:
    """Worlds of one run, each studied once."""

    def __init__(self, size: Size, seed: int, data: Path | None) -> None:
        self.size, self.seed, self.data = size, seed, data
        self._found: dict = {}

    def worlds(
        self, *, hard: bool = False, firms: int | None = None, count: int | None = None
    ) -> list[World]:
        if self.data is not None:
            return [World.read(self.data)]
        firms = firms or self.size.firms
        seeds = range(200 + 20 * self.seed, 200 + 20 * self.seed + (count or self.size.worlds))
        key = (firms, hard, len(seeds))
        if key not in self._found:
            self._found[key] = [World.make(firms, seed, hard=hard) for seed in seeds]
        return self._found[key]

    def studied(self, world: World, *, bids: bool):
        key = (id(world), bids)
        if key not in self._found:
            self._found[key] = world.build(bids=bids)
        return self._found[key]

    def peer(self, world: World, *words: str) -> dict | None:
        with tempfile.TemporaryDirectory() as folder:
            told = run_peer(PEER, "intelligence_toolkit_networks.py", str(world.write(Path(folder))), *words)
        return told[0] if told else None


def _ranked(
    runs: Runs, id: str, what: str, worlds: list[World], bids: bool, least, peers: list
) -> Iterator[Figure]:
    ours = [world.ranking(runs.studied(world, bids=bids)) for world in worlds]
    firms = len(worlds[0].tables["companies"])
    for place, measure, key in ((0, "AUC", "auc"), (1, "precision at n", "precision")):
        known = [peer[key] for peer in peers if peer]
        name = f"{what}: {measure} of unflagged ring members, {firms:,} firms"
        yield line(
            id, name, [one[place] for one in ours], float(np.mean(known)) if known else None,
            least=least[place] if least else None,
        )  # fmt: skip


def without_bids(runs: Runs, id: str) -> Iterator[Figure]:
    """4.6: ranking by flags, contacts and owners."""
    worlds = runs.worlds()
    peers = [runs.peer(world) for world in worlds]
    yield from _ranked(runs, id, "no bids", worlds, False, (0.97, 0.70), peers)


def with_bids(runs: Runs, id: str) -> Iterator[Figure]:
    """4.7: ranking with bids; and beside the Toolkit, in smaller worlds."""
    yield from _ranked(runs, id, "standard worlds with bids", runs.worlds(), True, (0.998, 0.95), [])
    if runs.data is None:
        hard = runs.worlds(hard=True)
        yield from _ranked(runs, id, "hard worlds with bids", hard, True, (0.98, 0.80), [])
        beside = runs.worlds(firms=2_000, count=min(runs.size.worlds, 2))
        peers = [runs.peer(world, "--tenders") for world in beside]
        yield from _ranked(runs, id, "beside the Toolkit told of tenders", beside, True, None, peers)
        auc, precision, recall, group, hidden = mock_ranking(runs.size.mock, runs.seed)
        name = f"mock world {runs.size.mock}, {hidden} unflagged ring members"
        for measure, value in (
            ("AUC", auc),
            ("precision at n", precision),
            ("recall of ring pairs", recall),
            ("precision of groups", group),
        ):
            yield line(id, f"{name}: {measure}", [value])


def groups(runs: Runs, id: str) -> Iterator[Figure]:
    """4.8: communities of three or more with a discovery."""
    for hard, least in ((False, (0.95, 0.95)), (True, (0.45, 0.75))):
        if hard and runs.data is not None:
            continue
        worlds = runs.worlds(hard=hard)
        ours = [world.groups(runs.studied(world, bids=True)) for world in worlds]
        what = "hard" if hard else "standard"
        yield line(id, f"{what} worlds: recall of ring pairs", [one[0] for one in ours], least=least[0])
        yield line(
            id, f"{what} worlds: precision of all groups told", [one[1] for one in ours], least=least[1]
        )
    stable = [
        float(runs.studied(world, bids=True).stability["adjusted_rand"].iloc[0]) for world in runs.worlds()
    ]
    yield line(id, "standard worlds: adjusted Rand index between seeds of the communities", stable)


def nulls(runs: Runs, id: str) -> Iterator[Figure]:
    """4.9: worlds without rings, and the share of false discoveries in planted ones."""
    size = runs.size
    told = []
    for k in range(size.nulls):
        world = World.make(size.null_firms, 10_000 * runs.seed + k, plant=False)
        false = world.false(world.build(bids=True))
        told.append(set(false.loc[false["false"], "kind"]))
    for what, kinds in (
        ("any co-bid", {"co-bid"}),
        ("any agreement", {"agreement"}),
        ("any false link of either family", {"co-bid", "agreement"}),
    ):
        hits = sum(bool(kinds & one) for one in told)
        tested = binomtest(hits, size.nulls, _ALPHA, alternative="greater")
        between = binomtest(hits, size.nulls).proportion_ci(0.98)
        name = f"share of {size.nulls} null worlds of {size.null_firms:,} firms with {what}, nominal 10 % a family"
        few = "" if size.nulls >= 200 else "; too few worlds, not judged"
        share = float(f"{hits / size.nulls:.4g}")
        reached = bool(tested.pvalue >= 0.01) and not few
        yield Figure(
            id, name + few, share, None, None, TARGETS[id], size.nulls, (between.low, between.high), reached
        )
    for hard in (False, True):
        worlds = runs.worlds(hard=hard)
        for kind in ("co-bid", "agreement"):
            shares = []
            for world in worlds:
                false = world.false(runs.studied(world, bids=True), partners=hard).query("kind == @kind")
                shares.append(float(false["false"].mean()) if len(false) else 0.0)
            what = "hard, honest partners being true dependence" if hard else "standard"
            name = f"planted worlds, {what}: share of false discoveries, {kind}"
            reached = not_above(shares, _ALPHA)
            numbers = float(f"{np.mean(shares):.4g}")
            yield Figure(id, name, numbers, None, None, TARGETS[id], len(shares), interval(shares), reached)


def activity(runs: Runs, id: str) -> Iterator[Figure]:
    """4.10: pairs that act together or one after another, in worlds of dated activity."""
    worlds, entities = (1, 600) if runs.size.worlds < 3 else (3, 1_000)
    yield from recovery([800 + runs.seed + k for k in range(worlds)], entities)


def scale(runs: Runs, id: str) -> Iterator[Figure]:
    """4.11: seconds and memory by number of edges, each in a process of its own."""
    timed = []
    for firms in runs.size.timed:
        script = ROOT / "benchmarks" / "entity_network_scale.py"
        done = subprocess.run(
            [sys.executable, script, str(firms), str(700 + runs.seed)],
            capture_output=True,
            text=True,
            check=True,
        )
        timed.append(json.loads(done.stdout))
    last = timed[-1]
    few = "" if last["edges"] >= 950_000 else "; too few edges, not judged"
    name = (
        f"seconds end to end, {last['edges']:,} edges ({last['gigabytes']:.2f} GB with the world in memory, "
        f"{last['cpu']:.0f} s of the process, compiled code loaded){few}"
    )
    fits = last["seconds"] <= 30 and last["gigabytes"] <= 2
    seconds = float(f"{last['seconds']:.4g}")
    yield Figure(id, name, seconds, None, None, TARGETS[id], last["edges"], None, fits and not few)
    edges, cpu = (np.log([one[key] for one in timed]) for key in ("edges", "cpu"))
    slope = float(np.polyfit(edges, cpu, 1)[0])
    name = "growth exponent of the process's seconds, " + " to ".join(
        f"{one['edges']:,}" for one in (timed[0], timed[-1])
    )
    yield Figure(
        id, name + few, float(f"{slope:.3g}"), None, None, TARGETS[id], len(timed), None,
        bool(slope <= 1.15) and not few,
    )  # fmt: skip


FIGURES: dict[str, Callable[[Runs, str], Iterator[Figure]]] = {
    "4.6": without_bids,
    "4.7": with_bids,
    "4.8": groups,
    "4.9": nulls,
    "4.10": activity,
    "4.11": scale,
}


def main() -> None:
    """Measure what was asked for."""
    options = arguments(__doc__ or "", only="ids of figures, comma-separated; all by default")
    wanted = options.only.split(",") if options.only else list(FIGURES)
    runs = Runs(SIZES[options.size], options.seed, options.data)
    for id, measure in FIGURES.items():
        if id in wanted:
            for figure in measure(runs, id):
                tell(figure)


if __name__ == "__main__":
    main()
