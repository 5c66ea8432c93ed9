"""EffectStudy: intervals that cover, refusal without overlap, the curve, LaLonde's data, and private input.

Seeds that learners and rules were set on: 0 to 19, 1000 to 1059, 2000 to 2059 of a generator of six of the cases; for
overlap 0 to 14, 100 to 139, 200 to 239 and 100,000 to 200,019. `--seed 1` draws from 300,000 on. The peer of 5.1 is
ShowWhy's default: percentile intervals from five bootstrap replicates of linear regression. Coverage is that of `aipw`
as a study runs it; the refusal rule is not applied there, and what it would have refused is told. `--only 5.1,5.2` runs
some ids, `--cases linear,unseen` some cases of 5.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from harness import Figure, arguments, tell  # first: it fixes the threads

# isort: split
from effect_study_cases import ADJUSTERS, COVERAGE, SHAPES, Case, gaping, overlapping
from effect_study_curve import figures as curve_figures
from effect_study_private import figures as private_figures
from scipy.stats import binomtest

from hrtech.causal import EffectError, EffectQuestion, estimate_effect
from hrtech.causal.classical import effects
from hrtech.causal.design import Design, make_design
from hrtech.causal.estimators import estimate
from hrtech.causal.overlap import check_overlap

_ROWS = 2_000
_REPLICATES = 5
_ALPHA = 0.01
_SIZES = {"small": (20, 20), "full": (500, 200)}
_LALONDE = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")


@dataclass(frozen=True)
class _Fit:
    covered: bool
    peer: bool
    refused: bool


def share(
    id: str, name: str, hits: list[bool], target: str, *, least: float, most: float, peer: float | None = None
) -> Figure:
    """One figure, a share, reached where neither bound is rejected at 1 %."""
    count, n = sum(hits), len(hits)
    test = binomtest(count, n)
    found = test.proportion_ci(0.95, method="exact")
    below = binomtest(count, n, least, alternative="less").pvalue < _ALPHA if least > 0 else False
    above = binomtest(count, n, most, alternative="greater").pvalue < _ALPHA if most < 1 else False
    ratio = round(count / n / peer, 3) if peer else None
    return Figure(
        id, name, round(count / n, 4), peer, ratio, target, n,
        (round(float(found.low), 4), round(float(found.high), 4)), not (below or above),
    )  # fmt: skip


def _question(case: Case, **more) -> EffectQuestion:
    return EffectQuestion("", "t", "y", confounders=ADJUSTERS, cluster=case.cluster, **more)


def _refused(design: Design, question: EffectQuestion) -> bool:
    try:
        check_overlap(design, question)
    except EffectError:
        return True
    return False


def _five_bootstraps(design: Design, rng: np.random.Generator) -> tuple[float, float]:
    """ShowWhy's interval: the range that five replicates leave, as DoWhy's bootstrap computes it."""
    t, y, x = design.treatment, design.outcome, design.covariates
    whole = effects("linear_regression", t, y, x)[0][0]
    draws = []
    for _ in range(_REPLICATES):
        rows = rng.integers(0, design.n, design.n)
        draws.append(effects("linear_regression", t[rows], y[rows], x[rows])[0][0] - whole)
    return whole - max(draws), whole - min(draws)


def _fit(kind: str, seed: int) -> _Fit:
    rng = np.random.default_rng([seed, list(COVERAGE).index(kind)])
    case = COVERAGE[kind](rng, _ROWS)
    question = _question(case)
    design = make_design(case.frame, question, ADJUSTERS)
    found = estimate("aipw", design, seed=seed)
    low, high = _five_bootstraps(design, rng)
    return _Fit(found.low <= case.truth <= found.high, low <= case.truth <= high, _refused(design, question))


def coverage(repetitions: int, seed: int, kinds: list[str]) -> Iterator[Figure]:
    """5.1."""
    for kind in kinds:
        fits = [_fit(kind, 100_000 * seed + number) for number in range(repetitions)]
        peer = round(float(np.mean([fit.peer for fit in fits])), 3)
        name = f"coverage of 95 % intervals, {kind}, n = {_ROWS:,}"
        yield share("5.1", name, [fit.covered for fit in fits], ".93–.97", least=0.93, most=0.97, peer=peer)
        refused = float(np.mean([fit.refused for fit in fits]))
        yield Figure(
            "5.1", f"{kind}: share that the rule of 5.2 refuses", round(refused, 4), None, None, None,
            len(fits), None, None,
        )  # fmt: skip


def refusals(repetitions: int, seed: int) -> Iterator[Figure]:
    """5.2."""
    for name, make, least, most, target in (
        ("true propensities in [.1, .9]", overlapping, 0.0, 0.02, "≤ 2 %"),
        ("planted non-overlap", gaping, 0.95, 1.0, "≥ 95 %"),
    ):
        for rows in (_ROWS, 500):
            hits = []
            for shape in SHAPES:
                for number in range(repetitions):
                    case = make(np.random.default_rng([100_000 * seed + number, rows]), rows, shape)
                    question = _question(case)
                    hits.append(_refused(make_design(case.frame, question, ADJUSTERS), question))
            one = share("5.2", f"refused: {name}, n = {rows:,}", hits, target, least=least, most=most)
            yield one


def lalonde(seed: int) -> Iterator[Figure]:
    """5.8: the experiment, and the same question with controls of the Current Population Survey."""
    import warnings

    import pandas as pd
    from causaldata import cps_mixtape, nsw_mixtape

    experiment = nsw_mixtape.load_pandas().data
    survey = cps_mixtape.load_pandas().data
    question = EffectQuestion(
        "Training raises earnings", "treat", "re78", "increases", seed=seed,
        outcome_determinants=_LALONDE, estimators=("linear_regression", "aipw"),
    )  # fmt: skip
    arms = experiment.groupby("treat")["re78"].mean()
    plain = float(arms[1] - arms[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = estimate_effect(experiment, question)
    ours = [row for row in caught if "hrtech" in row.filename]
    yield Figure(
        "5.8", "NSW experiment: difference of means, dollars", round(found.naive_difference, 1), round(plain, 1),
        round(found.naive_difference / plain, 6), "≈ 1,794, no warning", found.n, None,
        abs(found.naive_difference - 1794) < 1 and not ours,
    )  # fmt: skip
    for row in found.estimates.itertuples():
        yield Figure(
            "5.8", f"NSW experiment: {row.estimator}", round(row.estimate, 1), 1794.0,
            round(row.estimate / 1794, 3), "the interval covers 1,794", found.n,
            (round(row.low, 1), round(row.high, 1)), bool(row.low <= 1794 <= row.high),
        )  # fmt: skip
    mixed = pd.concat([experiment[experiment["treat"] == 1], survey], ignore_index=True)
    observed = EffectQuestion("", "treat", "re78", confounders=_LALONDE, seed=seed)
    try:
        answer = estimate_effect(mixed, observed)
    except EffectError as error:
        name = f"CPS controls: refused ({str(error).split(':')[0]})"
        yield Figure("5.8", name, None, None, None, "covered or refused", len(mixed), None, True)
        return
    yield Figure(
        "5.8", "CPS controls: aipw", round(answer.estimate, 1), 1794.0, None, "covered or refused", answer.n,
        (answer.low, answer.high), answer.low <= 1794 <= answer.high,
    )  # fmt: skip


def main() -> None:
    """Run every benchmark."""
    asked = arguments(
        __doc__.splitlines()[0], only="ids to run, with commas", cases="cases of 5.1, with commas"
    )
    repetitions, refused = _SIZES[asked.size]
    seed = asked.seed + 2
    kinds = asked.cases.split(",") if asked.cases else list(COVERAGE)
    parts = {
        "5.1": lambda: coverage(repetitions, seed, kinds),
        "5.2": lambda: refusals(refused, seed),
        "5.3": lambda: curve_figures(asked.size, asked.seed),
        "5.8": lambda: lalonde(asked.seed),
        "5.12": lambda: private_figures(asked.size, asked.seed),
    }
    only = asked.only.split(",") if asked.only else list(parts)
    for id, run in parts.items():
        # 5.3 to 5.5 are told together
        if id in only or (id == "5.3" and {"5.4", "5.5"} & set(only)):
            for one in run():
                tell(one)


if __name__ == "__main__":
    main()
