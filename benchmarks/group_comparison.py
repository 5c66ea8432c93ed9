"""Comparison of groups: coverage of intervals, false discoveries, and what can be worked out from what is published.

Intervals and tests are judged on simulated worlds whose figures are known. What is published of sparse tables is
attacked by linear programmes of the benchmark's own, which know nothing of how counts were withheld. The peer, the
Intelligence Toolkit, gives no intervals and no tests and publishes every count; its figure is the small counts that
it prints.
"""

import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path

from harness import Figure, arguments, run_peer, tell

# isort: split
import numpy as np
import pandas as pd
from group_comparison_worlds import sparse, world

from hrtech.groups import GroupQuestion, Measure, compare_groups
from hrtech.groups.audit import Figures
from hrtech.groups.protection import protect
from hrtech.groups.publish import EVERYBODY, protection_table, told_tables

PEER, SCRIPT = "intelligence_toolkit", "intelligence_toolkit_groups.py"
MINIMUM = 10
MEASURES = (
    Measure("share", "share", condition="held"),
    Measure("rate", "rate", events="events", exposure="exposure"),
    Measure("even", "mean", column="even"),
    Measure("skewed", "mean", column="skewed"),
    Measure("median", "median", column="skewed"),
)
NAMES = {"even": "means of even values", "skewed": "means of skewed values", "median": "medians"}
SMALL = 60


def main() -> None:
    """Print every figure, or those of one part."""
    given = arguments(__doc__ or "", only=f"one of {', '.join(PARTS)}; by default all of them")
    if given.only is not None and given.only not in PARTS:
        raise SystemExit(f"--only takes one of {', '.join(PARTS)}")
    few = given.size == "small"
    for name, part in PARTS.items():
        if given.only in (None, name):
            part(few, given.seed)


def question(clustered: bool) -> GroupQuestion:
    """What is asked of a world with true figures."""
    return GroupQuestion(
        groups=("group",), measures=MEASURES, standardise=("stratum",), compare=("others", "pairs"),
        subject="person" if clustered else None,
    )  # fmt: skip


def coverage(worlds: int, seed: int, *, clustered: bool) -> None:
    """How often intervals of figures, differences, ratios and ranks hold the truth."""
    hits: dict[str, list[bool]] = defaultdict(list)
    widths: dict[str, list[float]] = defaultdict(list)
    for at in range(worlds):
        made = world(np.random.default_rng([seed, 68, clustered, at]), clustered=clustered)
        found = compare_groups(made.records, question(clustered), standard=made.standard)
        truth = made.truth.set_index("group")
        for row in found.estimates.itertuples():
            column = f"{row.measure}_standardised" if row.standardised else row.measure
            if column not in truth.columns or np.isnan(row.low) or np.isnan(row.high):
                continue
            true = truth.loc[row.group, column]
            size = "small" if truth.loc[row.group, "size"] <= SMALL else "large"
            name = f"{NAMES.get(row.measure, row.measure + 's')}{' standardised' if row.standardised else ''}, {size}"
            hits[name].append(row.low <= true <= row.high)
            widths[name].append((row.high - row.low) / true)
        _gaps(found.pairs, truth, hits)
        _ranks(found.ranks, truth, hits)
    for name, held in sorted(hits.items()):
        wide = f"; median width {np.median(widths[name]):.2f} of the truth" if name in widths else ""
        _judged("6.8", f"coverage, {'clustered ' if clustered else ''}{name}{wide}", held, at_least=0.94)


def _gaps(pairs: pd.DataFrame, truth: pd.DataFrame, hits: dict[str, list[bool]]) -> None:
    """Differences and ratios of two groups."""
    for row in pairs[~pairs["standardised"].astype(bool)].itertuples():
        one, other = truth.loc[row.group, row.measure], truth.loc[row.compared_with, row.measure]
        if not np.isnan(row.difference_low):
            hits[f"differences of {NAMES.get(row.measure, row.measure + 's')}"].append(
                row.difference_low <= one - other <= row.difference_high
            )
        if not np.isnan(row.ratio_low):
            above = np.inf if np.isnan(row.ratio_high) else row.ratio_high
            hits[f"ratios of {NAMES.get(row.measure, row.measure + 's')}"].append(
                row.ratio_low <= one / other <= above
            )


def _ranks(ranks: pd.DataFrame, truth: pd.DataFrame, hits: dict[str, list[bool]]) -> None:
    """All rank intervals of a measure at once."""
    for (measure, standardised), mine in ranks.groupby(["measure", "standardised"]):
        if standardised or len(mine) < len(truth):
            continue
        true = truth.loc[mine["group"], measure].rank(ascending=False).to_numpy()
        held = (mine["rank_low"] <= true) & (true <= mine["rank_high"])
        hits["ranks, all groups at once"].append(bool(held.all()))


def null_worlds(worlds: int, seed: int) -> None:
    """How often anything stands in the strict tier where nothing differs."""
    asked = GroupQuestion(
        groups=("group",), measures=MEASURES, period="year", compare=("others", "pairs", "changes")
    )
    false = []
    for at in range(worlds):
        made = world(np.random.default_rng([seed, 681, at]), differ=False)
        found = compare_groups(made.records, asked)
        tested = pd.concat([found.against_others, found.pairs, found.changes])
        false.append(bool((tested["p_holm"] <= 0.05).any()))
    _judged("6.8", "null worlds with any strict finding", false, at_most=0.05)


def mixed_worlds(worlds: int, seed: int) -> None:
    """Share of false ones among exploratory findings, where some groups differ and some do not."""
    asked = GroupQuestion(groups=("group",), measures=MEASURES[:4], compare=("pairs",))
    shares, strict, power = [], [], []
    for at in range(worlds):
        rng = np.random.default_rng([seed, 682, at])
        same, other = world(rng, differ=False), world(rng, differ=False)
        moved = pd.concat(
            [
                same.records[same.records["group"].isin(list("ABC"))],
                other.records[other.records["group"].isin(list("DEF"))],
            ]
        )
        found = compare_groups(moved.reset_index(drop=True), asked).pairs
        true = found["group"].isin(list("ABC")) != found["compared_with"].isin(list("ABC"))
        picked = found["p_bh"] <= 0.05
        shares.append(float((picked & ~true).sum() / max(1, picked.sum())))
        strict.append(bool(((found["p_holm"] <= 0.05) & ~true).any()))
        power.append(float((picked & true).sum() / true.sum()))
    values, spread = np.array(shares), np.std(shares, ddof=1) / len(shares) ** 0.5
    ends = (round(max(0.0, values.mean() - 2.576 * spread), 4), round(values.mean() + 2.576 * spread, 4))
    tell(
        Figure(
            "6.8", f"false discovery rate at nominal 5 % (power {np.mean(power):.2f})", round(float(values.mean()), 4),
            None, None, "5 % not rejected", worlds, ends, ends[0] <= 0.05,
        )
    )  # fmt: skip
    _judged("6.8", "mixed worlds with a false strict finding", strict, at_most=0.05)


def _judged(
    id: str, name: str, hits: list[bool], *, at_least: float | None = None, at_most: float | None = None
) -> None:
    from scipy.stats import binomtest

    count = len(hits)
    ends = binomtest(int(sum(hits)), count).proportion_ci(0.99, "exact")
    reached = bool(ends.high >= at_least) if at_least is not None else bool(ends.low <= (at_most or 0))
    target = "≥ .94" if at_least is not None else "5 % not rejected"
    share = round(sum(hits) / count, 4)
    tell(
        Figure(id, name, share, None, None, target, count, (round(ends.low, 4), round(ends.high, 4)), reached)
    )


def _none_open(name: str, naive: int, recovered: int, narrow: int, asked: int) -> None:
    name = f"{name}; {naive} worked out where only small counts are withheld)"
    for words, count in ((name, recovered), (f"of them narrowed to fewer than {MINIMUM} values", narrow)):
        tell(Figure("6.9", words, count, None, None, "0", asked, None, count == 0))


def studies(worlds: int, seed: int) -> None:
    """Small counts that can be worked out from all tables that a study publishes."""
    recovered = naive = asked = narrow = told_figures = figures = 0
    for at in range(worlds):
        rng = np.random.default_rng([seed, 69, at])
        records = sparse(rng, int(rng.integers(4, 9)), int(rng.integers(2, 6)), float(rng.uniform(8, 40)))
        measures = (
            Measure("records", "count"),
            Measure("held", "share", condition="held"),
            Measure("also", "share", condition="also"),
            Measure("counted", "count", condition="also"),
        )
        one = GroupQuestion(
            groups=("group",),
            measures=measures,
            period="year",
            standardise=("stratum",) if at % 3 == 0 else (),
        )
        found = compare_groups(records, one)
        protection = protection_table(records, one, MINIMUM)
        told = told_tables(vars(found), protection, one)
        attack = Attack(records, told, protection)
        lost, tried, least = attack.recovered()
        recovered, asked, narrow = recovered + lost, asked + tried, narrow + least
        figures, told_figures = figures + len(protection), told_figures + int(protection["told"].sum())
        open_ones = protection.assign(told=_large_enough(records, protection))
        naive += Attack(records, told_tables(vars(found), open_ones, one), open_ones).recovered()[0]
    name = (
        f"small counts of studies worked out by linear programming ({told_figures} of {figures} figures told"
    )
    _none_open(name, naive, recovered, narrow, asked)


def _large_enough(records: pd.DataFrame, protection: pd.DataFrame) -> list[bool]:
    """The plain rule: a figure is told unless a count of its own is small."""
    return [
        all(count == 0 or count >= MINIMUM for count in _counts(records, row.measure, row.window, row.group))
        and not row.standardised
        for row in protection.itertuples()
    ]


def _counts(records: pd.DataFrame, measure: str, window: str, group: str) -> tuple[int, ...]:
    """True counts behind a figure."""
    mine = records
    if group != EVERYBODY:
        mine = mine[mine["group"] == group]
    if window != "all":
        mine = mine[mine["year"] == window]
    if measure == "records":
        return (len(mine),)
    if measure == "counted":
        return int(mine["also"].sum()), int((~mine["also"]).sum())
    known = mine[measure].dropna()
    return len(known), int(known.sum()), len(known) - int(known.sum())


class Attack:
    """Everything that is published, as equations in the counts of group, year and both conditions.

    The attacker also takes the totals of everybody for published where the study used them, and knows that what is
    withheld is not 0 where it is a count of its own.
    """

    states = tuple(product((0, 1, 2), (0, 1)))

    def __init__(
        self, records: pd.DataFrame, told: dict[str, pd.DataFrame], protection: pd.DataFrame
    ) -> None:
        self.records = records
        self.groups, self.years = sorted(records["group"].unique()), sorted(records["year"].unique())
        self.cells = {key: at for at, key in enumerate(product(self.groups, self.years, self.states))}
        self.left: list[np.ndarray] = []
        self.right: list[float] = []
        self.secrets: list[np.ndarray] = []
        self.floors: list[np.ndarray] = []
        own = told["estimates"]
        for row in own[~own["standardised"].astype(bool)].itertuples():
            whole = "held" if row.measure == "counted" else "known"
            self._equal(self._row(row.measure, whole, row.window, row.group), row.records)
            if row.measure in ("held", "also"):
                self._equal(self._row(row.measure, "held", row.window, row.group), row.held)
                # the share itself, whatever the counts say
                share = self._row(row.measure, "held", row.window, row.group)
                self._equal(
                    share - row.estimate * self._row(row.measure, "known", row.window, row.group), 0.0
                )
        for row in told["against_others"].itertuples():
            if not row.standardised:
                held, known = (
                    self._row(row.measure, part, row.window, None)
                    - self._row(row.measure, part, row.window, row.group)
                    for part in ("held", "known")
                )
                self._equal(held - row.other * known, 0.0)
        crude = protection[~protection["standardised"].astype(bool)]
        for row in crude.itertuples():
            counts = _counts(records, row.measure, row.window, row.group)
            group = None if row.group == EVERYBODY else row.group
            parts = ("held", "not") if row.measure == "counted" else ("known", "held", "not")[: len(counts)]
            for part, count in zip(parts, counts, strict=True):
                form = self._row(row.measure, part, row.window, group)
                if group is None and row.told and part != "not":
                    self._equal(form, count)
                if 0 < count < MINIMUM:  # told or not: a told share must not give away who is not in it
                    self.secrets.append(form)
        for row in told["estimates"].itertuples():
            if row.standardised:
                self._standardised(row)

    def _row(self, measure: str, part: str, window: str, group: str | None) -> np.ndarray:
        """Cells of a count."""
        row = np.zeros(len(self.cells))
        for (g, year, (held, also)), at in self.cells.items():
            state = {"held": held, "also": also, "counted": also, "records": 1}[measure]
            there = {"known": state != 2, "held": state == 1, "not": state == 0}[part]
            if there and group in (None, g) and window in ("all", year):
                row[at] = 1
        return row

    def _standardised(self, row) -> None:
        """A standardised figure tells its counts at most: those of both strata add up to the group's own."""
        self._equal(self._row(row.measure, "known", row.window, row.group), row.records)

    def _equal(self, row: np.ndarray, value: float) -> None:
        self.left.append(row)
        self.right.append(float(value))

    def recovered(self) -> tuple[int, int, int]:
        """Count small withheld sums that are worked out, all of them, and those narrowed down too far."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        left, first = np.unique(np.array(self.left), axis=0, return_index=True)
        right = np.array(self.right)[first]
        # rounding of published shares: equations hold within a billionth of the records
        slack = 1e-7 * (1 + np.abs(left).sum(axis=1))
        lost = narrow = 0
        secrets = np.unique(np.array(self.secrets), axis=0)
        equations = csr_array(np.vstack([left, -left]))
        for secret in secrets:
            ends = []
            for sign in (1, -1):
                found = linprog(
                    sign * secret, A_ub=equations, b_ub=np.r_[right + slack, slack - right],
                    bounds=(0, None), method="highs",
                )  # fmt: skip
                ends.append(np.inf if found.status == 3 else abs(found.fun))
            width = ends[1] - ends[0]
            lost += width < 0.5
            narrow += width < MINIMUM - 1.01
        return lost, len(secrets), narrow


def tables(worlds: int, seed: int) -> None:
    """Withheld counts of sparse two- and three-way tables with every margin that can be worked out."""
    recovered = asked = naive = narrow = shown = rows_in_all = 0
    for at in range(worlds):
        rng = np.random.default_rng([seed, 691, at])
        shape = tuple(rng.integers(3, 7, 2)) if at % 2 else tuple(rng.integers(2, 5, 3))
        cells = rng.poisson(rng.gamma(0.6, rng.uniform(10, 40) / 0.6, shape)).ravel()
        rows = _margins(shape)
        values = rows @ cells
        chosen = protect(_figures(cells, rows), MINIMUM).published
        for published, plain in ((chosen, False), ((values == 0) | (values >= MINIMUM), True)):
            lost, least = _worked_out(rows, values, published)
            if plain:
                naive += lost
            else:
                recovered, narrow = recovered + lost, narrow + least
                asked, shown, rows_in_all = (
                    asked + int((~published).sum()),
                    shown + int(published.sum()),
                    rows_in_all + len(rows),
                )
    name = (
        f"withheld counts of two- and three-way tables with all margins ({shown} of {rows_in_all} counts told"
    )
    _none_open(name, naive, recovered, narrow, asked)


def _margins(shape: tuple[int, ...]) -> np.ndarray:
    """Every cell and every sum over some of the ways."""
    place = np.arange(int(np.prod(shape))).reshape(shape)
    rows = []
    for kept in product((True, False), repeat=len(shape)):
        for key in product(
            *(range(size) if keep else (slice(None),) for size, keep in zip(shape, kept, strict=True))
        ):
            row = np.zeros(place.size)
            row[np.ravel(place[key])] = 1
            rows.append(row)
    return np.array(rows)


def _figures(cells: np.ndarray, rows: np.ndarray) -> Figures:
    from scipy.sparse import csr_array

    nothing = csr_array((0, len(cells)))
    return Figures(cells, csr_array(rows), np.zeros(len(rows), bool), nothing, rows @ cells, np.zeros(0))


def _worked_out(rows: np.ndarray, values: np.ndarray, published: np.ndarray) -> tuple[int, int]:
    """Withheld counts that follow from the published ones, and those that are narrowed down too far."""
    from scipy.optimize import linprog

    lost = narrow = 0
    for at in np.flatnonzero(~published):
        ends = []
        for sign in (1, -1):
            found = linprog(
                sign * rows[at], A_eq=rows[published], b_eq=values[published], A_ub=-rows[~published],
                b_ub=-np.ones(int((~published).sum())), bounds=(0, None), method="highs",
            )  # fmt: skip
            ends.append(np.inf if found.status == 3 else sign * found.fun)
        lost += ends[1] - ends[0] < 0.5
        narrow += ends[1] - ends[0] < MINIMUM - 1.01
    return lost, narrow


def peer(seed: int) -> None:
    """Small counts that the peer prints of a sparse table."""
    records = sparse(np.random.default_rng([seed, 692]), 8, 5, 15.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.csv"
        records[["group", "year", "held"]].to_csv(path, index=False)
        for row in run_peer(PEER, SCRIPT, str(path), str(MINIMUM)):
            name = "small counts in plain sight, the peer's own table"
            tell(Figure("6.9", name, None, row["small"], None, "0", row["counts"], None, None))


PARTS = {
    "coverage": lambda few, seed: coverage(80 if few else 1500, seed, clustered=False),
    "clustered": lambda few, seed: coverage(25 if few else 400, seed, clustered=True),
    "null": lambda few, seed: null_worlds(100 if few else 2000, seed),
    "mixed": lambda few, seed: mixed_worlds(40 if few else 600, seed),
    "studies": lambda few, seed: studies(5 if few else 300, seed),
    "tables": lambda few, seed: tables(20 if few else 300, seed),
    "peer": lambda few, seed: peer(seed),
}


if __name__ == "__main__":
    main()
