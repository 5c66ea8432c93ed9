"""What would change one's mind about a block estimate: placebos in time, donors left out, conformal tests.

Sources: Abadie, Diamond and Hainmueller (2010, 2015) for placebos and leave-one-out; Chernozhukov, Wüthrich and Zhu,
An exact and robust conformal inference method for counterfactual and synthetic controls, JASA 2021.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hrtech.causal.events.block import Block, Method, fit_block, unit_weights
from hrtech.causal.events.inference import combined, placebos
from hrtech.causal.events.windows import Window

_LIGHT = 1e-6
#: Donors that are left out in turn, at most: the heaviest.
_MOST_LEFT_OUT = 100


def rank_p(effect: float, others: np.ndarray) -> float:
    """Share of effects at least as large, the real one counted: never 0."""
    return float((1 + (np.abs(others) >= abs(effect) * (1 - 1e-12)).sum()) / (1 + len(others)))


def fit_before(window: Window, gaps: np.ndarray) -> np.ndarray:
    """Root mean square of levelled gaps before the event, (K,)."""
    past = gaps[:, : window.before]
    return np.sqrt(((past - past.mean(axis=1, keepdims=True)) ** 2).mean(axis=1))


def fit_after(window: Window, gaps: np.ndarray) -> np.ndarray:
    """Root mean square of gaps from the event on, measured from the mean gap before, (K,)."""
    level = gaps[:, : window.before].mean(axis=1, keepdims=True)
    return np.sqrt(((gaps[:, window.before :] - level) ** 2).mean(axis=1))


def moved_back(windows: Sequence[Window], fewest: int, most: int = 5) -> list[tuple[int, list[Window]]]:
    """Windows cut off at the event, with an event made up earlier: `(periods earlier, windows)`.

    Each keeps at least `fewest` periods before the made-up event; at most `most` dates, spread out.
    """
    room = min(window.before for window in windows) - fewest
    if room < 1:
        return []
    steps = sorted({int(step) for step in np.linspace(1, room, min(most, room)).round()})
    found = []
    for step in steps:
        cut = [
            replace(
                window,
                outcomes=window.outcomes[:, : window.before],
                before=window.before - step,
                since=np.arange(window.before) - (window.before - step),
                periods=window.periods[: window.before],
            )
            for window in windows
        ]
        found.append((step, cut))
    return found


def placebo_in_time(
    windows: Sequence[Window], method: Method, fewest: int, draws: int, rng: np.random.Generator
) -> list[tuple[int, float, float, float]]:
    """Effects of made-up earlier events: `(periods earlier, effect, standard error, p by rank in space)`."""
    rows = []
    for step, cut in moved_back(windows, fewest):
        effect = float(combined(cut, [window.fit(method) for window in cut])[0])
        others = placebos(cut, method, draws, rng)
        if others is None:
            rows.append((step, effect, float("nan"), float("nan")))
        else:
            rows.append((step, effect, float(others.effects.std()), rank_p(effect, others.effects)))
    return rows


def leave_one_donor_out(windows: Sequence[Window], method: Method) -> list[tuple[int, float, float]]:
    """Overall effect without each donor that has weight: `(unit, its mean weight, effect)`, heaviest first."""
    weight = np.sum([window.weight * window.fit(method).unit_weights[0] for window in windows], axis=0)
    heavy = np.argsort(-weight, kind="stable")[:_MOST_LEFT_OUT]
    heavy = np.sort(heavy[weight[heavy] > _LIGHT])
    heavy = np.array(
        [unit for unit in heavy if all((w.donors.sum() - w.donors[unit]) > 0 for w in windows)], dtype=int
    )
    if not len(heavy):
        return []
    fits = []
    for window in windows:
        donors = np.repeat(window.donors[None], len(heavy), axis=0)
        donors[np.arange(len(heavy)), heavy] = False
        treated = np.repeat(window.treated[None].astype(float), len(heavy), axis=0)
        fits.append(fit_block(window.block(treated, donors), method))
    effects = combined(windows, fits)
    order = np.argsort(-weight[heavy], kind="stable")
    return [(int(heavy[at]), float(weight[heavy[at]]), float(effects[at])) for at in order]


def conformal_p(
    window: Window, method: Method, treated: np.ndarray, moves: np.ndarray | None = None
) -> np.ndarray:
    """Test that the event did nothing, or moved the outcome by a constant, for K treated means.

    The counterfactual is fitted to all periods under the null; the size of the mean residual after the event
    is compared with that of every cyclic shift of the residuals, so that serial correlation is kept. The smallest
    p possible is one over the number of periods.

    Args:
        window: The window.
        method: How the counterfactual is made.
        treated: (K, N) who is in each treated mean, as counts.
        moves: (K,) effect under the null; None: 0.

    Returns:
        (K,) p values.
    """
    count, units = treated.shape
    periods = len(window.since)
    after = periods - window.before
    size = treated.sum(axis=1)
    # the null's path of each treated mean stands in as one further unit
    paths = treated @ window.outcomes / size[:, None]
    if moves is not None:
        paths[:, window.before :] -= np.asarray(moves, dtype=float)[:, None]
    outcomes = np.vstack([window.outcomes, paths])
    share = np.hstack([np.zeros((count, units)), np.eye(count)])
    donors = np.hstack(
        [np.repeat(window.donors[None].astype(float), count, axis=0), np.zeros((count, count))]
    )
    residual = null_residuals(Block(outcomes, periods, share, donors, size), method, after)
    sums = np.cumsum(np.hstack([np.zeros((count, 1)), residual, residual]), axis=1)
    totals = np.abs(
        sums[:, after : after + periods] - sums[:, :periods]
    )  # every cyclic run of `after` periods
    real = totals[:, window.before]
    return (totals >= real[:, None] * (1 - 1e-9)).mean(axis=1)


def null_residuals(block: Block, method: Method, after: int) -> np.ndarray:
    """Residuals when every period of the block counts as past, (K, T); `after` sets the ridge of synthetic DiD."""
    weights, _ = unit_weights(block, method, horizon=after)
    raw = block.treated @ block.outcomes - weights @ block.outcomes
    return raw if method == "synthetic_control" else raw - raw.mean(axis=1, keepdims=True)
