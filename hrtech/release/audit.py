"""Audit of a release: how well can somebody tell whether a person was in the data, from the mechanism that really ran?

The mechanism is run many times on simulated people, each time with or without a person chosen to be seen best, as a
coin falls. An attacker who knows everybody else, the settings and every noisy number (more than is published) guesses
from the log-likelihood ratio of all of it: the sums of undeclared values, the rough frequencies, the bound, the
moments. How often the guess is right bounds from below how much the mechanism loses, whatever its proof says:

- *Gaussian*: a mechanism whose trade-off is that of a unit Gaussian shifted by mu (mu-GDP, Dong, Roth and Su 2022)
  lets nobody be right more often than Phi(mu / 2). A Clopper-Pearson bound on the share of right guesses gives a
  lower bound on mu, and mu gives epsilon at delta (Nasr and others 2023). Assumption: the trade-off is Gaussian. All
  noise here but the choice of the bound is (discrete) Gaussian.
- *Of any mechanism*: (epsilon, delta) bounds true by false positives, ``1 - fnr <= e^epsilon fpr + delta`` and the
  same the other way round; Clopper-Pearson bounds on both rates give a lower bound without any assumption.

The person may be there in several copies: k copies are told k times as well under mu-GDP (k mu), and
``(k epsilon, delta (e^(k epsilon) - 1) / (e^epsilon - 1))``-well under (epsilon, delta), so that bounds on the group
are bounds on the person, and fewer runs are needed than for one faint person. One run with many different people
(Steinke, Nasr and Jagielski 2023; Mahloujifar, Melis and Chaudhuri 2024) gives looser bounds, for mechanisms that are
dear to run; a release of few people takes milliseconds.

Guesses are made by a threshold that other runs than those judged have fixed. Nothing here sees real records or spends
anything, and noise comes from where `mechanism.draw` takes it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import Attribute
from hrtech.privacy.accounting import rho_of
from hrtech.privacy.discrete_noise import Noise, OpenDPNoise
from hrtech.release import mechanism
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.holding import Holdings
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.moments import norms
from hrtech.release.people import LIST_DTYPE
from hrtech.release.plan import Plan, plan_release
from hrtech.release.vocabulary import UNIT, weights_of

#: Copies together are told about as well as this mu: neither never nor always.
_MU_OF_COPIES = 2.0
#: Values of an undeclared column in the simulation.
_MADE_UP = ("v1", "v2", "v3")
#: A value that nobody else holds was published: certainty, told with a number.
_CERTAIN = 1e3
#: OpenDP scores quantiles with alpha on this grid.
_ALPHA_GRID = 10_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """Runs of a mechanism with and without a person.

    Attributes:
        scores: Log-likelihood ratio of all that was released, with against without; shape (runs,).
        present: Whether the person was there; shape (runs,).
        copies: In how many copies.
    """

    scores: Floats
    present: NDArray[np.bool_]
    copies: int = 1


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        epsilon_lower: Lower bound on epsilon at `delta`, if trade-offs are Gaussian.
        epsilon_lower_any: Lower bound without any assumption.
        mu_lower: Lower bound on mu of one person.
        epsilon: What is claimed.
        delta: At which delta.
        confidence: Probability with which each bound holds.
        draws: Runs of the mechanism.
        judged: Runs that were guessed; the others fixed the thresholds.
        right: How many of them rightly.
        copies: Copies of the person.
        method: In words.
    """

    epsilon_lower: float
    epsilon_lower_any: float
    mu_lower: float
    epsilon: float
    delta: float
    confidence: float
    draws: int
    judged: int
    right: int
    copies: int
    method: str = (
        "membership of a person chosen to be seen best; likelihood ratio of everything released; Clopper-Pearson "
        "bound on right guesses, turned into epsilon by the trade-off of a Gaussian mechanism"
    )

    @property
    def holds(self) -> bool:
        """Whether no bound contradicts the claim."""
        return max(self.epsilon_lower, self.epsilon_lower_any) <= self.epsilon

    @property
    def says(self) -> str:
        """The result in a sentence."""
        verdict = "which the claim allows" if self.holds else "MORE THAN CLAIMED"
        who = "one person" if self.copies == 1 else f"{self.copies} copies of a person"
        return (
            f"Whether {who} chosen to be seen best took part was guessed rightly in {self.right:,} of {self.judged:,} "
            f"runs: with {self.confidence:.0%} confidence the release loses at least epsilon = "
            f"{self.epsilon_lower:.2f} at delta = {self.delta:.0e} for a person (claimed: {self.epsilon:g}), {verdict}."
        )


def audit_release(
    settings: ReleaseSettings,
    schema: ReleaseSchema,
    rng: np.random.Generator,
    *,
    draws: int = 1000,
    copies: int | None = None,
    people: int | None = None,
    confidence: float = 0.95,
    noise: Noise | None = None,
) -> AuditResult:
    """Run the mechanism of a release on simulated people and audit it.

    Args:
        settings: As of the release.
        schema: As of the release; undeclared columns get values made up.
        rng: Simulates people and throws the coins; never the noise.
        draws: Runs of the mechanism.
        copies: Copies of the person; by default as many as are told neither never nor always.
        people: Number of other people; by default just enough.
        confidence: Probability with which the bounds hold.
        noise: What is audited; the noise of production by default.
    """
    runs = run_mechanism(settings, schema, rng, draws=draws, copies=copies, people=people, noise=noise)
    return audit(runs, settings.epsilon, settings.delta, confidence)


def audit(runs: Runs, epsilon: float, delta: float, confidence: float = 0.95) -> AuditResult:
    """Turn runs into lower bounds: the first quarter fixes thresholds, the others are judged.

    Args:
        runs: With or without the person by the fall of an even coin, each on its own.
        epsilon: Claimed.
        delta: At which delta.
        confidence: Probability with which each bound holds.

    Raises:
        ValueError: Too few runs: only runs of one kind among those learned from or judged.
    """
    first = len(runs.scores) // 4
    learned, judged = (
        Runs(runs.scores[own], runs.present[own], runs.copies)
        for own in (slice(0, first), slice(first, None))
    )
    if any(part.present.all() or not part.present.any() for part in (learned, judged)):
        raise ValueError(
            "an audit needs runs with and without the person to learn from and to judge: make more runs"
        )
    balanced = _best_threshold(learned)
    right = int(((judged.scores > balanced) == judged.present).sum())
    mu = mu_lower(right, len(judged.scores), confidence) / runs.copies
    candidates = np.quantile(learned.scores, np.linspace(0.05, 0.95, 19))
    sharp = max(candidates, key=lambda t: _epsilon_any(learned, float(t), delta, confidence))
    return AuditResult(
        epsilon_lower=epsilon_of_mu(mu, delta),
        epsilon_lower_any=_epsilon_any(judged, float(sharp), delta, confidence),
        mu_lower=mu,
        epsilon=epsilon,
        delta=delta,
        confidence=confidence,
        draws=len(runs.scores),
        judged=len(judged.scores),
        right=right,
        copies=runs.copies,
    )


def _best_threshold(runs: Runs) -> float:
    """The threshold nearest to even odds among those with as many right guesses as any, but for chance."""
    ordered = np.sort(runs.scores)
    thresholds = np.r_[ordered[0] - 1, (ordered[1:] + ordered[:-1]) / 2, ordered[-1] + 1, 0.0]
    right = ((runs.scores[None, :] > thresholds[:, None]) == runs.present).sum(axis=1)
    chance = math.sqrt(len(ordered) - right.max())
    best = thresholds[right >= right.max() - chance]
    return float(best[np.abs(best).argmin()])


def mu_lower(right: int, judged: int, confidence: float) -> float:
    """Lower bound on mu from right guesses between two equally likely cases: nobody is right beyond Phi(mu / 2)."""
    share = _clopper_pearson(right, judged, 1 - confidence)[0]
    return max(0.0, 2 * NormalDist().inv_cdf(share)) if share > 0 else 0.0


def _clopper_pearson(k: int, n: int, error: float) -> tuple[float, float]:
    """One-sided lower and upper bounds on a probability (Clopper and Pearson 1934), each wrong with `error`."""
    from scipy.stats import beta

    low = float(beta.ppf(error, k, n - k + 1)) if k else 0.0
    return low, float(beta.ppf(1 - error, k + 1, n - k)) if k < n else 1.0


def epsilon_of_mu(mu: float, delta: float) -> float:
    """Epsilon at delta of a unit Gaussian shifted by mu: the root of Balle and Wang's (2018) exact delta."""
    from scipy.special import log_ndtr

    def spent(epsilon: float) -> float:
        first = math.exp(log_ndtr(mu / 2 - epsilon / mu))
        return first - math.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))

    if mu <= 0 or spent(0.0) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while spent(high) > delta:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > delta else (low, middle)
    return low


def _epsilon_any(runs: Runs, threshold: float, delta: float, confidence: float) -> float:
    """The smallest epsilon of one person that Clopper-Pearson bounds on both errors leave possible."""
    said = runs.scores > threshold
    n_without, n_with = int((~runs.present).sum()), int(runs.present.sum())
    error = (1 - confidence) / 2
    most_false = _clopper_pearson(int((said & ~runs.present).sum()), n_without, error)[1]
    most_missed = _clopper_pearson(int((~said & runs.present).sum()), n_with, error)[1]

    def possible(epsilon: float) -> bool:
        factor = math.exp(min(runs.copies * epsilon, 700.0))
        group = delta * (factor - 1) / math.expm1(epsilon) if epsilon > 0 else delta * runs.copies
        return (
            1 - most_missed <= factor * most_false + group and 1 - most_false <= factor * most_missed + group
        )

    low, high = 0.0, 64.0
    if possible(low):
        return 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if possible(middle) else (middle, high)
    return low


def run_mechanism(
    settings: ReleaseSettings,
    schema: ReleaseSchema,
    rng: np.random.Generator,
    *,
    draws: int,
    copies: int | None = None,
    people: int | None = None,
    noise: Noise | None = None,
) -> Runs:
    """Run the mechanism with and without a person, as coins fall, and score everything that comes out.

    Args:
        settings: As of the release.
        schema: As of the release.
        rng: Simulates people and throws the coins.
        draws: How many runs.
        copies: Copies of the person, or None: as many as are told neither never nor always.
        people: Number of other people, or None: just enough.
        noise: What is audited; the noise of production by default.
    """
    plan = plan_release(settings, schema)
    noise = OpenDPNoise() if noise is None else noise
    copies = copies or _copies(settings)
    values = {c.name: list(c.attributes if c.values is not None else _MADE_UP) for c in schema.columns}
    others = simulated_people(schema, values, people or _enough(plan), rng)
    heard = _Heard(noise)
    pilot = mechanism._draw(others, settings, schema, heard, rng)
    person = _seen_best(pilot, heard, schema, values, settings)
    there = pd.concat([others, *[_frame([person], schema)] * copies], ignore_index=True)
    attacker = _Attacker(settings, plan, frozenset(c.name for c in schema.undeclared), person, copies)
    present = rng.random(draws) < 0.5
    scores = np.empty(draws)
    for k, now in enumerate(present.tolist()):
        heard = _Heard(noise)
        measured = mechanism._draw(there if now else others, settings, schema, heard, rng)
        scores[k] = attacker.score(measured, heard, now)
    return Runs(scores, present, copies)


def _copies(settings: ReleaseSettings) -> int:
    """Copies that together are told about as well as `_MU_OF_COPIES`."""
    return max(1, round(_MU_OF_COPIES / math.sqrt(2 * rho_of(settings.epsilon, settings.delta))))


def _enough(plan: Plan) -> int:
    """People among whom undeclared values are found and frequencies stand out of their noise."""
    highest = max((r.threshold for r in plan.rounds), default=0) / UNIT
    found = 8 * highest * math.sqrt(min(plan.most_undeclared, 9))
    return math.ceil(max(found, 40 / math.sqrt(2 * plan.centres)))


def simulated_people(
    schema: ReleaseSchema, values: Mapping[str, Sequence[str]], n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """People whose attributes are independent; the first values of a column are the most frequent, the last is rare.

    Args:
        schema: Columns.
        values: Per column what its cells may say.
        n: How many.
        rng: Where they come from.
    """
    rows: list[set[Attribute]] = [set() for _ in range(n)]
    refined = {c.parent for c in schema.columns}
    for column in schema.columns:
        own = list(values[column.name])
        if not own or column.name in refined:
            continue
        if column.multi_valued:
            for k, value in enumerate(own):
                for person in np.flatnonzero(rng.random(n) < 0.3 / (1 + k) ** 0.5):
                    rows[person].add((column.name, value))
            continue
        falling = 0.5 ** np.arange(len(own))
        chosen = rng.choice(len(own), size=n, p=falling / falling.sum())
        for person in np.flatnonzero(rng.random(n) < 0.8):
            rows[person] |= _with_parent(column, own[chosen[person]])
    return _frame(rows, schema)


def _with_parent(column: ReleaseColumn, value: str) -> set[Attribute]:
    """An attribute and the one that it implies."""
    implied = {(column.parent, column.parent_values[value])} if column.parent else set()
    return {(column.name, value)} | implied


def _frame(rows: Sequence[set[Attribute]], schema: ReleaseSchema) -> pd.DataFrame:
    """A table with one row per person."""
    made = {}
    for column in schema.columns:
        cells = [sorted(v for name, v in row if name == column.name) for row in rows]
        if column.multi_valued:
            made[column.name] = pd.Series(cells, dtype=LIST_DTYPE)
        else:
            made[column.name] = pd.Series([c[0] if c else None for c in cells], dtype="str")
    return pd.DataFrame(made)


def _seen_best(
    pilot: Measured,
    heard: "_Heard",
    schema: ReleaseSchema,
    values: Mapping[str, Sequence[str]],
    settings: ReleaseSettings,
) -> set[Attribute]:
    """Of people with ever more of the rarest attributes the one who moves everything furthest in units of noise."""
    refined = {c.parent for c in schema.columns}
    person: set[Attribute] = set()
    best, furthest = person, -1.0
    for column in schema.columns:
        own = list(values[column.name])
        if column.name in refined:
            continue
        for value in own[::-1] if column.multi_valued else own[-1:]:
            person = person | _with_parent(column, value)
            row = _row(person, pilot.layout)
            parts = _parts(row, pilot, heard, settings, 1)
            moved = sum(float(((v / scale) ** 2).sum()) for v, scale in parts)
            if moved > furthest:
                best, furthest = person, moved
    return best


def _row(person: set[Attribute], layout: Layout) -> NDArray[np.uint8]:
    return np.array([[a in person for a in layout.attributes]], dtype=np.uint8)


def _parts(
    row: NDArray[np.uint8], measured: Measured, heard: "_Heard", settings: ReleaseSettings, copies: int
) -> list[tuple[Floats, float]]:
    """What copies of a person add to the two vectors, and the scale of the noise that was asked for."""
    own = Holdings(row, np.array([copies], dtype=np.int64))
    times = mechanism._PEOPLE_TIMES if settings.people is None else 0
    rough = copies * np.append(row[0].astype(float), times)
    fine = mechanism.bounded_vector(own, measured.layout, measured.scaling, measured.bound).astype(float)
    return [(rough, heard.vectors[0][1]), (fine, heard.vectors[1][1])]


@dataclass
class _Heard:
    """Noise of somebody else's making, and everything that was asked and answered."""

    noise: Noise
    vectors: list[tuple[Floats, float]] = field(default_factory=list)
    quantiles: list[tuple[NDArray[np.int64], list[int], float, float, int]] = field(default_factory=list)
    rounds: list[tuple[Mapping[str, int], float, int, Mapping[str, int]]] = field(default_factory=list)

    def vector(self, values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """Noisy values; what is remembered is the error and the scale that was asked for."""
        noisy = self.noise.vector(values, scale)
        self.vectors.append(((noisy - values).astype(float), scale))
        return noisy

    def above_threshold(self, counts: Mapping[str, int], scale: float, threshold: int) -> dict[str, int]:
        """Noisy sums above the threshold."""
        kept = self.noise.above_threshold(counts, scale, threshold)
        self.rounds.append((dict(counts), scale, threshold, kept))
        return kept

    def quantile(self, values: NDArray[np.int64], candidates: list[int], alpha: float, scale: float) -> int:
        """A private quantile."""
        chosen = self.noise.quantile(values, candidates, alpha, scale)
        self.quantiles.append((values, candidates, alpha, scale, chosen))
        return chosen


@dataclass(frozen=True)
class _Attacker:
    """Knows everybody else, the settings and the person; wants to know whether the person is there."""

    settings: ReleaseSettings
    plan: Plan
    undeclared: frozenset[str]
    person: set[Attribute]
    copies: int

    def score(self, measured: Measured, heard: _Heard, present: bool) -> float:
        """Log-likelihood ratio of what was released, with the person against without.

        The exact values are those of the world that ran: the attacker works them out from what is known.
        """
        row = _row(self.person, measured.layout)
        total = self._values(heard, present)
        parts = _parts(row, measured, heard, self.settings, self.copies)
        for (error, scale), (own, _) in zip(heard.vectors, parts, strict=True):
            # likelihood ratio of two Gaussians: the answer less the values without the person
            apart = error + own if present else error
            total += float(apart @ own - own @ own / 2) / scale**2
        if heard.quantiles:
            needed = math.ceil(
                float(norms(row, measured.layout, measured.scaling)[0]) * measured.scaling.lattice
            )
            total += self._bound(heard, needed, present)
        return total

    def _bound(self, heard: _Heard, needed: int, present: bool) -> float:
        """Of the choice of the bound, by the exponential mechanism."""
        from scipy.special import log_softmax

        values, candidates, alpha, scale, chosen = heard.quantiles[0]
        alpha = round(alpha * _ALPHA_GRID) / _ALPHA_GRID
        ladder = np.array(candidates)
        ordered = np.sort(values)
        below = np.searchsorted(ordered, ladder, side="left")
        above = len(ordered) - np.searchsorted(ordered, ladder, side="right")
        sign = -self.copies if present else self.copies
        other_below, other_above = below + sign * (needed < ladder), above + sign * (needed > ladder)
        here, other = (
            log_softmax(-np.abs((1 - alpha) * b - alpha * a) / scale)[candidates.index(chosen)]
            for b, a in ((below, above), (other_below, other_above))
        )
        return float(here - other if present else other - here)

    def _values(self, heard: _Heard, present: bool) -> float:
        """Of the undeclared values that were found and not found."""
        from scipy.special import log_ndtr

        open_to = [a for a in self.person if a[0] in self.undeclared]
        total = 0.0
        for sums, scale, threshold, kept in heard.rounds:
            for attribute, weight in weights_of(open_to, self.plan.most_undeclared, b"audit").items():
                key = json.dumps(attribute)
                without = sums.get(key, 0) - (self.copies * weight if present else 0)
                here = without + self.copies * weight
                if key in kept and without > 0:
                    total += ((kept[key] - without) ** 2 - (kept[key] - here) ** 2) / (2 * scale**2)
                elif key in kept:
                    total += _CERTAIN
                else:
                    total += float(log_ndtr((threshold - here) / scale))
                    total -= float(log_ndtr((threshold - without) / scale)) if without > 0 else 0.0
            open_to = [a for a in open_to if json.dumps(a) not in kept]
        return total
