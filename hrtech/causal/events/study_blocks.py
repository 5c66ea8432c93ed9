"""The tables of difference-in-differences, synthetic control and synthetic DiD for one outcome."""

from dataclasses import dataclass, field

import numpy as np

from hrtech.causal.events.block import Fit, Method
from hrtech.causal.events.inference import (
    Placebos,
    choose_interval,
    combined,
    placebos,
    standard_error,
)
from hrtech.causal.events.panel import Panel
from hrtech.causal.events.question import EventQuestion
from hrtech.causal.events.robustness import (
    conformal_p,
    fit_after,
    fit_before,
    leave_one_donor_out,
    placebo_in_time,
    rank_p,
)
from hrtech.causal.events.windows import Window, make_windows

_LIGHT = 1e-6
_EXACT = 1e-6
_LONG_LISTS = 2000


@dataclass(frozen=True)
class Answer:
    """An overall effect.

    Attributes:
        estimate: Mean effect on the treated.
        std_error: Not a number where no procedure can be carried out.
        low: Lower end of the interval.
        high: Upper end.
        interval: Procedure.
        p: Two-sided, of no effect.
    """

    estimate: float
    std_error: float
    low: float
    high: float
    interval: str
    p: float


def answer(estimate: float, error: float, confidence: float, interval: str, df: float = np.inf) -> Answer:
    """Normal or t interval and p value."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    tail = 0.5 + confidence / 2
    wide = float(ndtri(tail) if np.isinf(df) else stdtrit(df, tail)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        z = abs(np.divide(estimate, error))
    p = float(2 * (ndtr(-z) if np.isinf(df) else stdtr(df, -z))) if np.isfinite(error) else float("nan")
    return Answer(estimate, error, estimate - wide, estimate + wide, interval, p)


@dataclass(frozen=True)
class BlockStudy:
    """Windows of a panel and what each method finds in them."""

    panel: Panel
    question: EventQuestion
    outcome: str
    windows: list[Window]
    how: str
    known: dict[Method, Placebos | None] = field(default_factory=dict)

    @classmethod
    def of(cls, panel: Panel, question: EventQuestion, outcome: str) -> "BlockStudy":
        """Cut the windows and choose the procedure."""
        windows = make_windows(panel, question)
        return cls(panel, question, outcome, windows, choose_interval(windows, question.interval))

    def rng(self) -> np.random.Generator:
        """Random numbers that do not depend on what was computed before."""
        return np.random.default_rng(self.question.seed)

    def fits(self, method: Method) -> list[Fit]:
        """The windows' own estimates."""
        return [window.fit(method) for window in self.windows]

    def stand_ins(self, method: Method) -> Placebos | None:
        """Placebos in space."""
        if method not in self.known:
            self.known[method] = placebos(self.windows, method, self.question.simulations, self.rng())
        return self.known[method]

    def estimate(self, method: Method, tables: dict[str, list[tuple]]) -> Answer:
        """Overall effect; adds to `estimates` and `event_time`."""
        fits = self.fits(method)
        effect = float(combined(self.windows, fits)[0])
        others = self.stand_ins(method)
        error = standard_error(self.windows, method, self.how, self.question.simulations, self.rng(), others)
        found = answer(effect, error, self.question.confidence, self.how)
        fit = float(sum(w.weight * fit_before(w, f.gaps)[0] for w, f in zip(self.windows, fits, strict=True)))
        p = rank_p(effect, others.effects) if others else np.nan
        note = {
            "none": "no procedure gives a standard error here: too few units",
            "placebo": "assumes that noise is alike in treated and other units",
        }.get(self.how, "")
        if method != "difference_in_differences" and fit < _EXACT * float(self.panel.outcomes.std()):
            note = "; ".join(
                filter(None, [note, "fits the past exactly: too few periods before to judge the fit"])
            )
        tables["estimates"].append(
            (self.outcome, method, effect, error, found.low, found.high, self.how, p, fit, note)
        )
        self._event_time(method, fits, others, tables)
        return found

    def _event_time(
        self, method: Method, fits: list[Fit], others: Placebos | None, tables: dict[str, list[tuple]]
    ) -> None:
        """Mean gap by periods since the event, with the spread of placebos."""
        from scipy.special import ndtri

        times = sorted({int(t) for window in self.windows for t in window.since})
        for time in times:
            at = [
                (w, f, int(np.flatnonzero(w.since == time)[0]), n)
                for n, (w, f) in enumerate(zip(self.windows, fits, strict=True))
                if time in w.since
            ]
            size = sum(float(w.treated.sum()) for w, *_ in at)
            gap = sum(float(w.treated.sum()) * f.gaps[0, place] for w, f, place, _ in at) / size
            error = low = high = np.nan
            if others is not None:
                moved = (
                    sum(float(w.treated.sum()) * others.fits[n].gaps[:, place] for w, _, place, n in at)
                    / size
                )
                error = float(np.std(moved))
                wide = float(ndtri(0.5 + self.question.confidence / 2)) * error
                low, high = gap - wide, gap + wide
            tables["event_time"].append((self.outcome, method, time, gap, error, low, high, np.nan, np.nan))

    def detail(self, method: Method, tables: dict[str, list[tuple]]) -> None:
        """Series, weights, units, placebos and donors left out, of one method."""
        others = self.stand_ins(method)
        fits = self.fits(method)
        for place, (window, fit) in enumerate(zip(self.windows, fits, strict=True)):
            self._series(method, window, fit, others.fits[place] if others else None, tables)
            self._weights(method, window, fit, tables)
        self._units(method, tables)
        if others is not None:
            self._placebos(method, others, tables)
        for unit, weight, effect in leave_one_donor_out(self.windows, method):
            tables["leave_one_out"].append((self.outcome, method, self.panel.units[unit], weight, effect))

    def cohort(self, window: Window) -> str:
        """The window's event in words."""
        return str(self.panel.periods[window.periods[window.before]])

    def _series(
        self, method: Method, window: Window, fit: Fit, others: Fit | None, tables: dict[str, list[tuple]]
    ) -> None:
        tail = (1 - self.question.confidence) / 2
        band = (
            np.full((2, len(window.since)), np.nan)
            if others is None
            else np.quantile(others.gaps, [tail, 1 - tail], axis=0)
        )
        path = window.outcomes[window.treated].mean(axis=0)
        for place, period in enumerate(window.periods):
            tables["series"].append(
                (
                    self.outcome, method, self.cohort(window), str(self.panel.periods[period]),
                    int(window.since[place]), path[place], fit.counterfactual[0, place], fit.gaps[0, place],
                    band[0, place], band[1, place],
                )
            )  # fmt: skip

    def _weights(self, method: Method, window: Window, fit: Fit, tables: dict[str, list[tuple]]) -> None:
        named = (
            ("donor", self.panel.units, fit.unit_weights[0]),
            ("period", self.panel.periods[window.periods[: window.before]], fit.time_weights[0]),
        )
        for kind, names, weights in named:
            order = np.argsort(-weights, kind="stable") if kind == "donor" else np.arange(len(weights))
            for at in order:
                if weights[at] > _LIGHT:
                    tables["weights"].append(
                        (self.outcome, method, self.cohort(window), kind, str(names[at]), weights[at])
                    )

    def _units(self, method: Method, tables: dict[str, list[tuple]]) -> None:
        """Each treated unit alone, against the donors of its window; multiplicity by Holm."""
        rows = []
        for window in self.windows:
            treated, pool = np.flatnonzero(window.treated), np.flatnonzero(window.donors)
            if len(pool) > self.question.simulations:
                pool = np.sort(self.rng().choice(pool, self.question.simulations, replace=False))
            each = np.eye(len(window.treated))
            fit_own = _batch(
                window, method, each[treated], np.repeat(window.donors[None], len(treated), axis=0)
            )
            others = None
            if len(pool) > 1:
                without = np.repeat(window.donors[None], len(pool), axis=0)
                without[np.arange(len(pool)), pool] = False
                others = _batch(window, method, each[pool], without)
            fit = fit_before(window, fit_own.gaps)
            conformal = conformal_p(window, method, each[treated])
            for place, unit in enumerate(treated):
                effect = float(fit_own.effects[place])
                p = rank_p(effect, others.effects) if others else np.nan
                adopted = str(self.panel.periods[self.panel.adopted[unit]])
                rows.append((unit, adopted, effect, float(fit[place]), p, float(conformal[place])))
        adjusted = holm([row[4] for row in rows])
        for row, p in zip(rows, adjusted, strict=True):
            tables["unit_effects"].append((self.outcome, method, self.panel.units[row[0]], *row[1:], p))

    def _placebos(self, method: Method, others: Placebos, tables: dict[str, list[tuple]]) -> None:
        pairs = list(zip(self.windows, others.fits, strict=True))
        before = np.sum([w.weight * fit_before(w, f.gaps) for w, f in pairs], axis=0)
        after = np.sum([w.weight * fit_after(w, f.gaps) for w, f in pairs], axis=0)
        for place, group in enumerate(others.groups[:_LONG_LISTS]):
            name = ", ".join(str(unit) for unit in self.panel.units[group > 0])
            tables["placebos"].append(
                (self.outcome, method, name, others.effects[place], float(before[place]), float(after[place]))
            )

    def checks(self, method: Method, found: Answer, tables: dict[str, list[tuple]]) -> None:
        """Placebos in time and donors left out."""
        from scipy.special import ndtr

        alpha = 1 - self.question.confidence
        moved = placebo_in_time(
            self.windows, method, self.question.min_before, self.question.simulations, self.rng()
        )
        adjusted = holm([row[3] for row in moved])
        for (step, effect, error, _), p in zip(moved, adjusted, strict=True):
            z = abs(effect) / error if error else np.nan
            own = min(1.0, 2 * float(ndtr(-z)) * len(moved)) if np.isfinite(z) else np.nan
            worse = p if np.isnan(own) else own if np.isnan(p) else max(p, own)
            tables["checks"].append(
                (
                    self.outcome, f"placebo in time: {step} periods earlier", effect, worse,
                    bool(np.isnan(worse) or worse >= alpha),
                    "An event made up before the real one should show nothing.",
                )
            )  # fmt: skip
        left = [row[4] for row in tables["leave_one_out"] if row[0] == self.outcome and row[1] == method]
        if left:
            same = all(np.sign(effect) == np.sign(found.estimate) for effect in left)
            furthest = max(left, key=lambda effect: abs(effect - found.estimate))
            tables["checks"].append(
                (
                    self.outcome, "leave one donor out: furthest", furthest, np.nan, bool(same),
                    "No single donor should decide the direction of the effect.",
                )
            )  # fmt: skip

    def conformal(self, method: Method) -> float:
        """Conformal p value of no effect on the treated mean; not a number with several windows."""
        if len(self.windows) > 1:
            return float("nan")
        return float(conformal_p(self.windows[0], method, self.windows[0].treated[None].astype(float))[0])


def _batch(window: Window, method: Method, treated: np.ndarray, donors: np.ndarray) -> Fit:
    from hrtech.causal.events.block import fit_block

    return fit_block(window.block(treated, donors), method)


def holm(values: list[float]) -> list[float]:
    """Holm's adjusted p values (1979); unknown ones stay unknown and do not count."""
    p = np.asarray(values, dtype=float)
    known = np.flatnonzero(~np.isnan(p))
    out = np.full(len(p), np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(scaled), 1) if len(order) else []
    return [float(value) for value in out]
