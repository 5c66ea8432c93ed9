"""What every benchmark shares: its command line, the threads, the peers' environments, and one JSON line a figure.

Import it before numpy: the number of threads is fixed here, the same for us and for the peers.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

THREADS = "1"
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_name] = THREADS

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark.

    Attributes:
        id: Id of the target.
        name: What was measured.
        ours: Our figure.
        peer: The peer's, None where there is none or it was not run.
        ratio: ours / peer.
        target: The target, as it is written; None where there is none.
        n: Repetitions, rows or cells behind it.
        interval: Interval of the figure, where it was repeated.
        reached: Whether the target holds; None where nothing is judged.
    """

    id: str
    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    target: str | None
    n: int
    interval: tuple[float, float] | None
    reached: bool | None


def figure(
    id: str,
    name: str,
    ours: float | None,
    peer: float | None,
    target: str,
    n: int,
    *,
    at_most: float | None = None,
) -> Figure:
    """Judge a ratio to the peer against the most that it may be; without both numbers it is not reached."""
    ratio = ours / peer if ours is not None and peer else None
    reached = ratio is not None and at_most is not None and ratio <= at_most
    return Figure(id, name, _short(ours), _short(peer), _short(ratio), target, n, None, reached)


def tell(one: Figure) -> None:
    """Print a figure; numbers and verdicts may be numpy's."""
    print(json.dumps(asdict(one), ensure_ascii=False, default=lambda value: value.item()), flush=True)


def arguments(description: str, **more: str) -> argparse.Namespace:
    """Read `--data`, `--size`, `--seed`, and options of one benchmark, named with what they mean."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=None, help="a data file; by default the mock world")
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    for name, meaning in more.items():
        parser.add_argument(f"--{name}", default=None, help=meaning)
    return parser.parse_args()


def run_peer(peer: str, script: str, *words: str) -> list[dict]:
    """Run a peer's script in its own environment and return the JSON lines that it prints.

    An environment that is missing is said on standard error; the figures then have no peer.
    """
    python = ROOT / ".bench" / peer / "bin" / "python"
    if not python.exists():
        print(f"{peer} is not installed: run `make bench-env`. Its figures are missing.", file=sys.stderr)
        return []
    done = subprocess.run([python, PEERS / script, *words], capture_output=True, text=True)
    if done.returncode:
        print(f"{peer} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
