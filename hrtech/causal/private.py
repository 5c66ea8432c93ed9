"""Effects from differentially private counts: intervals that take the added noise into account.

What is released must be counts of every combination of exposure, outcome and adjusters, with noise added to each and no
model in between. One release with the stated standard deviation of independent noise per count: the effect,
standardised over the combinations of adjusters, is a smooth function of the counts, so its variance is the sum over
counts of squared slope times (count + noise variance), sampling and noise together (delta method; the effect does not
change with the total, so Poisson and multinomial counts give the same). Several releases of the same records: their
mean, with the noise judged by how they differ (Reiter 2003, the rules for partially synthetic data).

Refused: records drawn from a fitted model, of which nobody knows how far the model is from the records; one release
whose noise is not stated or is shared between counts; and counts too small for their noise, where a ratio of noisy
counts is neither unbiased nor normal.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.causal.estimators import Estimate
from hrtech.causal.question import EffectError, EffectQuestion

COUNT, NOISE = "count", "noise_sd"
_TIMES_NOISE = 8.0
_FEWEST = 20.0
_FEWEST_RELEASES = 3


_FROM_A_MODEL = (
    "Private records that were drawn from a fitted model carry no interval: nobody knows how far the model is from the "
    "records."
)


def refuse_synthetic_records(asset: str | None) -> None:
    """Refuse the synthetic records of a release as the records of a study.

    Raises:
        EffectError: The asset is one of synthetic records.
    """
    if asset is not None and asset.split("/")[-1] == "synthetic_records":
        raise EffectError(
            f"{_FROM_A_MODEL} Ask the keepers of the records to run this study on them, or ask the release itself with "
            "a ReleasedEffect [setting: source]"
        )


def private_effect(
    releases: Sequence[pd.DataFrame],
    question: EffectQuestion,
    adjusted: tuple[str, ...],
    *,
    independent_noise: bool = True,
) -> Estimate:
    """Estimate the average effect from released counts.

    Args:
        releases: One table or several releases of the same records: columns of exposure (0 or 1), outcome (a number)
            and adjusters, one row per combination, `count` (may be negative: counts that were cut at zero or left out
            where small are not usable), and `noise_sd`, the standard deviation of the noise in each count.
        question: The question; population, clusters, weights and time to an event cannot be had from counts.
        adjusted: Adjusters, from `hrtech.causal.identify`.
        independent_noise: Whether the noise of different counts is drawn apart. Where not, several releases are needed.

    Raises:
        EffectError: What was released does not carry an interval that covers.
    """
    _check(releases, question, adjusted, independent_noise)
    spread = None if NOISE in releases[0].columns else _between(releases, question, adjusted)
    found = [_standardised(table, question, adjusted, spread) for table in releases]
    effects, sampling, noise = (np.array(each) for each in zip(*found, strict=True))
    if len(releases) == 1 or independent_noise:
        # the same records: sampling does not average out, noise does
        variance = sampling.mean() + noise.mean() / len(releases)
        return _estimate(float(effects.mean()), float(variance), np.inf, releases, question)
    between = float(effects.var(ddof=1)) / len(releases)
    within = float(sampling.mean())
    freedom = (len(releases) - 1) * (1 + within / between) ** 2
    return _estimate(float(effects.mean()), within + between, freedom, releases, question)


def _estimate(
    effect: float, variance: float, freedom: float, releases: Sequence[pd.DataFrame], question: EffectQuestion
) -> Estimate:
    from scipy import stats

    error = float(np.sqrt(variance))
    quantile = float(stats.t.ppf(0.5 + question.confidence / 2, min(freedom, 1e9)))
    people = round(float(np.mean([table[COUNT].sum() for table in releases])))
    several = f"{len(releases)} releases" if len(releases) > 1 else "one release"
    note = f"From {several} with noise for privacy; the interval takes sampling and noise into account."
    return Estimate(
        "standardisation",
        effect,
        error,
        effect - quantile * error,
        effect + quantile * error,
        people,
        (note,),
    )


def _check(
    releases: Sequence[pd.DataFrame], question: EffectQuestion, adjusted: tuple[str, ...], independent: bool
) -> None:
    if not releases:
        raise EffectError("No release was handed in [setting: source]")
    for setting in ("population", "cluster", "weights", "follow_up"):
        if getattr(question, setting) is not None:
            raise EffectError(f"Released counts know nothing of {setting}. Leave it out [setting: {setting}]")
    needed = [question.treatment, question.outcome, *adjusted]
    for table in releases:
        if absent := [name for name in needed if name not in table.columns]:
            raise EffectError(
                f"The release does not count by {', '.join(absent)}, so that the effect is not in it. Release counts "
                "of all combinations of exposure, outcome and adjusters [setting: source]"
            )
        if COUNT not in table.columns:
            raise EffectError(
                f"{_FROM_A_MODEL} Use released counts, with a column '{COUNT}' [setting: source]"
            )
        if not set(table[question.treatment].unique()) <= {0, 1}:
            raise EffectError(
                f"The exposure '{question.treatment}' must be 0 or 1 in released counts [setting: treatment]"
            )
        if table.duplicated(needed).any():
            raise EffectError("The release counts a combination twice [setting: source]")
        combinations = table[needed].drop_duplicates()
        whole = int(np.prod([combinations[name].nunique() for name in needed[:2]]))
        strata = combinations.groupby(list(adjusted)).size() if adjusted else pd.Series([len(combinations)])
        if (strata != whole).any():
            raise EffectError(
                "Counts of some combinations were left out. Which are, depends on the noise, so that an interval would "
                "not cover; release all of them, zeros too [setting: source]"
            )
        if NOISE not in table.columns and (independent or len(releases) == 1):
            raise EffectError(
                f"The release does not say how much noise its counts hold. Add it as '{NOISE}' [setting: source]"
            )
    if not independent and len(releases) < _FEWEST_RELEASES:
        raise EffectError(
            f"The noise of these counts is shared between them, so that one release does not show how far the effect "
            f"moves with it. Use {_FEWEST_RELEASES} releases of the same records or more [setting: source]"
        )


def _cells(table: pd.DataFrame, question: EffectQuestion, adjusted: tuple[str, ...]) -> np.ndarray:
    """Return the number of the combination of adjusters and exposure per row."""
    t = table[question.treatment].to_numpy(int)
    if not adjusted:
        return t
    return 2 * table.groupby(list(adjusted), sort=True).ngroup().to_numpy() + t


def _between(
    releases: Sequence[pd.DataFrame], question: EffectQuestion, adjusted: tuple[str, ...]
) -> np.ndarray:
    """Return the standard deviation of the noise in each size, pooled over all, from how releases differ."""
    sizes = [
        np.bincount(_cells(table, question, adjusted), table[COUNT].to_numpy(float)) for table in releases
    ]
    pooled = float(np.sqrt(np.var(sizes, axis=0, ddof=1).mean()))
    return np.full(len(sizes[0]), pooled)


def _standardised(
    table: pd.DataFrame, question: EffectQuestion, adjusted: tuple[str, ...], between: np.ndarray | None
) -> tuple[float, float, float]:
    """Return the standardised effect, its sampling variance and its noise variance.

    Args:
        table: A release.
        question: The question.
        adjusted: Adjusters.
        between: Standard deviation of the noise in each size, where the release does not state it.
    """
    counts = table[COUNT].to_numpy(float)
    noise = table[NOISE].to_numpy(float) ** 2 if NOISE in table.columns else np.zeros(len(table))
    t = table[question.treatment].to_numpy(int)
    y = table[question.outcome].to_numpy(float)
    cell = _cells(table, question, adjusted)
    stratum, number = cell // 2, int(cell.max()) // 2 * 2 + 2
    size = np.bincount(cell, counts, number)
    stated = np.sqrt(np.bincount(cell, noise, number))
    spread = stated if between is None else between
    if (size < np.maximum(_TIMES_NOISE * spread, _FEWEST)).any():
        raise EffectError(
            f"Some combination of adjusters and exposure holds fewer than {_FEWEST:g} people, or fewer than "
            f"{_TIMES_NOISE:g} times its noise: an interval would not cover. Adjust for less, group levels, or release "
            "with a larger budget [setting: confounders, source]"
        )
    totals = np.bincount(cell, counts * y, number)
    mean = totals / size
    # a ratio of noisy counts is biased to second order
    mean_noise = np.bincount(cell, noise * y, number)
    mean = mean - (mean * stated**2 - mean_noise) / size**2
    by = mean.reshape(-1, 2)
    difference = by[:, 1] - by[:, 0]
    people = size.reshape(-1, 2).sum(axis=1)
    share = people / people.sum()
    effect = float(share @ difference)
    slope = (difference[stratum] - effect) / people.sum()
    slope = slope + np.where(t == 1, 1, -1) * share[stratum] * (y - mean[cell]) / size[cell]
    return effect, float(slope**2 @ np.maximum(counts, 0)), float(slope**2 @ noise)
