"""The tables of Callaway–Sant'Anna and Sun–Abraham for one outcome, tests of leads, and honest intervals."""

from dataclasses import dataclass, replace

import numpy as np

from hrtech.causal.events.adoption import NEVER
from hrtech.causal.events.honest import Leads, relative_magnitudes, smoothness
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.question import EventQuestion
from hrtech.causal.events.staggered import (
    GroupTime,
    Summarised,
    band,
    degrees,
    group_time,
    lead_means,
    overall,
    summarise,
)
from hrtech.causal.events.study_blocks import Answer, answer
from hrtech.causal.events.sun_abraham import interaction_weighted

#: Leads that are tested together, at most, as a share of the units: more would make their covariance singular.
_LEADS = 3
_MOST_LEADS = 12
#: Fewest draws for a band; they are cheap.
_BAND = 2000
#: Units up to which leads are tested by permutation.
_PERMUTED = 300


@dataclass(frozen=True)
class StaggeredStudy:
    """Group-time effects of a panel and what follows from them."""

    panel: Panel
    question: EventQuestion
    outcome: str
    found: GroupTime

    @classmethod
    def of(cls, panel: Panel, question: EventQuestion, outcome: str) -> "StaggeredStudy":
        """Estimate the group-time effects."""
        return cls(panel, question, outcome, group_time(panel, question.controls, question.anticipation))

    @property
    def df(self) -> float:
        """Degrees of freedom of intervals: of the smaller side of the comparison."""
        treated = int(self.panel.ever.sum())
        others = int((self.panel.adopted == NEVER).sum()) or int(
            (self.panel.adopted == self.panel.adopted.max()).sum()
        )
        return max(min(treated, others) - 1, 1)

    def rng(self) -> np.random.Generator:
        """Random numbers that do not depend on what was computed before."""
        return np.random.default_rng(self.question.seed)

    def _error(self, error: float) -> float:
        """Unknown where one side is a single unit: its noise cannot be seen."""
        single = self.panel.ever.sum() < 2 or (self.found.controls < 2).any()
        return float("nan") if single else error

    def callaway_santanna(self, tables: dict[str, list[tuple]]) -> Answer:
        """Overall effect by cohorts; adds to `estimates`, `event_time` and `group_time`."""
        one = overall(self.found, "cohort")
        found = self._tell("callaway_santanna", float(one.estimate[0]), float(one.std_error[0]), tables)
        by_time = summarise(self.found, "event_time")
        wide = band(
            self.found, by_time, self.question.confidence, max(self.question.simulations, _BAND), self.rng()
        )
        self._event_time(
            "callaway_santanna", by_time.label, by_time.estimate, by_time.std_error, wide, tables
        )
        errors = np.sqrt((self.found.influence**2).sum(axis=0)) / len(self.found.influence)
        periods = self.panel.periods
        for at in range(len(self.found.effect)):
            tables["group_time"].append(
                (
                    self.outcome, str(periods[self.found.cohort[at]]), str(periods[self.found.period[at]]),
                    int(self.found.event_time[at]), self.found.effect[at], self._error(errors[at]),
                    int(self.found.treated[at]), int(self.found.controls[at]),
                )
            )  # fmt: skip
        for cohort, period in (pair for pair in self.found.missing if pair[1] >= pair[0]):
            tables["rows"].append(
                (
                    self.outcome, f"units of {periods[cohort]}", "no controls",
                    f"no effect in {periods[period]}: nobody is left to compare with",
                )
            )  # fmt: skip
        return found

    def sun_abraham(self, tables: dict[str, list[tuple]]) -> Answer:
        """Mean over event times from 0 on; adds to `estimates` and `event_time`."""
        found = interaction_weighted(self.panel, self.question.anticipation)
        told = self._tell("sun_abraham", found.overall, found.overall_error, tables)
        errors = np.sqrt(np.diag(found.covariance))
        unknown = np.full(len(errors), np.nan)
        self._event_time("sun_abraham", found.event_time, found.estimate, errors, unknown, tables)
        return told

    def _tell(self, name: str, estimate: float, error: float, tables: dict[str, list[tuple]]) -> Answer:
        told = answer(estimate, self._error(error), self.question.confidence, "clustered", self.df)
        note = {
            "callaway_santanna": "mean over cohorts of their mean effect",
            "sun_abraham": "mean over periods since the event",
        }[name]
        if np.isnan(told.std_error):
            note += "; one unit alone on a side: its noise cannot be seen"
        tables["estimates"].append(
            (
                self.outcome,
                name,
                estimate,
                told.std_error,
                told.low,
                told.high,
                told.interval,
                np.nan,
                np.nan,
                note,
            )
        )
        return told

    def _event_time(
        self,
        name: str,
        times: np.ndarray,
        estimates: np.ndarray,
        errors: np.ndarray,
        wide: np.ndarray,
        tables: dict[str, list[tuple]],
    ) -> None:
        for place, df in enumerate(degrees(self.found, times)):
            error = self._error(float(errors[place]))
            one = answer(float(estimates[place]), error, self.question.confidence, "", df)
            half = wide[place] if np.isfinite(error) else np.nan
            tables["event_time"].append(
                (
                    self.outcome, name, int(times[place]), one.estimate, one.std_error, one.low, one.high,
                    one.estimate - half, one.estimate + half,
                )
            )  # fmt: skip

    def leads(self) -> tuple[Summarised, np.ndarray]:
        """Effects by event time, and which of them are leads next to the base, as many as the units bear."""
        by_time = summarise(self.found, "event_time")
        base = -1 - self.question.anticipation
        most = max(1, min(_MOST_LEADS, len(self.panel.units) // _LEADS))
        return by_time, (by_time.label < base) & (by_time.label >= base - most)

    def pretrend(self, tables: dict[str, list[tuple]]) -> None:
        """Test that the leads are all 0: by permuting who adopts when, or for many units by their covariance."""
        by_time, chosen = self.leads()
        count = int(chosen.sum())
        if not count or self.panel.ever.sum() < 2:
            return
        values = by_time.estimate[chosen]
        if len(self.panel.units) > _PERMUTED:
            from scipy.stats import chi2

            spread = by_time.covariance[np.ix_(chosen, chosen)]
            p = float(chi2.sf(values @ np.linalg.pinv(spread) @ values, count))
        else:
            p = self._permuted(by_time.label[chosen], values)
        tables["checks"].append(
            (
                self.outcome, f"parallel trends: {count} leads", float(values[np.abs(values).argmax()]), p,
                bool(p >= 1 - self.question.confidence),
                "Before the event, units with and without it should move alike. Passing does not prove it.",
            )
        )  # fmt: skip

    def _permuted(self, labels: np.ndarray, values: np.ndarray) -> float:
        """Share of permutations whose leads are as far from 0, each in units of its spread over permutations."""
        rng = self.rng()
        drawn = np.zeros((self.question.simulations, len(labels)))
        for draw in range(len(drawn)):
            mixed = replace(self.panel, adopted=rng.permutation(self.panel.adopted))
            drawn[draw] = lead_means(mixed, labels, self.question.controls, self.question.anticipation)
        spread = np.maximum(drawn.std(axis=0), 1e-300)
        real = float(((values / spread) ** 2).sum())
        others = ((drawn / spread) ** 2).sum(axis=1)
        return float((1 + (others >= real * (1 - 1e-12)).sum()) / (1 + len(others)))

    def honest(self, tables: dict[str, list[tuple]]) -> None:
        """Intervals when trends part after the event, as far as they did before it or a multiple of that."""
        by_time, chosen = self.leads()
        base = -1 - self.question.anticipation
        after = by_time.label > base
        real = by_time.label[after] >= 0
        if not chosen.any() or not real.any() or self.panel.ever.sum() < 2 or not self.df > 1:
            return
        both = np.concatenate([np.flatnonzero(chosen), np.flatnonzero(after)])
        spread = by_time.covariance[np.ix_(both, both)]
        first = np.zeros(len(real))
        first[np.flatnonzero(real)[0]] = 1
        for words, target in (("first period", first), ("mean of all periods", real / real.sum())):
            leads = Leads(by_time.estimate[chosen], by_time.estimate[after], spread, target)
            self._honest(words, leads, tables)

    def _honest(self, words: str, leads: Leads, tables: dict[str, list[tuple]]) -> None:
        confidence = self.question.confidence
        for bound in self.question.honest:
            low, high = relative_magnitudes(leads, bound, confidence)
            tables["honest"].append(
                (self.outcome, words, "relative magnitude", bound, low, high, not low <= 0 <= high)
            )
        path = np.concatenate([leads.before, [0.0]])
        bend = float(np.abs(np.diff(path, 2)).max()) if len(path) > 2 else float(np.abs(np.diff(path)).max())
        bounds = (0.0, *(multiple * bend for multiple in self.question.honest))
        for bound, (low, high) in zip(bounds, smoothness(leads, bounds, confidence), strict=True):
            tables["honest"].append(
                (self.outcome, words, "smoothness", bound, low, high, not low <= 0 <= high)
            )
