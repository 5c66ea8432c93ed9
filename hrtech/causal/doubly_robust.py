"""Augmented inverse-propensity weighting with stacked, cross-fitted nuisances.

The score is that of Robins, Rotnitzky and Zhao (1994); cross-fitting and the median over splits with its variance are
those of Chernozhukov et al. (2018, definition 3.3). Folds keep clusters whole, and the variance sums scores within
clusters. Survey weights enter the learners and the mean of the scores.
"""

from dataclasses import dataclass

import numpy as np

from hrtech.causal.design import Design
from hrtech.causal.learners import LEARNERS, Sample, fitting, predict, stack
from hrtech.causal.question import EffectError

CLIP = 0.01
FOLDS = 5
_ROWS_FOR_ONE_SPLIT = 2000
_MOST_SPLITS = 5


@dataclass(frozen=True)
class Scores:
    """Scores whose weighted mean is the average effect, per split.

    Attributes:
        values: `(splits, n)`.
        influence: `(splits, n)`: scores with the noise that outcome models pass on; their spread is the error.
        propensity: Chance of exposure per row, out of fold, mean over splits, not clipped.
        shares: `nuisance → learner → share in the stack`, mean over splits.
    """

    values: np.ndarray
    influence: np.ndarray
    propensity: np.ndarray
    shares: dict[str, dict[str, float]]


def splits_for(n: int) -> int:
    """Return how often rows are split: the fewer the rows, the more the split matters."""
    return int(np.clip(np.ceil(_ROWS_FOR_ONE_SPLIT / n), 1, _MOST_SPLITS))


def score(design: Design, seed: int, splits: int | None = None) -> Scores:
    """Fit nuisances out of fold and return the scores.

    Raises:
        EffectError: A fold leaves nobody exposed, or nobody unexposed, to learn from.
    """
    rng = np.random.default_rng(seed)
    found = [_one_split(design, rng) for _ in range(splits or splits_for(design.n))]
    shares = {
        name: {learner: float(np.mean([one[3][name][learner] for one in found])) for learner in learners}
        for name, learners in found[0][3].items()
    }
    values, influence = (np.array([one[place] for one in found]) for place in (0, 1))
    return Scores(values, influence, np.mean([one[2] for one in found], axis=0), shares)


def propensity(design: Design, seed: int) -> np.ndarray:
    """Return the chance of exposure per row, out of fold, by lines and curves; it costs little."""
    if not design.covariates.shape[1]:
        return np.full(design.n, design.treatment.mean())
    weights = np.ones(design.n) if design.weights is None else design.weights
    everybody = np.ones(design.n, dtype=bool)
    fold = folds_of(design, np.random.default_rng(seed))
    return _stacked(design, design.treatment, everybody, fold, weights, learners=LEARNERS[:2])[0]


def average(scores: Scores, design: Design) -> tuple[float, float, float]:
    """Return the effect, its standard error and the degrees of freedom: the median over splits."""
    weights: np.ndarray = np.ones(design.n) if design.weights is None else design.weights
    effects = scores.values @ weights / weights.sum()
    effect = float(np.median(effects))
    variances = [variance_of(one, design) for one in scores.influence]
    # the spread over splits is part of the uncertainty
    variance = float(np.median(np.array(variances) + (effects - effect) ** 2))
    freedom = float(np.median([freedom_of(one, design) for one in scores.influence]))
    return effect, float(np.sqrt(variance)), freedom


def variance_of(influence: np.ndarray, design: Design) -> float:
    """Return the linearised variance of a weighted mean; clusters count as one."""
    weights: np.ndarray = np.ones(design.n) if design.weights is None else design.weights
    parts = _parts(influence, design)
    return float((parts**2).sum() / weights.sum() ** 2 * len(parts) / (len(parts) - 1))


def freedom_of(influence: np.ndarray, design: Design) -> float:
    """Return how many degrees of freedom that variance has.

    Where overlap is weak, few rows carry most of it, and it is known less well than from as many rows of equal weight:
    a variance of n values with kurtosis k has 2 n / (k - (n - 3) / (n - 1)) degrees of freedom (O'Neill 2014, The
    American Statistician 68), n - 1 for normal ones, which is the most that is claimed.
    """
    parts = _parts(influence, design)
    count, squares = len(parts), parts**2
    if count < 4 or not squares.any():
        return count - 1.0
    excess = (squares**2).mean() / squares.mean() ** 2 - (count - 3) / (count - 1)
    return float(min(2 * count / excess, count - 1)) if excess > 0 else count - 1.0


def _parts(influence: np.ndarray, design: Design) -> np.ndarray:
    """What each row, or each cluster, adds to the weighted sum of scores about their mean."""
    weights: np.ndarray = np.ones(design.n) if design.weights is None else design.weights
    parts: np.ndarray = weights * (influence - weights @ influence / weights.sum())
    if design.cluster is None:
        return parts
    _, number = np.unique(design.cluster, return_inverse=True)
    return np.bincount(number, parts)


def folds_of(design: Design, rng: np.random.Generator, count: int = FOLDS) -> np.ndarray:
    """Deal rows into folds: clusters whole, otherwise as many exposed in each."""
    if design.cluster is not None:
        numbers = np.unique(design.cluster)
        order = rng.permutation(len(numbers)) % min(count, len(numbers))
        return np.asarray(order[np.searchsorted(numbers, design.cluster)])
    fold = np.empty(design.n, dtype=int)
    levels = np.unique(design.outcome)
    kind: np.ndarray = design.treatment * 2.0
    if len(levels) == 2:
        kind = kind + (design.outcome == levels[-1])
    start = 0
    for level in np.unique(kind):
        rows = np.flatnonzero(kind == level)
        fold[rows] = (start + rng.permutation(len(rows))) % count
        start += len(rows)
    return fold


def _one_split(
    design: Design, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, dict[str, float]]]:
    t, y, n = design.treatment, design.outcome, design.n
    weights = np.ones(n) if design.weights is None else design.weights
    fold = folds_of(design, rng)
    chance, _, of_chance = _stacked(design, t, np.ones(n, dtype=bool), fold, weights)
    clipped = np.clip(chance, CLIP, 1 - CLIP)
    # outcomes are predicted for everybody, so learners are judged where an arm is thin as well; and what weighting
    # leaves unbalanced passes the noise of the outcome models on
    arms, pulls, shares = [], np.zeros(n), {"propensity": of_chance}
    for level, name in ((0, "outcome of the unexposed"), (1, "outcome of the exposed")):
        own = clipped if level else 1 - clipped
        counts = weights * (1 - (t == level) / own)
        fitted, pull, shares[name] = _stacked(
            design, y, t == level, fold, weights, emphasis=1 / own, counts=counts
        )
        arms.append(fitted)
        pulls += (1 if level else -1) * pull * (y - fitted)
    values = arms[1] - arms[0] + t * (y - arms[1]) / clipped - (1 - t) * (y - arms[0]) / (1 - clipped)
    return values, values + pulls / weights, chance, shares


def _stacked(
    design: Design,
    target: np.ndarray,
    among: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    *,
    emphasis: np.ndarray | None = None,
    counts: np.ndarray | None = None,
    learners: tuple[str, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Learn a target among some rows, predict it out of fold for all, and stack.

    Returns:
        Predictions; how much their sum, each counted by `counts`, changes with the residual of each row; shares.
    """
    yes_no = bool(np.isin(target, (0.0, 1.0)).all())
    if learners is None:
        learners = fitting(int(among.sum() * (FOLDS - 1) / FOLDS))
    if not design.covariates.shape[1]:
        learners = LEARNERS[:1]
    predictions = np.empty((design.n, len(learners)))
    pulls = np.zeros((design.n, len(learners)))
    for number in np.unique(fold):
        out, rest = fold == number, (fold != number) & among
        if rest.sum() < 5 or (target is design.treatment and np.ptp(target[rest]) == 0):
            raise EffectError(
                "Too few exposed or unexposed rows are left to learn from when a fifth of the clusters is set aside. "
                "Use smaller clusters, or linear_regression [setting: cluster, estimators]"
            )
        sample = Sample(design.covariates[rest], target[rest], weights[rest], yes_no)
        predictions[out], pull = predict(
            learners, sample, design.covariates[out], counts=None if counts is None else counts[out]
        )
        pulls[rest] += pull
    judged = weights if emphasis is None else weights * emphasis
    shares = stack(predictions[among], target[among], judged[among])
    named = {name: float(share) for name, share in zip(learners, shares, strict=True)}
    return predictions @ shares, pulls @ shares, named
