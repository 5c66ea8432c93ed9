"""From noisy moments to what people read: aggregates with intervals, and synthetic records that agree with them.

All of it is post-processing, repeatable from what was released and a seed. Aggregates are counts of one synthetic
population, so that they are whole, never negative, none above its parts, lengths agree and nothing impossible occurs,
by construction; the synthetic records are that population. Up to length 3 aggregates and records agree exactly; of
longer combinations the records hold more than is told, and what is told agrees.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hrtech.counts import render_cells
from hrtech.release.declared import ReleaseSettings
from hrtech.release.estimate import Estimates, estimate
from hrtech.release.fit import Mixture, fit_mixture, product_sums
from hrtech.release.intervals import intervals
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.records import States, as_table, holders, sample_people
from hrtech.release.repair import repair
from hrtech.release.support import Dial, dial, scores

_AT_ONCE = 2048


@dataclass(frozen=True)
class Published:
    """What a release tells.

    Attributes:
        aggregates: `length`, `attributes` (canonical text), `count`, `low`, `high` (interval for the true count), `sd`
            (of the measured noise). A combination that is not listed is suppressed, which is not the same as zero.
        records: Synthetic people, one row each, or None.
        dial: What other settings would tell.
        threshold: The one that was used.
        misfit: Per length, how far the fitted mixture was from the measured moments, in units of the noise.
    """

    aggregates: pd.DataFrame
    records: pd.DataFrame | None
    dial: Dial
    threshold: float
    misfit: dict[int, float]


@dataclass(frozen=True)
class Draft:
    """What is worked out once and serves every threshold.

    Attributes:
        measured: What was released.
        mixture: Fitted to it.
        estimates: Of every combination.
        score: How far each stands out.
        people: States of synthetic people before repair.
    """

    measured: Measured
    mixture: Mixture
    estimates: Estimates
    score: dict[int, NDArray[np.float64]]
    people: States


def draft(measured: Measured, rng: np.random.Generator) -> Draft:
    """Fit, estimate and sample."""
    with threadpool_limits(1):
        mixture = fit_mixture(measured, rng)
        estimates = estimate(measured, mixture)
        number = max(round(measured.people), 0)
        people = sample_people(mixture, measured.layout, number, rng)
        return Draft(measured, mixture, estimates, scores(measured.layout, estimates), people)


def publish(
    measured: Measured, settings: ReleaseSettings, rng: np.random.Generator, *, records: bool = True
) -> Published:
    """Make what people read.

    Args:
        measured: What was released.
        settings: Share of told combinations that may be false, and level of the intervals.
        rng: Decides nothing about privacy; the same seed gives the same tables.
        records: Whether to give out synthetic records too.
    """
    return finish(draft(measured, rng), settings, rng, records=records)


def finish(
    made: Draft,
    settings: ReleaseSettings,
    rng: np.random.Generator,
    *,
    records: bool = True,
    threshold: float | None = None,
) -> Published:
    """Choose what is told and bring people and counts to agree on it.

    Args:
        made: From `draft`.
        settings: As in `publish`.
        rng: As in `publish`.
        records: As in `publish`.
        threshold: Used in place of the one that follows from `false_share`.
    """
    layout = made.measured.layout
    known = dial(made.estimates, made.score)
    used = known.threshold_for(settings.false_share) if threshold is None else threshold
    told = {k: own >= used if k > 1 else own > 0 for k, own in made.score.items()}
    with threadpool_limits(1):
        states = repair(made.people, layout, made.estimates.shrunk, told, rng)
        counts = count_people(states, layout)
    parts = [
        _told_of_length(made, k, counts[k], told[k], settings.confidence)
        for k in sorted(made.estimates.shrunk)
    ]
    return Published(
        aggregates=pd.concat(parts, ignore_index=True),
        records=as_table(states, layout) if records else None,
        dial=known,
        threshold=used,
        misfit=made.mixture.misfit,
    )


def _told_of_length(
    made: Draft, length: int, counts: NDArray[np.int64], told: NDArray[np.bool_], confidence: float
) -> pd.DataFrame:
    layout, estimates = made.measured.layout, made.estimates
    shown = np.flatnonzero(told & (counts > 0))
    sd = estimates.sd[length][shown]
    low, high = intervals(estimates.direct[length][shown], sd, confidence)
    cells = layout.cells(length)[shown]
    return pd.DataFrame(
        {
            "length": np.full(len(shown), length, dtype=np.int64),
            "attributes": render_cells(layout.attributes, cells),
            "count": counts[shown],
            # what the whole release makes likely may lie outside what this one noisy value says
            "low": np.minimum(low, counts[shown]),
            "high": np.maximum(high, counts[shown]),
            "sd": sd,
        }
    )


def count_people(states: States, layout: Layout) -> dict[int, NDArray[np.int64]]:
    """Count every combination in synthetic people, per length in the order of the layout."""
    totals = {k: np.zeros(layout.size(k)) for k in range(1, layout.longest + 1)}
    # few people at once: their counts are exact in single precision, and all counts are in double precision
    for start in range(0, len(states), _AT_ONCE):
        held = holders(states[start : start + _AT_ONCE], layout).T.astype(np.float32)
        for k, sums in product_sums(layout, held, layout.longest).items():
            totals[k] += sums
    return {k: np.rint(total).astype(np.int64) for k, total in totals.items()}
