"""Tables for causal questions in the mock world: a panel with an intervention, and a questionnaire.

Belongs here: data whose causal effects are known. The panel's rates are additive in region and month, so that
difference-in-differences identifies the effect. In the questionnaire exposure and outcomes depend on the same
seven covariates; `called_helpline` lies on the path from exposure to outcome and `interviewed_twice` depends on
both exposure and outcome: neither may be adjusted for.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hrtech.mock import places
from hrtech.mock.common import FIRST_MONTH, MONTHS, Streams, dates, draw, ids, labels, logistic, text

TREATED_REGIONS = 6
EDUCATION = ("None", "Primary", "Secondary", "Tertiary")


def make_panel(streams: Streams, *, planted: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw monthly reports by region; six regions come under an intervention in the same month.

    Treated regions had higher rates before, which a comparison of levels mistakes for an effect.

    Returns:
        The panel, and the truth: `region`, `month` (treated cells), `effect` on reports per 100,000 people
        (zero when nothing is planted).
    """
    rng = streams("panel/base")
    n = len(places.REGION_NAMES)
    population = np.round(np.exp(rng.normal(13.6, 0.5, n)), -2)
    level = rng.uniform(6, 14, n)
    treated = np.zeros(n, dtype=bool)
    treated[np.argsort(-(level + rng.normal(0, 2.5, n)))[:TREATED_REGIONS]] = True
    start = int(rng.integers(22, 28))
    month = np.arange(MONTHS)
    common = 1.2 * np.sin(2 * np.pi * month / 12) + np.cumsum(rng.normal(0, 0.25, MONTHS))
    common -= common.min()
    since = month - start + 1
    effect = np.outer(treated * rng.uniform(2.2, 3.4, n), np.clip(since / 3.0, 0, 1)) * planted
    rate = level[:, None] + common[None, :] + effect
    reports = streams("panel/reports").poisson(rate * population[:, None] / 1e5)
    days = (FIRST_MONTH + month).astype("datetime64[D]")
    region = np.repeat(np.array(places.REGION_NAMES, dtype=object), MONTHS)
    under = (treated[:, None] & (since > 0)[None, :]).ravel()
    panel = pd.DataFrame(
        {
            "region": text(region),
            "month": dates(np.tile(days, n)),
            "reports": pd.array(reports.ravel(), dtype="Int64"),
            "population": pd.array(np.repeat(population, MONTHS).astype(np.int64), dtype="Int64"),
            "treated": pd.array(under.astype(np.int64), dtype="Int64"),
            "intervention_month": dates(np.full(n * MONTHS, days[start]), np.repeat(~treated, MONTHS)),
        }
    )
    truth = panel.loc[under, ["region", "month"]].reset_index(drop=True)
    return panel, truth.assign(effect=effect.ravel()[under])


def make_questionnaire(
    streams: Streams, count: int, *, planted: bool, confounding: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a questionnaire in which awareness of a helpline changes two outcomes by a known amount.

    Args:
        streams: Random streams of the world.
        count: Respondents.
        planted: Whether the exposure has an effect.
        confounding: Whether the exposure depends on the covariates (if not, it is as good as randomised).

    Returns:
        The questionnaire, and the truth: `outcome`, `estimand` (`ATE`, `ATT`, of these respondents),
        `effect` (difference in probability, or in months).
    """
    rng = streams("questionnaire/base")
    region = rng.choice(12, size=count)
    woman = rng.random(count) < 0.58
    age = np.clip(np.round(rng.gamma(9, 3.4, count)), 16, 75)
    education = draw(
        rng, np.array([-1.0, 0.2, 0.5, -0.6]) + 0.25 * (age[:, None] < 30) * np.array([-1, -0.5, 0.5, 1])
    )
    debt = rng.random(count) < logistic(0.2 - 0.45 * education)
    distance = np.round(rng.gamma(1.8, 14, count), 1)
    trust = np.clip(np.round(5.2 + 0.4 * education - 0.9 * debt + rng.normal(0, 1.8, count)), 0, 10)
    remote = np.array([-0.5, -0.3, 0, 0, 0.2, 0.4, -0.2, 0.1, 0.3, -0.4, 0.2, 0.2])[region]
    dose = streams("questionnaire/exposure")
    score = (
        -0.35 + 0.35 * (education - 1.5) + 0.25 * (trust - 5) - 0.02 * (distance - 25) - 0.3 * debt - remote
    )
    score = (
        np.clip(score + 0.3 * woman - 0.01 * (age - 30), -2.4, 2.4) if confounding else np.full(count, -0.2)
    )
    aware = dose.random(count) < logistic(score)
    # called_helpline is the path of part of the effect
    dice = streams("questionnaire/outcomes")
    calling = {a: logistic(-2.0 + 1.6 * a + 0.1 * (trust - 5)) for a in (0, 1)}
    called = dice.random(count) < np.where(aware, calling[1], calling[0])
    risk = (
        -0.9
        + 0.2 * (trust - 5)
        - 0.014 * (distance - 25)
        + 0.3 * woman
        - 0.5 * debt
        + 0.2 * (education - 1.5)
        - remote
    )
    direct, by_call = (0.55, 0.9) if planted else (0.0, 0.0)

    def probability(a: int | np.ndarray, called_chance: np.ndarray) -> np.ndarray:
        return (1 - called_chance) * logistic(risk + direct * a) + called_chance * logistic(
            risk + direct * a + by_call
        )

    sought = dice.random(count) < probability(aware.astype(int), called.astype(float))
    gain = (probability(1, calling[1]) - probability(0, calling[0])) * planted
    stay = (
        32.0
        + 4.5 * debt
        - 0.9 * (trust - 5)
        + 0.05 * (distance - 25)
        + 3.0 * remote
        - 0.8 * (education - 1.5)
    )
    per_person = (-2.2 - 1.2 * woman) * planted
    months = np.round(stay + per_person * aware + dice.normal(0, 4, count), 1)
    twice = dice.random(count) < logistic(-1.5 + 0.8 * aware + 1.0 * sought)
    frame = pd.DataFrame(
        {
            "respondent_id": text(ids("S", count)),
            "age": pd.array(age.astype(np.int64), dtype="Int64"),
            "gender": text(np.where(woman, "Female", "Male")),
            "education": text(labels(education, EDUCATION)),
            "region": text(labels(region, places.REGION_NAMES)),
            "debt_before": pd.array(debt.astype(np.int64), dtype="Int64"),
            "distance_km": distance,
            "trust": pd.array(trust.astype(np.int64), dtype="Int64"),
            "helpline_awareness": pd.array(aware.astype(np.int64), dtype="Int64"),
            "called_helpline": pd.array(called.astype(np.int64), dtype="Int64"),
            "sought_help": pd.array(sought.astype(np.int64), dtype="Int64"),
            "months_in_exploitation": months,
            "interviewed_twice": pd.array(twice.astype(np.int64), dtype="Int64"),
        }
    )
    effects = {"sought_help": gain, "months_in_exploitation": per_person}
    rows = [
        (outcome, estimand, float(effect[rows].mean()))
        for outcome, effect in effects.items()
        for estimand, rows in (("ATE", slice(None)), ("ATT", aware))
    ]
    truth = pd.DataFrame(
        {
            "outcome": text([r[0] for r in rows]),
            "estimand": text([r[1] for r in rows]),
            "effect": [r[2] for r in rows],
        }
    )
    return frame, truth
