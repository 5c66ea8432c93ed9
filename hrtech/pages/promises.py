"""What each promise means, in words for people who have not met it before.

Here: the words alone. Which promise a study makes is in its report; what was spent is in the lineage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hrtech.facts import format_number
from hrtech.pages.provenance import Origin


@dataclass(frozen=True)
class Promise:
    """A promise to the people described.

    Attributes:
        name: Its name.
        short: One sentence for a card.
        how_to_read: Paragraphs for the reader.
    """

    name: str
    short: str
    how_to_read: tuple[str, ...]


PROMISES: Final[dict[str, Promise]] = {
    "differential-privacy": Promise(
        "Differential privacy",
        "Noise was added before anything left the data keepers, so that no one person can be told from these numbers.",
        (
            "Random noise was added to every number before it left the people who keep the records. Whoever reads this "
            "page, and whatever else they know, learns almost the same whether or not any one person is in the "
            "records.",
            "How nearly the same is set by ε (epsilon), the privacy loss. Smaller is more private. δ (delta) is the "
            "small remaining chance for which the bound on ε is not claimed.",
            "Because of the noise, small counts are uncertain and totals may not add up exactly. Read each number with "
            "its interval, and do not make much of differences that are smaller than the intervals.",
        ),
    ),
    "k-anonymity": Promise(
        "k-anonymity",
        "Every combination of attributes that is shown is shared by at least a set number of people.",
        (
            "Whatever combination of attributes you see here, at least k people in the records share it; rarer "
            "combinations were withheld. Nobody stands alone.",
            "This promise is weaker than differential privacy: it may not hold against a reader who already knows much "
            "about the people described, or who compares several releases of the same records.",
            "What is rare is missing here, so absence from this page is no evidence of absence.",
        ),
    ),
    "disclosure-control": Promise(
        "Disclosure control",
        "Small cells were withheld, and a named person approved what is shown.",
        (
            "Numbers that rest on few people were withheld, and so were others from which they could be worked out. A "
            "named person checked and approved the result.",
            "No mathematical bound on what can be learned is claimed. The approval is recorded in the ledger.",
            "An interval here states the uncertainty of the estimate, not noise added for privacy.",
        ),
    ),
    "approved-entity": Promise(
        "Approved one by one",
        "This page names somebody. A named person approved exactly what it shows, after a chance to reply was given.",
        (
            "Nothing here is protected by numbers: the page is about one entity, and shows what is held against it, on "
            "what evidence, what else may explain it, and its reply in its own words.",
            "The approval names a hash of all that is shown. When the evidence changes, or a correction is asked for, "
            "the approval no longer holds and the page is withdrawn until somebody has looked again.",
            "Others are not named unless that was approved for them as well. The approval is recorded in the ledger.",
        ),
    ),
    "open": Promise(
        "Open or simulated data",
        "These numbers come from data that was public, or simulated, to begin with.",
        (
            "Nothing here comes from confidential records, so no protection was needed and no privacy was spent.",
            "An interval, where there is one, states the uncertainty of the estimate.",
        ),
    ),
    "restricted": Promise(
        "Restricted",
        "For the people who keep the records; nothing here may be copied out.",
        (
            "This page shows confidential records or results computed from them. It is served only by the guard on the "
            "data keepers' machines.",
            "To tell others, release the numbers through a disclosure mechanism and publish the evidence page.",
        ),
    ),
}


def epsilon_in_words(release: Origin) -> str:
    """What the ε of a release means for a reader who thought it even odds that someone is in the records."""
    return odds_in_words(release.epsilon) if release.epsilon else ""


def odds_in_words(epsilon: float, unit: str = "person") -> str:
    """The same for any ε; `unit` is whom the promise protects, one of them."""
    at_most = 100 / (1 + math.exp(-epsilon))
    factor = math.exp(min(epsilon, 700.0))
    odds = f"{factor:.3g}" if factor < 1000 else "more than 1,000"
    chance = "99.9" if at_most > 99.9 else f"{at_most:.0f}" if at_most < 99 else f"{at_most:.1f}"
    more = "more than " if at_most > 99.9 else ""
    someone = "someone" if unit == "person" else f"a {unit}"
    return (
        f"With ε = {epsilon:.3g}, nothing published by this release can change the odds of any guess about one "
        f"{unit} by more than a factor of {odds}: a reader who thought it even odds (50%) that {someone} is in the "
        f"records can get to {more}{chance}% at most."
    )


def weakest(promises: Sequence[str]) -> str:
    """The promise that holds for all of several, the weakest one.

    Raises:
        ValueError: There is none to choose from.
    """
    order = [
        "restricted",
        "approved-entity",
        "disclosure-control",
        "k-anonymity",
        "differential-privacy",
        "open",
    ]
    return min(promises, key=order.index)


def promise_view(report_promise: str, releases: list[Origin]) -> dict[str, Any]:
    """What a template shows of a promise and the releases behind it."""
    promise = PROMISES[report_promise]
    words = [epsilon_in_words(release) for release in releases if release.epsilon]
    return {
        "key": report_promise,
        "name": promise.name,
        "short": promise.short,
        "paragraphs": [*promise.how_to_read[:2], *dict.fromkeys(words), *promise.how_to_read[2:]],
        "releases": [release_view(release) for release in releases],
    }


def release_view(origin: Origin) -> dict[str, Any]:
    """What a template shows of a release."""
    return {
        "asset": origin.asset,
        "promise": origin.promise or PROMISES[origin.barrier].name,
        "name": PROMISES[origin.barrier].name if origin.barrier in PROMISES else origin.barrier,
        "population": origin.population,
        "epsilon": _loss(origin.epsilon),
        "delta": _loss(origin.delta),
        "key": origin.release_key[:12],
        "sequence": origin.ledger_sequence,
        "head": origin.ledger_head[:16],
    }


def _loss(value: float | None) -> str:
    return format_number(value) if value else ""
