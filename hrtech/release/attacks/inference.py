"""Attribute inference: what a sensitive cell holds, guessed from the others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.facts.frames import rows
from hrtech.release.attacks.neighbours import Pair, nearest_guesses
from hrtech.release.attacks.outcome import ATTACKS, CONFIDENCE, Attack, sample, wilson, z_of
from hrtech.release.comparison import row_ids
from hrtech.release.declared import ReleaseError, ReleaseSchema
from hrtech.release.evaluation import percent


def attribute_inference(
    people: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: ReleaseSchema,
    sensitive: Sequence[str],
    *,
    rng: np.random.Generator,
    known: Sequence[str] | None = None,
    attacks: int = ATTACKS,
    confidence: float = CONFIDENCE,
) -> Attack:
    """Guess a sensitive cell of a person whose other cells are known, from the synthetic records.

    The attacker looks for the synthetic records nearest to what is known (all at the smallest Hamming distance; list
    cells count by their Jaccard distance) and guesses what most of them hold: the generalised correct attribution
    probability (CAP: Taub, Elliot, Pampaka and Smith, PSD 2018; nearest records: Hittmeir, Mayer and Ekelhart, CODASPY
    2020). Cells are guessed whole; that nothing is held is a guess like any other.

    Two baselines. `most_frequent_share`: who has the released one-way counts alone, and always guesses the most
    frequent cell. `others_share`: the same attack with the records of the other people instead of the synthetic ones,
    which knows the population as well as can be and nothing of the person. The gap between the two is what there is to
    learn about the population; `excess`, how far the attack goes beyond the second, is the leak.

    Args:
        people: One row per person, typed as the schema says.
        synthetic: Synthetic records, typed alike. Where these and the people are not equally many, as many of each
            are used.
        schema: The columns.
        sensitive: Columns to guess.
        rng: Chooses the people under attack.
        known: Columns that the attacker knows; None: all but the one to guess.
        attacks: Most people attacked.
        confidence: Of the intervals: Wilson for shares, and for `excess` Bonett and Price (J. Educ. Behav. Stat.
            2012) with the variance of people of equal known cells taken together, and over the whole table at once
            (Bonferroni).

    Returns:
        Table per `column` and `group` of people: `everyone`; `holders` of something in the column; `alone`, whose
        known cells at most one other record shares, among both other people and synthetic records (so that it is as
        likely to be the one as the other, if nothing is repeated). Columns `attacks`; `right_share`, `low`, `high`;
        `attribution`, the mean share of the nearest synthetic records that hold the truth (CAP);
        `most_frequent_share`, `others_share`; `excess`, `excess_low`, `excess_high`.

    Raises:
        ReleaseError: A column is unknown, or there are no two people or no synthetic record.
    """
    names = [c.name for c in schema.columns]
    unknown = sorted({*sensitive, *(known or ())} - set(names))
    if unknown or not sensitive:
        raise ReleaseError(
            f"sensitive, known: no columns of the release: {', '.join(unknown) or 'none named'}"
        )
    pair = Pair.of(people, synthetic, schema, rng)
    targets = sample(len(people), attacks, rng)
    places = [names.index(name) for name in sensitive]
    given = [k for k, name in enumerate(names) if known is None or name in set(known)]
    nobody = np.full(len(targets), -1)
    guess, attribution = nearest_guesses(
        pair.rows, pair.people[targets], pair.synthetic, nobody, given, places
    )
    control, _ = nearest_guesses(
        pair.rows, pair.people[targets], pair.others, pair.own[targets], given, places
    )
    parts = []
    for k, (name, place) in enumerate(zip(sensitive, places, strict=True)):
        truth = pair.people[targets, place]
        usual = np.argmax(np.bincount(pair.synthetic.codes[:, place], weights=pair.synthetic.weight))
        each = pd.DataFrame(
            {
                "right": guess[k] == truth,
                "attribution": attribution[k],
                "usual": usual == truth,
                "others": control[k] == truth,
            }
        )
        others = [g for g in given if g != place]
        each["profile"] = row_ids(pair.people[targets][:, others])
        alone = pair.alike(targets, others) <= 1
        for group, chosen in (("everyone", slice(None)), ("holders", truth > 0), ("alone", alone)):
            parts.append({"column": name, "group": group, **_inference_row(each.loc[chosen], confidence)})
    table = _with_excess(pd.DataFrame(parts), confidence)
    return Attack(table, bool((table["excess_low"] > 0).any()), _inference_says(table))


def _inference_row(each: pd.DataFrame, confidence: float) -> dict[str, float]:
    low, high = wilson(int(each["right"].sum()), len(each), confidence)
    return {
        "attacks": len(each),
        "right_share": each["right"].mean(),
        "low": low,
        "high": high,
        "attribution": each["attribution"].mean(),
        "most_frequent_share": each["usual"].mean(),
        "others_share": each["others"].mean(),
        **_paired(each["right"], each["others"], each["profile"]),
    }


def _paired(one: pd.Series, other: pd.Series, profile: pd.Series) -> dict[str, float]:
    """How often only one of two attacks is right, and for how many people the finding of one speaks.

    People with the same known cells are guessed alike, so the variance is that of sums over them, if it is larger.
    """
    difference = one.astype(int) - other.astype(int)
    alone = float((difference**2).sum())
    together = float((difference.groupby(profile).sum() ** 2).sum())
    return {
        "only_synthetic": int((difference > 0).sum()),
        "only_others": int((difference < 0).sum()),
        "shared": max(together / alone, 1.0) if alone else 1.0,
    }


def _with_excess(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Paired differences of two attacks on the same people (Bonett and Price 2012), together over all rows."""
    n = table["attacks"] / table["shared"]
    one, other = ((table[c] / table["shared"] + 1) / (n + 2) for c in ("only_synthetic", "only_others"))
    width = z_of(1 - (1 - confidence) / len(table)) * np.sqrt((one + other - (one - other) ** 2) / (n + 2))
    return table.drop(columns=["only_synthetic", "only_others", "shared"]).assign(
        excess=table["right_share"] - table["others_share"],
        excess_low=(one - other - width).clip(-1, 1),
        excess_high=(one - other + width).clip(-1, 1),
    )


def _inference_says(table: pd.DataFrame) -> tuple[str, ...]:
    whose = {
        "everyone": "all people",
        "holders": "the people who hold something there",
        "alone": "the people whose known cells hardly anyone shares",
    }
    said = []
    for column, part in table.groupby("column", sort=False):
        groups = rows(part)
        row, worst = groups[0], max(groups, key=lambda group: group["excess_low"])
        said.append(
            f"Knowing other columns, an attacker guesses {column} right for {percent(row['right_share'])} of the "
            f"people with the synthetic records, {percent(row['others_share'])} with the records of other people, "
            f"{percent(row['most_frequent_share'])} by naming what is most frequent. "
            + (
                f"Of {whose[worst['group']]} the synthetic records give away {percent(worst['excess_low'])} to "
                f"{percent(worst['excess_high'])} more than the records of others could: they repeat people."
                if worst["excess_low"] > 0
                else "They tell no more about a person than the records of others do."
            )
        )
    return tuple(said)
