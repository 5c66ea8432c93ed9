"""An effect from what a differentially private release measured; its interval takes the noise into account.

Exposure and outcome are yes or no: whether a person holds an attribute of the release. The effect is standardised over
the combinations of the confounders' levels, as far as the release counts combinations that long. Risks are smooth
functions of the crossed table (`hrtech.release.crossed`), whose noise has a known covariance Σ: the variance is
g'Σg + Σ g²·count, noise and sampling together (delta method; the effect does not change with the total, so Poisson and
multinomial counts give the same). A ratio of noisy counts is biased to second order, tr(HΣ)/2, which is taken off.

Refused: exposure, outcome and confounders that the release does not count together, and arms too small for the noise,
where such a ratio is neither unbiased nor normal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.causal.question import Direction, EffectError
from hrtech.causal.sensitivity import e_value
from hrtech.release.crossed import Crossed, Level, cross
from hrtech.release.declared import Attribute, ReleaseColumn
from hrtech.release.measured import Measured

Floats = NDArray[np.float64]

#: Fewest people, and times the noise, in each arm of each combination of confounders' levels.
FEWEST: Final = 20.0
TIMES_NOISE: Final = 8.0
#: A ratio is told where both risks are this many standard errors above zero.
_RATIO_FROM: Final = 4.0

#: A column (all its values), a column with some of its values, or one attribute that is held or not.
Confounder = str | tuple[str, tuple[str, ...]] | Attribute


@dataclass(frozen=True)
class ReleasedQuestion:
    """What is asked of a release.

    Attributes:
        hypothesis: The claim in words.
        exposure: Column and value.
        outcome: Column and value.
        confounders: Causes of both: a column of one value each, the same with the values that are asked about, or an
            attribute that is held or not.
        direction: What the claim expects of the outcome.
        confidence: Coverage of the intervals.
    """

    hypothesis: str
    exposure: Attribute
    outcome: Attribute
    confounders: tuple[Confounder, ...] = ()
    direction: Direction = "changes"
    confidence: float = 0.95


@dataclass(frozen=True)
class ReleasedEffect:
    """The answer.

    Attributes:
        effect: `measure, estimate, low, high, std_error, sampling_sd, noise_sd, people, confidence, e_value,
            e_value_limit, verdict`: risk_difference (the headline), risk_ratio where it can be told, risk_exposed,
            risk_unexposed, and unadjusted.
        strata: One row a combination of confounders' levels and exposure: `stratum, exposure, people, people_sd,
            with_outcome, risk`; noisy counts.
        variables: `variable, role, levels`.
        notes: `note`: what a reader must know.
    """

    effect: pd.DataFrame
    strata: pd.DataFrame
    variables: pd.DataFrame
    notes: pd.DataFrame


def released_effect(
    measured: Measured, question: ReleasedQuestion, synthetic: pd.DataFrame | None = None
) -> ReleasedEffect:
    """Estimate the effect.

    Args:
        measured: What the release measured.
        question: The question.
        synthetic: The release's synthetic people, which say what bounding took away; see `hrtech.release.crossed`.

    Raises:
        EffectError: The release cannot answer it; says which setting, and what would.
        hrtech.release.declared.ReleaseError: What is asked cannot be crossed.
    """
    columns = {column.name: column for column in measured.schema.columns}
    factors = [_confounder(columns, one) for one in question.confounders]
    factors += [
        _yes_no(columns, question.exposure, "exposure"),
        _yes_no(columns, question.outcome, "outcome"),
    ]
    _check_length(measured, question, len(factors))
    crossed = cross(measured, factors, synthetic)
    table = crossed.counts.reshape(-1, 2, 2)
    people, people_sd = _arms(crossed)
    strata = _strata(factors[:-2], table, people, people_sd)
    _check_arms(strata, question)
    found = _estimated(table, crossed.covariance, adjusted=True)
    plain = _estimated(table, crossed.covariance, adjusted=False)
    effect = _effect_table(found, plain, float(table.sum()), question)
    variables = pd.DataFrame(
        [
            {"variable": _words(one), "role": role, "levels": "; ".join(level.name for level in levels)}
            for one, role, levels in zip(
                [*question.confounders, question.exposure, question.outcome],
                [*["confounder"] * len(question.confounders), "exposure", "outcome"],
                factors,
                strict=True,
            )
        ]
    )
    return ReleasedEffect(
        effect, strata, variables, pd.DataFrame({"note": _notes(measured, crossed, effect)})
    )


def _column(columns: Mapping[str, ReleaseColumn], name: str, setting: str) -> ReleaseColumn:
    if name not in columns:
        raise EffectError(
            f"The release has no column '{name}'. It has {', '.join(columns)} [setting: {setting}]"
        )
    return columns[name]


def _held(columns: Mapping[str, ReleaseColumn], one: Attribute, setting: str) -> Attribute:
    column = _column(columns, one[0], setting)
    if one[1] not in column.attributes:
        raise EffectError(
            f"The release has no value '{one[1]}' of '{one[0]}'. It has {', '.join(column.attributes)} [setting: "
            f"{setting}]"
        )
    return one


def _yes_no(columns: Mapping[str, ReleaseColumn], one: Attribute, setting: str) -> tuple[Level, Level]:
    """Those who do not hold an attribute, and those who do.

    Of a column of one value each, those who do not are those with another value, so that who has none is left out.
    """
    _held(columns, one, setting)
    column = columns[one[0]]
    others = tuple((column.name, value) for value in column.attributes if value != one[1])
    without = f"without {one[1]}"
    no = Level(without, (one,), none=True) if column.multi_valued or not others else Level(without, others)
    return no, Level(one[1], (one,))


def _confounder(columns: Mapping[str, ReleaseColumn], one: Confounder) -> tuple[Level, ...]:
    """Levels of a confounder; who has none of the values of a column is left out."""
    if not isinstance(one, str) and isinstance(one[1], str):
        return _yes_no(columns, (one[0], one[1]), "confounders")
    name = one if isinstance(one, str) else one[0]
    column = _column(columns, name, "confounders")
    if column.multi_valued:
        raise EffectError(
            f"'{name}' holds several values a person, which are no strata. Name one of them, as {{{name}: "
            f"{column.attributes[0] if column.attributes else '…'}}} [setting: confounders]"
        )
    values = column.attributes if isinstance(one, str) else one[1]
    attributes = [_held(columns, (name, str(value)), "confounders") for value in values]
    if len(set(attributes)) < len(attributes):
        raise EffectError(f"A value of '{name}' is named twice. Name it once [setting: confounders]")
    if isinstance(one, str) and len(attributes) == 1:
        return _yes_no(columns, attributes[0], "confounders")
    return tuple(Level(value, ((column_name, value),)) for column_name, value in attributes)


def _check_length(measured: Measured, question: ReleasedQuestion, needed: int) -> None:
    longest = measured.scaling.longest
    if needed > longest:
        raise EffectError(
            f"The release counts combinations of up to {longest} attributes, and exposure, outcome and "
            f"{len(question.confounders)} confounders are {needed}, so that the effect is not in it. Adjust for "
            f"{max(longest - 2, 0)}, or release with reporting_length {needed} [setting: confounders]"
        )


def _arms(crossed: Crossed) -> tuple[Floats, Floats]:
    """People in each stratum and arm, and the noise in them; shape (strata, 2)."""
    people: Floats = crossed.counts.reshape(-1, 2, 2).sum(axis=2)
    both = crossed.covariance.reshape(people.size, 2, people.size, 2).sum(axis=(1, 3))
    return people, np.sqrt(np.diag(both)).reshape(people.shape)


def _strata(
    confounders: Sequence[Sequence[Level]], table: Floats, people: Floats, people_sd: Floats
) -> pd.DataFrame:
    names = [""]
    for levels in confounders:
        names = [f"{before}, {level.name}".removeprefix(", ") for before in names for level in levels]
    return pd.DataFrame(
        {
            "stratum": [name or "all" for name in names for _ in range(2)],
            "exposure": ["unexposed", "exposed"] * len(names),
            "people": people.ravel(),
            "people_sd": people_sd.ravel(),
            "with_outcome": table[:, :, 1].ravel(),
            "risk": (table[:, :, 1] / np.where(people > 0, people, np.nan)).ravel(),
        }
    )


def _check_arms(strata: pd.DataFrame, question: ReleasedQuestion) -> None:
    few = strata[strata["people"] < np.maximum(TIMES_NOISE * strata["people_sd"], FEWEST)]
    if len(few):
        told = "; ".join(f"{row.stratum} ({row.exposure})" for row in few.head(4).itertuples())
        more = f" and {len(few) - 4} more" if len(few) > 4 else ""
        raise EffectError(
            f"Fewer than {FEWEST:g} people, or fewer than {TIMES_NOISE:g} times the noise, are in: {told}{more}. An "
            "interval would not cover. Adjust for less, name the values of a confounder that are asked about, or "
            f"release with a larger budget [setting: {'confounders' if question.confounders else 'exposure'}]"
        )


@dataclass(frozen=True)
class _Found:
    """Risks of the unexposed and the exposed, with the covariance of both that sampling and noise give."""

    risks: Floats
    sampling: Floats
    noise: Floats


def _estimated(table: Floats, covariance: Floats, *, adjusted: bool) -> _Found:
    """Risks of both arms, standardised over all strata or as they are."""
    if not adjusted:
        into = np.tile(np.eye(4), (1, len(table)))
        return _estimated(table.sum(axis=0, keepdims=True), into @ covariance @ into.T, adjusted=True)
    cells = table.ravel()
    slopes = _slopes(table)
    risks = _risks(cells) - _bias(_risks, cells, covariance)
    return _Found(risks, (slopes * np.maximum(cells, 0)) @ slopes.T, slopes @ covariance @ slopes.T)


def _risks(cells: Floats) -> Floats:
    """Standardised risks of the unexposed and the exposed from cells of strata × exposure × outcome."""
    table = cells.reshape(-1, 2, 2)
    people = table.sum(axis=2)
    share = people.sum(axis=1) / people.sum()
    out: Floats = share @ (table[:, :, 1] / people)
    return out


def _slopes(table: Floats) -> Floats:
    """Derivatives of both risks by every cell; shape (2, cells)."""
    people = table.sum(axis=2)
    total = people.sum()
    share = people.sum(axis=1) / total
    risk = table[:, :, 1] / people
    standard = share @ risk
    out = np.zeros((2, *table.shape))
    for arm in (0, 1):
        out[arm] += ((risk[:, arm] - standard[arm]) / total)[:, None, None]
        for outcome in (0, 1):
            out[arm, :, arm, outcome] += share * (outcome - risk[:, arm]) / people[:, arm]
    return out.reshape(2, -1)


def _bias(function: Callable[[Floats], Floats], at: Floats, covariance: Floats) -> Floats:
    """Mean of a function around a point less its value there, to second order in the noise."""
    sizes, directions = np.linalg.eigh(covariance)
    middle = function(at)
    bias = np.zeros_like(middle)
    for size, direction in zip(sizes, directions.T, strict=True):
        if size > 1e-9 * max(float(sizes[-1]), 1e-9):
            # a tenth of a standard deviation: all terms of the expansion but the second vanish
            step = 0.1 * np.sqrt(size) * direction
            bias += (function(at + step) + function(at - step) - 2 * middle) / (2 * 0.1**2)
    return bias


def _effect_table(found: _Found, plain: _Found, people: float, question: ReleasedQuestion) -> pd.DataFrame:
    from scipy import stats

    quantile = float(stats.norm.ppf(0.5 + question.confidence / 2))
    difference = np.array([-1.0, 1.0])

    def row(measure: str, estimate: float, weights: Floats, of: _Found, *, log: bool = False) -> dict:
        sampling, noise = (float(weights @ each @ weights) for each in (of.sampling, of.noise))
        error = float(np.sqrt(sampling + noise))
        half = quantile * error
        low, high = estimate - half, estimate + half
        ends = [float(np.exp(value)) if log else float(value) for value in (estimate, low, high)]
        return {
            "measure": measure, "estimate": ends[0], "low": ends[1], "high": ends[2], "std_error": error,
            "sampling_sd": float(np.sqrt(sampling)), "noise_sd": float(np.sqrt(noise)), "people": round(people),
            "confidence": question.confidence,
        }  # fmt: skip

    rows = [
        row("risk_difference", float(difference @ found.risks), difference, found),
        row("risk_exposed", float(found.risks[1]), np.array([0.0, 1.0]), found),
        row("risk_unexposed", float(found.risks[0]), np.array([1.0, 0.0]), found),
        row("unadjusted", float(difference @ plain.risks), difference, plain),
    ]
    errors = np.array([rows[2]["std_error"], rows[1]["std_error"]])
    if (found.risks > _RATIO_FROM * errors).all():
        # standard deviations of a ratio are those of its logarithm
        ratio = float(np.log(found.risks[1] / found.risks[0]))
        rows.insert(1, row("risk_ratio", ratio, difference / found.risks, found, log=True))
        rows[1] |= _explained_away(rows[1])
    out = pd.DataFrame(rows).reindex(columns=[*rows[0], "e_value", "e_value_limit"])
    return out.assign(verdict=_verdict(rows[0]["low"], rows[0]["high"], question.direction))


def _explained_away(ratio: Mapping[str, float]) -> dict[str, float]:
    """E-values of a ratio and of the end of its interval nearer 1."""
    low, high = ratio["low"], ratio["high"]
    near = 1.0 if low <= 1 <= high else low if low > 1 else high
    return {"e_value": e_value(ratio["estimate"]), "e_value_limit": e_value(near)}


def _verdict(low: float, high: float, direction: Direction) -> str:
    if low <= 0 <= high:
        return "the interval holds no effect"
    rises = low > 0
    if direction == "changes":
        return "a difference in favour of the claim"
    return f"a difference {'in favour of' if rises == (direction == 'increases') else 'against'} the claim"


def _words(one: Confounder) -> str:
    if isinstance(one, str):
        return one
    return f"{one[0]}: {one[1] if isinstance(one[1], str) else ' or '.join(one[1])}"


def _notes(measured: Measured, crossed: Crossed, effect: pd.DataFrame) -> list[str]:
    notes = [
        "Computed from noisy measurements alone: nobody's record was read for it, and it cost no privacy.",
        "The interval takes sampling and the noise for privacy into account. It does not know of causes that were not "
        "adjusted for, and a release tells of few at a time.",
    ]
    if "risk_ratio" not in set(effect["measure"]):
        notes.append("A risk is too near zero for its noise, so that no ratio is told.")
    if np.abs(crossed.put_back).max() > 0:
        notes.append(
            f"Bounding took combinations of about {measured.lost:.0f} people away; they were put back where synthetic "
            "people lose them."
        )
    left_out = 1 - crossed.counts.sum() / max(measured.people, 1.0)
    if left_out > 0.005:
        notes.append(
            f"About {100 * left_out:.0f} % of the people are left out: a value is blank or not asked about."
        )
    return notes
