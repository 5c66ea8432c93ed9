"""The interaction-weighted estimator of Sun and Abraham (Journal of Econometrics 2021).

A regression of the outcome on unit and period effects and on one indicator for every cohort and period since its
event, then a mean of the coefficients with each cohort's share as weight. Standard errors are clustered by unit.
Controls are the units without the event; where there are none, those that adopt last, and periods from their event
on are left out.

An indicator is the same for all units of a cohort, so that the regression is solved on cohorts, not on rows.
"""

from dataclasses import dataclass

import numpy as np

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.panel import Panel


@dataclass(frozen=True)
class Interaction:
    """Event-time effects.

    Attributes:
        event_time: (L,).
        estimate: (L,).
        covariance: (L, L), clustered by unit.
        cohort: (M,) cohort of each coefficient.
        relative: (M,) its periods since the event.
        coefficient: (M,).
        overall: Mean over the event times from 0 on.
        overall_error: Its standard error.
    """

    event_time: np.ndarray
    estimate: np.ndarray
    covariance: np.ndarray
    cohort: np.ndarray
    relative: np.ndarray
    coefficient: np.ndarray
    overall: float
    overall_error: float


def interaction_weighted(panel: Panel, anticipation: int = 0) -> Interaction:
    """Estimate effects by periods since the event."""
    y, adopted = panel.outcomes, panel.adopted
    if not (adopted == NEVER).any():
        last = int(adopted.max())
        y = y[:, : last - anticipation]
        adopted = np.where(adopted == last, NEVER, adopted)
    count, periods = y.shape
    reference = -1 - anticipation
    labels, inverse, sizes = np.unique(adopted, return_inverse=True, return_counts=True)
    cells = [
        (int(cohort), period - int(cohort))
        for cohort in labels[labels < NEVER]
        for period in range(periods)
        if period - int(cohort) != reference
    ]
    x = np.zeros((len(labels), periods, len(cells)))
    for column, (first, since) in enumerate(cells):
        x[np.searchsorted(labels, first), first + since, column] = 1
    x = x - x.mean(axis=1, keepdims=True)
    x = x - np.tensordot(sizes / count, x, axes=1)[None]
    within = y - y.mean(axis=1, keepdims=True)
    within = within - within.mean(axis=0)
    sums = np.zeros((len(labels), periods))
    np.add.at(sums, inverse, within)
    gram = np.einsum("c,ctk,ctl->kl", sizes.astype(float), x, x, optimize=True)
    coefficient = np.linalg.solve(gram, np.einsum("ctk,ct->k", x, sums))
    residual = within - (x @ coefficient)[inverse]
    scores = np.empty((count, len(cells)))
    for place in range(len(labels)):
        mine = inverse == place
        scores[mine] = residual[mine] @ x[place]
    bread = np.linalg.inv(gram)
    rows = count * periods
    # units are nested in their clusters, so that unit effects count once
    parameters = len(cells) + periods
    small = count / (count - 1) * (rows - 1) / max(rows - parameters, 1)
    covariance = small * bread @ (scores.T @ scores) @ bread
    cohort = np.array([cell[0] for cell in cells])
    relative = np.array([cell[1] for cell in cells])
    times = np.unique(relative)
    counted = sizes[np.searchsorted(labels, cohort)].astype(float)
    mixing = np.where(relative[None, :] == times[:, None], counted[None, :], 0.0)
    mixing /= mixing.sum(axis=1, keepdims=True)
    after = np.where(times >= 0, 1.0, 0.0) / (times >= 0).sum()
    spread = mixing @ covariance @ mixing.T
    estimate = mixing @ coefficient
    return Interaction(
        times,
        estimate,
        spread,
        cohort,
        relative,
        coefficient,
        float(after @ estimate),
        float(np.sqrt(after @ spread @ after)),
    )
