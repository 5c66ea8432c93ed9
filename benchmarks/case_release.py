"""CaseRelease against PAC-Synth at its best setting: the same file, epsilon, delta and number of threads.

`--data FILE` takes any CSV (blank is unknown, "0" is no, `;` stands between several values). Judged by
`peers/metrics.py` over combinations of up to three attributes, errors over those that ten or more people truly hold.
`--only aim` sets the records beside those of AIM, for information.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import Figure, arguments, tell  # first: it fixes the threads

# isort: split
import case_release_scale as scale
from case_release_aim import beside_private_pgm
from case_release_audit import DELTA, audited
from case_release_coverage import Coverage
from case_release_data import Table, default_tables
from case_release_judge import interval, not_above, within
from case_release_runs import PARTS, SIZES, Comparison, Size

#: Figure → largest ratio on (the file that was tuned on, other files), at epsilon 4 and 1.
LIMITS = {
    "3.1": {4.0: (0.25, 0.40), 1.0: (0.25, 0.55)},
    "3.2": {4.0: (0.45, 0.45), 1.0: (0.40, 0.40)},
    "3.3": {4.0: (0.10, 0.5), 1.0: (0.35, 0.5)},
    "3.5": {4.0: (1 / 8, 1 / 4)},
}
TARGETS = {
    "3.1": "≤ .25 × at both; on files that nobody tuned on ≤ .40 × / ≤ .55 ×",
    "3.2": "≤ .45 × / ≤ .40 ×",
    "3.3": "missing ≤ .10 × / ≤ .35 ×; on other files ≤ .5 ×",
    "3.4": "cover 94–97 %, clipping bias included, ≥ 200 draws",
    "3.5": "≥ 8 × faster; on other files ≥ 4 ×",
    "3.6": "≤ 60 s, ≤ 4 GB",
    "3.7": "≤ 10 s, ≤ 8 GB",
    "3.8": "lower bound below ε at 95 %, and power ≥ .9 at half the noise",
}
EPSILONS = (4.0, 1.0)
PAID = "people, centres, bound and all values paid"


def line(
    id: str,
    name: str,
    ours: list[float],
    peer: float | None = None,
    *,
    reached: bool | None = False,
    n: int | None = None,
) -> Figure:
    """One figure, the mean of repetitions."""
    mean = float(np.mean(ours)) if ours else None
    ratio = mean / peer if mean is not None and peer else None
    target = TARGETS[id.split()[0]]
    numbers = (None if x is None else float(f"{x:.4g}") for x in (mean, peer, ratio))
    return Figure(id, name, *numbers, target, n or len(ours), interval(ours), reached)


def against_peer(one: Comparison, id: str, name: str, epsilon: float, ours: list[float], peer: float | None):
    """A figure judged by its ratio to the peer's; without the peer it is not reached."""
    most = LIMITS[id][epsilon][not one.table.tuned]
    reached = peer is not None and not_above(ours, most * peer)
    return line(id, f"{one.table.name}: {name}", ours, peer, reached=reached)


def errors(one: Comparison, id: str) -> Iterator[Figure]:
    """3.1 records, 3.2 aggregates: mean absolute error at the default setting."""
    part = PARTS[id == "3.2"]
    for epsilon in EPSILONS:
        judged = [run.judged[part] for run in one.runs(epsilon)]
        held = judged[0]["n_true_ge_min"]
        name = f"{part}, mean absolute error over {held:,} combinations at ε = {epsilon:g} ({PAID})"
        peer = one.peer_mean(epsilon, part, "mae_ge_min")
        yield against_peer(one, id, name, epsilon, [j["mae_ge_min"] for j in judged], peer)


def missing(one: Comparison, id: str) -> Iterator[Figure]:
    """3.3: missing at no more fabrication than the peer, and the curve of one draw."""
    for epsilon in EPSILONS:
        at = f"at ε = {epsilon:g}"
        curves = [one.curve(epsilon, k) for k in range(one.size.curves)]
        for part in PARTS:
            limit = one.peer_mean(epsilon, part, "fabricated_pct")
            peer = one.peer_mean(epsilon, part, "missing_pct_ge_min")
            if limit is None or peer is None:
                default = [run.judged[part] for run in one.runs(epsilon)]
                told = np.mean([d["fabricated_pct"] for d in default])
                name = (
                    f"{one.table.name}: {part}, % missing {at} with {told:.2f} % fabricated, default setting"
                )
                yield line(id, f"{name} ({PAID})", [d["missing_pct_ge_min"] for d in default])
                continue
            points = [curve.nearest(part, limit) for curve in curves]
            told = np.mean([p.fabricated for p in points])
            name = f"{part}, % missing {at} with {told:.2f} % fabricated against {limit:.2f} % ({PAID})"
            found = against_peer(one, id, name, epsilon, [p.missing for p in points], peer)
            if any(p.fabricated > limit for p in points):
                found = line(id, found.name, [p.missing for p in points], peer, reached=False)
            yield found
        for part in PARTS:
            for point in curves[0].points(part):
                name = f"{one.table.name}: {part}, % missing {at} with {point.fabricated:.2f} % fabricated"
                yield line(
                    f"{id} curve", f"{name}, threshold {point.threshold:.3g}", [point.missing], reached=None
                )


def coverage(one: Comparison, id: str) -> Iterator[Figure]:
    """3.4: published intervals against the counts of all people."""
    size = one.size
    table = one.table.part(*size.part, np.random.default_rng(one.seed)) if size.part else one.table
    for epsilon in EPSILONS:
        looked = Coverage(table, one.settings(epsilon))
        shares = looked.shares(size.covered)
        rows, columns = table.text.shape
        of = f"{rows:,} × {columns}, ε = {epsilon:g}, {size.covered} draws ({PAID})"
        few = "" if size.covered >= 200 else "; too few draws of a part of the table, not judged"
        reached = size.covered >= 200 and within(shares, 0.94, 0.97)
        name = f"{one.table.name}: share of all cells, zeros included, in their 95 % intervals, {of}{few}"
        yield line(id, name, shares, reached=reached)
    for epsilon in EPSILONS:
        looked = Coverage(one.table, one.settings(epsilon))
        shares = [looked.published(run.published) for run in one.runs(epsilon)]
        name = f"{one.table.name}: share of published cells in their 95 % intervals, ε = {epsilon:g} ({PAID})"
        yield line(id, name, shares, reached=within(shares, 0.94, 0.97))


def seconds(one: Comparison, id: str) -> Iterator[Figure]:
    """3.5: draw, fit and sample; the first release loads compiled code and is not timed."""
    timed, peers = one.runs(4.0)[1:], one.peers(4.0)
    busy = f"{np.mean([run.cpu for run in timed]):.1f} s of the process itself"
    if peers:
        busy += f" against {np.mean([p['cpu'] for p in peers]):.1f} s"
    name = f"seconds from records to publication at ε = 4, compiled code loaded ({busy})"
    peer = float(np.mean([p["seconds"] for p in peers])) if peers else None
    yield against_peer(one, id, name, 4.0, [run.seconds for run in timed], peer)


def large(one: Comparison, id: str) -> Iterator[Figure]:
    """3.6: many rows and columns at length 4."""
    rows = one.size.large
    figures = scale.measure(
        "release", path=str(one.table.path), rows=rows, columns=20, length=4, epsilon=4.0, seed=one.seed
    )
    banded = ", columns banded" * figures["banded"]
    name = (
        f"{one.table.name}: seconds to release {rows:,} × 20 at length 4, {figures['attributes']} attributes"
        f"{banded}, {figures['cells']:,} cells ({figures['gigabytes']:.1f} GB, {figures['cpu']:.0f} s of the "
        f"process, compiled code loaded; {PAID})"
    )
    fits = figures["seconds"] <= 60 and figures["gigabytes"] <= 4
    few = "" if rows >= 200_000 else "; too few rows, not judged"
    yield line(id, name + few, [figures["seconds"]], reached=fits and not few, n=rows)


def counted(size: Size, seed: int, id: str) -> Iterator[Figure]:
    """3.7: exact counts of a large table."""
    rows = size.counted
    figures = scale.measure("count", rows=rows, seed=seed)
    fits = figures["seconds"] <= 10 and figures["gigabytes"] <= 8
    few = "" if rows >= 10_000_000 else "; too few rows, not judged"
    name = f"seconds to count {rows:,} × 16 at length 3 ({figures['gigabytes']:.1f} GB){few}"
    yield line(id, name, [figures["seconds"]], reached=fits and not few, n=rows)


def audits(size: Size, seed: int, id: str) -> Iterator[Figure]:
    """3.8: the audit of the mechanism, and of the same with half the noise."""
    for one in audited(EPSILONS, *size.audit, seed):
        found = one.result
        name = (
            f"lower bound on ε = {one.epsilon:g} at 95 %, δ = {DELTA:g}, membership of a person chosen to be seen best "
            f"({found.epsilon_lower_any:.2f} without assuming a Gaussian trade-off; simulated people; {PAID})"
        )
        yield line(id, name, [found.epsilon_lower], reached=found.holds, n=found.draws)
        name = f"share of audits, {one.draws} runs each, that catch half the noise at ε = {one.epsilon:g} ({PAID})"
        caught = line(id, name, [one.power], reached=one.catches, n=one.audits)
        yield replace(caught, interval=one.interval)


FIGURES: dict[str, Callable[[Comparison, str], Iterator[Figure]]] = {
    "3.1": errors,
    "3.2": errors,
    "3.3": missing,
    "3.4": coverage,
    "3.5": seconds,
    "3.6": large,
}
#: Figures that need no table.
ALONE: dict[str, Callable[[Size, int, str], Iterator[Figure]]] = {"3.7": counted, "3.8": audits}
#: Figures that are printed only on request: they take long, and judge nothing.
ASKED: dict[str, Callable[[Comparison, str], Iterator[Figure]]] = {
    "aim": lambda one, _: beside_private_pgm(one, EPSILONS),
}


def main() -> None:
    """Measure what was asked for."""
    options = arguments(__doc__ or "", only="ids of figures, comma-separated; by default all but aim")
    wanted = set(options.only.split(",")) if options.only else {*FIGURES, *ALONE}
    size = SIZES[options.size]
    for id in sorted(wanted & set(ALONE)):
        for figure in ALONE[id](size, options.seed, id):
            tell(figure)
    with tempfile.TemporaryDirectory() as folder:
        tables = [Table.read(options.data)] if options.data else default_tables(Path(folder), options.seed)
        for table in tables:
            one = Comparison(table, size, options.seed)
            for id, measure in sorted((FIGURES | ASKED).items()):
                for figure in measure(one, id) if id in wanted else ():
                    tell(figure)


if __name__ == "__main__":
    main()
