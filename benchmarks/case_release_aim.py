"""CaseRelease beside AIM, which fits by private-PGM: same file, epsilon, delta and judge. Printed on request.

AIM is given every list of values, as its users would declare them; ours pays for those. A wide table is asked for
pairs of columns alone, because AIM scores every set of columns of its workload in every round.
"""

from collections.abc import Iterator

import numpy as np
from case_release_judge import interval
from case_release_runs import Comparison
from harness import Figure, run_peer

from hrtech.privacy.accounting import rho_of

#: Seconds of the peer's own process, by the draws of ours that are repeated: `small`, `full`.
LIMITS = (330, 1200)
#: Share of rho for one-way counts as in AIM's paper, and so many rounds that a laptop gets through them.
AIM = ("--oneway", "0.06", "--rounds", "8")
#: Columns of the product domain up to which AIM is asked for triples.
FEW_COLUMNS = 12
_FIGURES = {
    "mae_ge_min": "mean absolute error",
    "fabricated_pct": "% fabricated",
    "missing_pct_ge_min": "% missing",
}


def beside_private_pgm(one: Comparison, epsilons: tuple[float, ...]) -> Iterator[Figure]:
    """Errors, fabricated and missing combinations of records, ours and theirs; nothing is judged."""
    small = one.size.draws < 3
    limit = LIMITS[not small]
    for epsilon in epsilons:
        judged = [run.judged["records"] for run in one.runs(epsilon)]
        asked = [*AIM, "--workload", str(_workload(one)), "--limit", str(limit)]
        rho = repr(rho_of(epsilon, one.table.delta))
        found = run_peer("aim", "aim.py", str(one.table.path), "--rho", rho, *asked)
        for name, told in _FIGURES.items():
            ours = [j[name] for j in judged]
            yield _figure(one, f"{told} at ε = {epsilon:g}", ours, name, found)


def product_columns(one: Comparison) -> int:
    """Columns of the table where each value of a column of several is one of its own."""
    several = {c.name for c in one.table.schema.columns if c.multi_valued}
    values = [one.table.typed[name].explode().dropna().nunique() for name in several]
    return len(one.table.text.columns) - len(several) + sum(values)


def _workload(one: Comparison) -> int:
    return 3 if product_columns(one) <= FEW_COLUMNS else 2


def _figure(one: Comparison, told: str, ours: list[float], name: str, found: list[dict]) -> Figure:
    mean = float(np.mean(ours))
    theirs = found[0]["synthetic"]["all"][name] if found and "synthetic" in found[0] else None
    ratio = mean / theirs if theirs else None
    name = f"{one.table.name}: records, {told}, beside AIM ({_reached(found)})"
    numbers = _short(mean), _short(theirs), _short(ratio)
    return Figure("aim", name, *numbers, None, len(ours), interval(ours), None)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _reached(found: list[dict]) -> str:
    if not found:
        return "it did not run"
    run = found[0]
    end = "finished" if run["finished"] else "out of time"
    share = f"{run['measured_share']:.0%} of ρ in {run['marginals']} marginals"
    return f"{end} after {run['cpu']:.0f} s of its process, {share}, {run['peak_rss_mb'] / 1024:.1f} GB"
