"""Membership inference: who is in a release, told from people of the same population who are not."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hrtech.counts import Encoded, parse_attributes
from hrtech.facts.frames import rows
from hrtech.release.attacks.outcome import ATTACKS, CONFIDENCE, Attack, sample, z_of
from hrtech.release.comparison import (
    UNIT,
    Reference,
    Rows,
    attribute_matrix,
    distance_blocks,
    encode_alike,
    rows_of,
)
from hrtech.release.declared import ReleaseError, ReleaseSchema
from hrtech.release.evaluation import percent

Scores = NDArray[np.float64]

#: What a cell that differs takes off the weight of a neighbour in a density.
_PER_DIFFERENCE = 0.1
_MOST_TRACED = 20_000
_AT_ONCE = 128


def membership_attack(
    members: pd.DataFrame,
    non_members: pd.DataFrame,
    synthetic: pd.DataFrame | None,
    schema: ReleaseSchema,
    *,
    rng: np.random.Generator,
    aggregates: pd.DataFrame | None = None,
    promise: tuple[float, float] | None = None,
    attacks: int = ATTACKS,
    false_positive_rate: float = 0.01,
    confidence: float = CONFIDENCE,
) -> Attack:
    """Tell people in a release from people of the same population who are not in it.

    A random half of the non-members is what the attacker knows of the population; the other half, and the members,
    are to be told apart. So without a leak both are scored alike. Three attackers, each giving everybody a score:

    - `closest record`: how near the closest synthetic record is.
    - `density ratio`: log of the density of synthetic records around a person over that of the population (DOMIAS: van
      Breugel, Sun, Qian and van der Schaar, AISTATS 2023). Densities are means of 0.1 to the power of the distance in
      columns (a kernel as of Aitchison and Aitken, Biometrika 1976).
    - `aggregates`: how far the published counts lean from the population towards what the person holds, each weighted
      by its variance in the population (tracing: Homer et al., PLoS Genetics 2008; Dwork et al., FOCS 2015). Of more
      than 20,000 published combinations a random 20,000 are used.

    A private release may be found out a little, and the larger epsilon is, the more: the promise is a bound.

    Args:
        members: People in the release, all of them, one row each: published counts are related to their number.
        non_members: People of the same population who are not in it, one row each, typed alike.
        synthetic: Synthetic records, or None.
        schema: The columns.
        rng: Divides the non-members, chooses the people, and breaks ties between scores.
        aggregates: `attributes, count`, or None.
        promise: Epsilon and delta of the release, to be held against what the attack reaches.
        attacks: Most members, and most non-members, that are scored.
        false_positive_rate: Share of non-members whom the attacker may accuse. Judged there as Carlini et al. (IEEE
            S&P 2022) ask: an attack that is certain of few people is one.
        confidence: Of the intervals; the verdict holds it over all attackers together.

    Returns:
        Table per `attacker`: `members`, `non_members` scored; `auc` (0.5: guessing) with `low`, `high` (DeLong,
        DeLong and Clarke-Pearson, Biometrics 1988); `false_positive_rate` reached; `true_positive_rate` there with
        `true_positive_low`, `true_positive_high` (Clopper-Pearson, for this threshold); `by_luck`, the probability of
        at least as many true positives if scores say nothing (exact, whatever the threshold); `most_promised`, the
        largest true positive rate that the promise allows at this false positive rate (Kairouz, Oh and Viswanath, ICML
        2015), missing without a promise.

    Raises:
        ReleaseError: A column is missing or of another kind, nothing is attacked, or there are no members or no two
            non-members.
    """
    if synthetic is None and aggregates is None:
        raise ReleaseError("membership: hand over synthetic records, aggregates or both")
    if not len(members) or len(non_members) < 2 or (synthetic is not None and not len(synthetic)):
        raise ReleaseError("membership: needs members, two non-members or more, and synthetic records if any")
    divided = rng.permutation(len(non_members))
    population, outside = (non_members.iloc[half] for half in np.array_split(divided, 2))
    who = sample(len(members), attacks, rng), sample(len(outside), attacks, rng)
    tables = (
        [members, outside, population] if synthetic is None else [members, outside, population, synthetic]
    )
    encoded = encode_alike(tables, schema)
    scores: dict[str, tuple[Scores, Scores]] = {}
    if synthetic is not None:
        laid = rows_of(encoded)
        targets = [table[chosen] for table, chosen in zip(laid.tables[:2], who, strict=True)]
        inside_scores, outside_scores = (_neighbour_scores(laid, some) for some in targets)
        scores |= {name: (inside_scores[name], outside_scores[name]) for name in inside_scores}
    if aggregates is not None:
        trace = _Tracing.of(aggregates, encoded[2], len(members), rng)
        held = [attribute_matrix(e)[chosen] for e, chosen in zip(encoded[:2], who, strict=True)]
        scores["aggregates"] = trace.scores(held[0]), trace.scores(held[1])
    outcomes = [
        {
            "attacker": attacker,
            "members": len(member),
            "non_members": len(other),
            **_auc(member, other, confidence, len(scores)),
            **_accusations(member, other, false_positive_rate, confidence, rng),
        }
        for attacker, (member, other) in scores.items()
    ]
    table = pd.DataFrame(outcomes)
    table["most_promised"] = [_most_promised(rate, promise) for rate in table["false_positive_rate"]]
    alarm = (1 - confidence) / (2 * len(outcomes))
    found = (table.pop("alarm_low") > 0.5) | (table["by_luck"] < alarm)
    return Attack(table, bool(found.any()), _membership_says(table, found))


def _membership_says(table: pd.DataFrame, found: pd.Series) -> tuple[str, ...]:
    said = []
    for row, leak in zip(rows(table), found, strict=True):
        said.append(
            f"By {row['attacker']}, a member is told from a non-member in {percent(row['auc'])} of the cases "
            f"({percent(row['low'])} to {percent(row['high'])}; guessing: 50 %). Who accuses "
            f"{percent(row['false_positive_rate'])} of the non-members finds {percent(row['true_positive_rate'])} of "
            + (
                "the members. That is more than guessing."
                if leak
                else "the members. That is no better than guessing."
            )
        )
        promised = row["most_promised"]
        if promised is not None and row["true_positive_low"] > promised:
            said.append(f"The promise of the release allows {percent(promised)}: it is broken.")
    return tuple(said)


def _most_promised(false_positive_rate: float, promise: tuple[float, float] | None) -> float:
    if promise is None:
        return math.nan
    epsilon, delta = promise
    over, under = math.exp(epsilon) * false_positive_rate + delta, 1 - false_positive_rate - delta
    return min(over, 1 - math.exp(-epsilon) * under, 1.0)


def _neighbour_scores(laid: Rows, targets: NDArray[np.int32]) -> dict[str, Scores]:
    """Scores of targets by nearness of synthetic records; `laid` ends in the population and the synthetic records."""
    population, released = (Reference.of(table) for table in laid.tables[2:])
    columns = list(range(targets.shape[1]))
    kernel = (_PER_DIFFERENCE ** (np.arange(UNIT * len(columns) + 1) / UNIT)).astype(np.float32)
    closest, made, lived = [], [], []
    for _, distance in distance_blocks(laid, targets, released, columns):
        closest.append(distance.min(axis=1).astype(float))
        made.append(kernel[distance] @ released.weight)
    for _, distance in distance_blocks(laid, targets, population, columns):
        lived.append(kernel[distance] @ population.weight)
    # a little everywhere: where nobody is near, the ratio of two trifles says nothing
    densities = [np.concatenate(parts).astype(float) + _PER_DIFFERENCE / 2 for parts in (made, lived)]
    return {"closest record": -np.concatenate(closest), "density ratio": np.log(densities[0] / densities[1])}


class _Tracing:
    """Sum over published combinations of (published - population) (held - population) / variance."""

    def __init__(
        self, cells: NDArray[np.int64], published: NDArray[np.float64], population: NDArray[np.float64]
    ) -> None:
        lean = (published - population) / (population * (1 - population))
        self.cells, self.weight, self.offset = cells, lean, float((lean * population).sum())

    @classmethod
    def of(
        cls, aggregates: pd.DataFrame, population: Encoded, people: int, rng: np.random.Generator
    ) -> "_Tracing":
        """From published counts of some people, and a sample of the population."""
        chosen = aggregates.iloc[sample(len(aggregates), _MOST_TRACED, rng)]
        position = {item: k for k, item in enumerate(population.items)}
        found = [[position.get(a, -1) for a in parse_attributes(text)] for text in chosen["attributes"]]
        longest = max(map(len, found), default=1)
        known = np.array([min(cell) >= 0 for cell in found], dtype=bool)
        padded = [c + [c[-1]] * (longest - len(c)) for c, k in zip(found, known, strict=True) if k]
        cells = np.array(padded, dtype=np.int64).reshape(-1, longest)
        holding = np.zeros(len(cells))
        for block in _held_blocks(attribute_matrix(population), cells):
            holding += block.sum(axis=0)
        share = (holding + 0.5) / (population.n_records + 1)
        return cls(cells, chosen["count"].to_numpy(float)[known] / people, share)

    def scores(self, held: NDArray[np.bool_]) -> Scores:
        """Scores of who holds what, shape (people, attributes)."""
        return np.concatenate([block @ self.weight - self.offset for block in _held_blocks(held, self.cells)])


def _held_blocks(matrix: NDArray[np.bool_], cells: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Who holds which combination, some rows at a time; shape (rows, combinations)."""
    for start in range(0, len(matrix), _AT_ONCE):
        part = matrix[start : start + _AT_ONCE]
        held = part[:, cells[:, 0]]
        for k in range(1, cells.shape[1]):
            held &= part[:, cells[:, k]]
        yield held


def _auc(members: Scores, others: Scores, confidence: float, together: int) -> dict[str, float]:
    """Area under the ROC curve by midranks, with DeLong's interval, and its lower end over all attackers together."""
    ordered, ordered_members = np.sort(others), np.sort(members)

    def above(scores: Scores, of: Scores) -> Scores:
        return (np.searchsorted(of, scores, "left") + np.searchsorted(of, scores, "right")) / (2 * len(of))

    inside, outside = above(members, ordered), 1 - above(others, ordered_members)
    area = float(inside.mean())
    error = sum(float(part.var(ddof=1)) / len(part) for part in (inside, outside) if len(part) > 1) ** 0.5
    width, alarm = z_of(confidence) * error, z_of(1 - (1 - confidence) / together) * error
    return {
        "auc": area,
        "low": max(area - width, 0.0),
        "high": min(area + width, 1.0),
        "alarm_low": area - alarm,
    }


def _accusations(
    members: Scores, others: Scores, rate: float, confidence: float, rng: np.random.Generator
) -> dict[str, float]:
    """Members above the threshold that accuses at most a share of the others; ties fall at random."""
    both = np.concatenate([members, others])
    place = np.empty(len(both), dtype=np.int64)
    place[np.lexsort((rng.random(len(both)), both))] = np.arange(len(both))
    accused = int(rate * len(others))
    threshold = np.sort(place[len(members) :])[::-1][accused]
    found = int((place[: len(members)] > threshold).sum())
    interval = stats.binomtest(found, len(members)).proportion_ci(confidence, method="exact")
    return {
        "false_positive_rate": accused / len(others),
        "true_positive_rate": found / len(members),
        "true_positive_low": float(interval.low),
        "true_positive_high": float(interval.high),
        "by_luck": float(stats.hypergeom.cdf(accused, len(both), len(others), found + accused)),
    }
