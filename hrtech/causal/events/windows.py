"""How units that adopt at different times are brought together, as windows with one event each.

- `fixed`: one window for all; its past ends before the first adoption and its after begins with the last one.
- `shifted`: one window a cohort, all of the same length around the event, so that every unit has the same past and
  after; cohorts weigh as many units as they have.
- `staggered`: one window a cohort from the panel's start to its end; cohorts weigh as many treated cells as they have.

Donors are the units without the event. With `not_yet_treated` they are joined by units whose event comes after the
window ends; where there are no others, windows end before the last cohort's event and that cohort gives the donors.
With one cohort the three are the same.
"""

from dataclasses import dataclass

import numpy as np

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.block import Block, Fit, Method, fit_block
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.question import EventError, EventQuestion


@dataclass(frozen=True)
class Window:
    """A part of the panel with one event.

    Attributes:
        outcomes: (N, T) of all units in the window's periods, the anticipation window left out.
        before: Periods before the event.
        since: (T,) periods since the event (fixed windows: since the last adoption, before the first).
        periods: (T,) index in the panel.
        treated: Units of the event, (N,) bool.
        donors: (N,) bool.
        weight: Share in the overall effect; sums to 1 over windows.
    """

    outcomes: np.ndarray
    before: int
    since: np.ndarray
    periods: np.ndarray
    treated: np.ndarray
    donors: np.ndarray
    weight: float

    def block(self, treated: np.ndarray, donors: np.ndarray) -> Block:
        """The assignments of a batch; `treated` (K, N) counts, `donors` (K, N) counts."""
        count = treated.sum(axis=1)
        return Block(self.outcomes, self.before, treated / count[:, None], donors.astype(float), count)

    def fit(self, method: Method) -> Fit:
        """The window's own estimate."""
        return fit_block(self.block(self.treated[None].astype(float), self.donors[None]), method)


def make_windows(panel: Panel, question: EventQuestion) -> list[Window]:
    """Cut the panel into windows.

    Raises:
        EventError: A window has no past, no after or no donors.
    """
    cohorts = [int(cohort) for cohort in panel.cohorts]
    end = len(panel.periods)
    never = panel.adopted == NEVER
    if not never.any():
        end = cohorts.pop() - question.anticipation
    if question.alignment == "fixed" and len(cohorts) > 1:
        spans = [(0, cohorts[0], cohorts[-1], end, np.isin(panel.adopted, cohorts))]
    elif question.alignment == "shifted":
        past, after = min(cohorts), min(end - cohort for cohort in cohorts)
        spans = [(c - past, c, c, c + after, panel.adopted == c) for c in cohorts if after > 0]
    else:
        spans = [(0, c, c, end, panel.adopted == c) for c in cohorts if c < end]
    if not spans:
        raise EventError(
            "No unit comes under the event while others are still without it: there are no donors. Add units without "
            "the event [setting: treated, adopted]"
        )
    windows = [_window(panel, question, span, end) for span in spans]
    total = sum(window.weight for window in windows)
    return [Window(**(vars(window) | {"weight": window.weight / total})) for window in windows]


def _window(panel: Panel, question: EventQuestion, span: tuple, end: int) -> Window:
    start, first, last, stop, treated = span
    before = np.arange(start, first - question.anticipation)
    after = np.arange(last, stop)
    at = panel.periods[first]
    if len(before) < 1:
        raise EventError(
            f"No period is left before the event of {at}: there is no past to compare with. Add earlier periods or "
            "shorten the anticipation window [setting: anticipation]"
        )
    if len(after) < 1:
        raise EventError(
            f"No period is left after the event of {at}: the last unit adopts too late. Align units otherwise or end "
            "with an earlier cohort [setting: alignment]"
        )
    periods = np.concatenate([before, after])
    donors = panel.adopted == NEVER
    if question.controls == "not_yet_treated" or not donors.any():
        donors = donors | (panel.adopted >= int(periods[-1]) + 1 + question.anticipation)
    if not donors.any():
        raise EventError(
            f"No unit is without the event around {at}: there are no donors. Add units without it, or compare with "
            "units not yet treated [setting: controls]"
        )
    weight = float(treated.sum()) * (len(after) if question.alignment == "staggered" else 1)
    since = np.concatenate([before - first, after - last])
    return Window(panel.outcomes[:, periods], len(before), since, periods, treated, donors & ~treated, weight)
