"""EntityLinkage against plain Splink at its best setting: the same records, threads and machine, no labels in fitting.

`--data FOLDER` holds the published files (see `entity_linkage_data`); `--data FILE` takes any labelled CSV or Parquet
file. Judged by pairs of records: the truth is read only to judge.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import PEERS, ROOT, Figure, arguments, tell  # first: it fixes the threads

# isort: split
import entity_linkage_data as data
import pandas as pd

from hrtech.linkage import LinkageResult, evaluate_linkage, link_registers

TARGETS = {
    "4.1": ("≥ .9998", "≥ .999", "≥ .9995"),
    "4.2": "≥ .975 (.985; ceiling about .991)",
    "4.3": "≥ .885 (.90), every one of 3 seeds",
    "4.4": "≤ .02 / ≤ .06 (.03)",
    "4.12": "≤ 15 min, ≤ 8 GB on two cores",
}
FOLDERS = (ROOT.parent / "shared" / "data" / "linkage", ROOT / "shared" / "data" / "linkage")
BINS = 15


@dataclass(frozen=True)
class Run:
    """One linkage, judged."""

    f1: float
    error: float
    seconds: float
    covered: str
    result: LinkageResult


def run(one: data.Labelled) -> Run:
    """Link and judge."""
    start = time.perf_counter()
    result = link_registers(one.registers, one.spec)
    seconds = time.perf_counter() - start
    measured = evaluate_linkage(result.entities, one.truth).set_index("measure").loc["pairwise"]
    f1 = measured["f1"]
    if one.spec.mode == "link":
        f1 = _f1_across(result, one.truth)
    said = result.quality.set_index("measure")
    covered = "; ".join(
        f"{name} {measured[name]:.3f}, estimated {said.loc[name, 'estimate']:.3f} "
        f"({said.loc[name, 'low']:.3f}–{said.loc[name, 'high']:.3f})"
        for name in ("precision", "recall")
    )
    return Run(float(f1), calibration_error(result, one.truth), seconds, covered, result)


def _f1_across(result: LinkageResult, truth: pd.DataFrame) -> float:
    """Pairwise F1 over pairs of records of different registers."""
    both = result.entities.merge(truth, on=["register", "record_id"])
    counts = []
    for keys in (["entity_id", "truth_id"], ["entity_id"], ["truth_id"]):
        total = both.groupby(keys).size().pow(2).sum()
        within = both.groupby([*keys, "register"]).size().pow(2).sum()
        counts.append((total - within) / 2)
    return float(2 * counts[0] / (counts[1] + counts[2]))


def calibration_error(result: LinkageResult, truth: pd.DataFrame) -> float:
    """Expected calibration error in 15 bins of equal mass, over pairs with a probability above .01."""
    of = truth.set_index(["register", "record_id"])["truth_id"]
    sides = [
        of.reindex(pd.MultiIndex.from_frame(result.pairs[[f"register_{s}", f"record_{s}"]])).to_numpy()
        for s in "lr"
    ]
    chance = result.pairs["match_probability"].to_numpy()
    return ece(chance, sides[0] == sides[1])


def ece(chance: np.ndarray, match: np.ndarray) -> float:
    """Mean distance between stated probability and share of matches, in bins of equal mass."""
    kept = chance > 0.01
    chance, match = chance[kept], match[kept]
    order = np.argsort(chance, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return sum(len(part) * abs(chance[part].mean() - match[part].mean()) for part in bins) / max(
        len(order), 1
    )


def peer(one: data.Labelled) -> dict[str, float] | None:
    """Run plain Splink, with the tutorial model of the set, on the same records in a process of its own."""
    names = {"FEBRL": "febrl4", "fake": "fake_1000", "histo": "50k"}
    kind = next((kind for start, kind in names.items() if one.name.startswith(start)), None)
    if kind is None or "without" in one.name:
        return None
    parts = [
        table.merge(
            one.truth[one.truth["register"] == register].drop(columns="register"),
            left_on=one.spec.id_column(register),
            right_on="record_id",
        )
        .rename(columns={one.spec.id_column(register): "unique_id", "truth_id": "cluster"})
        .assign(ds=register.upper())
        for register, table in one.registers.items()
    ]
    text = pd.concat(parts, ignore_index=True).to_csv(index=False)
    command = [sys.executable, str(PEERS / "splink_plain.py"), kind]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        print(f"plain Splink failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def line(
    id: str, name: str, ours: list[float], theirs: list[float], target: str, reached: bool | None
) -> Figure:
    """One figure: the worst of the repetitions judges, the mean is told."""
    mean, other = float(np.mean(ours)), float(np.mean(theirs)) if theirs else None
    span = (round(min(ours), 5), round(max(ours), 5)) if len(ours) > 1 else None
    ratio = round(mean / other, 4) if other else None
    return Figure(
        id, name, round(mean, 5), other and round(other, 5), ratio, target, len(ours), span, reached
    )


def _judged(size: int | None, holds: bool) -> bool | None:
    """Judge whole sets only."""
    return holds if size is None else None


def febrl(folder: Path, seed: int, size: int | None) -> Iterator[Figure]:
    """4.1: link one to one; without the national id; both files cut to random halves."""
    variants = ({}, {"with_id": False}, {"halved": True})
    for variant, target, least in zip(variants, TARGETS["4.1"], (0.9998, 0.999, 0.9995), strict=True):
        one = data.febrl(folder, seed, size=size, **variant)
        ours, theirs = run(one), peer(one)
        peers = [theirs["best_f1"]] if theirs else []
        name = f"{one.name}: pair F1 ({ours.covered}; {ours.seconds:.0f} s)"
        yield line("4.1", name, [ours.f1], peers, target, _judged(size, ours.f1 >= least))


def repeated(id: str, folder: Path, seed: int, size: int | None, wanted: set[str]) -> Iterator[Figure]:
    """4.2 and 4.3: pair F1 over seeds; 4.4: calibration of the same runs."""
    make, seeds, least, most = (
        (data.fake_1000, 5, 0.975, 0.02) if id == "4.2" else (data.historical, 3, 0.885, 0.06)
    )
    sets = [make(folder, seed + i, size) for i in range(seeds if size is None else 1)]
    runs = [run(one) for one in sets]
    theirs = [found for one in sets if (found := peer(one))]
    name, f1 = sets[0].name, [each.f1 for each in runs]
    took = f"{np.mean([each.seconds for each in runs]):.0f} s"
    if id in wanted:
        best = [each["best_f1"] for each in theirs]
        half = f"{np.mean([each['f1_at_half'] for each in theirs]):.3f}" if theirs else "not run"
        text = (
            f"{name}: pair F1 ({runs[0].covered}; {took}; peer at its best threshold by labels, at .5 {half})"
        )
        yield line(id, text, f1, best, TARGETS[id], _judged(size, min(f1) >= least))
    if "4.4" in wanted:
        errors, peers = [each.error for each in runs], [each["ece"] for each in theirs]
        text = f"{name}: calibration error, {BINS} bins of equal mass, p > .01"
        yield line("4.4", text, errors, peers, TARGETS["4.4"], _judged(size, max(errors) <= most))


def scale(seed: int, records: int) -> Iterator[Figure]:
    """4.12: seconds and memory of one linkage, embedded, in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--only",
        "scale-child",
        "--seed",
        str(seed),
        "--records",
        str(records),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return
    found = json.loads(done.stdout.strip().splitlines()[-1])
    name = (
        f"seconds to link {records:,} records ({found['gigabytes']:.1f} GB; {found['candidates']:,} pairs compared; "
        f"pair F1 {found['f1']:.4f}; {found['covered']})"
    )
    fits = found["seconds"] <= 900 and found["gigabytes"] <= 8 and records >= 1_000_000
    yield line("4.12", name, [found["seconds"]], [], TARGETS["4.12"], fits)


def _child(seed: int, records: int) -> None:
    found = run(data.large(records, seed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = {"seconds": found.seconds, "gigabytes": peak, "f1": found.f1, "covered": found.covered}
    print(json.dumps(told | {"candidates": found.result.candidates}))


def main() -> None:
    """Measure what was asked for."""
    options = arguments(
        __doc__ or "", only="ids of figures, comma-separated; all by default", records="size of 4.12"
    )
    records = int(options.records or (1_000_000 if options.size == "full" else 20_000))
    if options.only == "scale-child":
        _child(options.seed, records)
        return
    wanted = set(options.only.split(",")) if options.only else {"4.1", "4.2", "4.3", "4.4", "4.5", "4.12"}
    size = None if options.size == "full" else 4_000
    folder = options.data or next((one for one in FOLDERS if one.exists()), None)
    if folder is not None and folder.is_file():
        one = data.any_file(folder, options.seed)
        found = run(one)
        tell(line("4.x", f"{one.name}: pair F1 ({found.covered})", [found.f1], [], "", None))
        tell(line("4.4", f"{one.name}: calibration error", [found.error], [], TARGETS["4.4"], None))
        return
    if folder is None and wanted & {"4.1", "4.2", "4.3", "4.4"}:
        sys.exit("There is no folder of labelled data: name it with --data")
    if "4.1" in wanted:
        for figure in febrl(folder, options.seed, size):
            tell(figure)
    for id in ("4.2", "4.3"):
        if wanted & {id, "4.4"}:
            for figure in repeated(id, folder, options.seed, size, wanted):
                tell(figure)
    encoded = Path(__file__).with_name("entity_linkage_encoded.py")
    if "4.5" in wanted and encoded.exists():
        given = ["--data", str(folder)] if folder else []
        more = ["--size", options.size, "--seed", str(options.seed)]
        subprocess.run([sys.executable, str(encoded), *given, *more], check=False)
    if "4.12" in wanted:
        for figure in scale(options.seed, records):
            tell(figure)


if __name__ == "__main__":
    main()
