"""Time to an event as an outcome that every estimator can use: pseudo-observations of event-free time.

The estimand is the mean time without the event up to a horizon (restricted mean survival time). Each row's
pseudo-observation is the Kaplan–Meier estimate plus n times the row's influence on it (infinitesimal jackknife,
Parner, Andersen and Overgaard 2023), within exposed and unexposed apart, so that the two may be followed up for
different times. It assumes that within each the end of follow-up does not depend on what will happen, nor on the
adjusters.
"""

import numpy as np


def event_free_time(time: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """Return pseudo-observations of min(time to the event, horizon); their mean is the Kaplan–Meier estimate.

    Args:
        time: Time at risk, to the event or to the end of follow-up, `(n,)`.
        event: 1 where the event ended it, `(n,)`.
        horizon: Time up to which event-free time counts.
    """
    n = len(time)
    ended = np.where(time <= horizon, event, 0).astype(float)
    at = np.minimum(time, horizon)
    moments, place = np.unique(at, return_inverse=True)
    events = np.bincount(place, ended)
    at_risk = n - np.concatenate([[0], np.cumsum(np.bincount(place))[:-1]])
    survival = np.cumprod(1 - events / at_risk)
    starts = np.concatenate([[0.0], moments])
    widths = np.diff(np.append(starts, horizon))
    areas = np.concatenate([[1.0], survival]) * widths
    mean = float(areas.sum())
    after = np.append(areas[::-1].cumsum()[::-1][1:], 0.0)[: len(moments)]  # area right of each moment
    # a step S(u) → S(u)(1 − dN/Y): its relative change is 1 / (Y − dN)
    left = np.maximum(at_risk - events, 1.0)
    hazard = np.cumsum(after * events / (left * at_risk))
    influence = -(ended * (after / left)[place]) + hazard[place]
    return mean + n * influence


def enough_followed(time: np.ndarray, event: np.ndarray, horizon: float) -> bool:
    """Whether anybody was followed up to the horizon, or nobody was left before it because all had the event."""
    last = time.max()
    return bool(last >= horizon or event[time == last].all())
