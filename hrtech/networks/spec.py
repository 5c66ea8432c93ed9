"""What a network study declares, and how rows that cannot be used are set aside.

Invariant: no input row vanishes. It is used, or it stands in the table of rejects with its reason, or a note counts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from hrtech.linkage.spec import FieldKind


class NetworkError(ValueError):
    """Inputs or settings from which no network can be built; the message says what and the mend."""


@dataclass(frozen=True)
class NetworkSpec:
    """How a network is built and scored.

    Attributes:
        max_attribute_degree: Most entities that may share a value for it to link them; a value that more share is
            listed as a hub, links nobody by itself, and adds its little to entities that something else links.
        min_shared: Fewest pieces of evidence (values with different holders) for two entities to be linked.
        attribute_kinds: Kind of each attribute, which decides how its values are normalised. Attributes called phone,
            email or address need none; others are compared without case, accents and punctuation.
        attribute_confidence: Probability that two entities are tied when they alone share a value, per attribute.
        default_confidence: The same for attributes not named.
        co_bid_confidence: Probability that two firms are tied that surely bid together more often than by chance.
        activity_confidence: Probability that two entities are tied that surely begin things together, or one after the
            other, more often than by chance.
        ownership_threshold: Share in per cent from which an owner is a beneficial owner.
        shared_owner_threshold: Share in per cent from which two entities' common ultimate owner counts as shared.
        bid_period: Stretch of time within which firms' tenders are compared; None: all of it. Shorter ones allow
            firms to come and go, and have less power.
        false_discovery_rate: Expected share of false discoveries in each family, at most.
        community_resolution: Mean probability of a tie above which groups are one community.
        max_community: Most entities in a community.
        min_link_probability: Links less probable are listed, but neither join networks nor carry exposure.
        decay: Factor by which exposure falls with each hop.
        max_hops: Longest path along which exposure counts.
        min_strength: Weakest path (product of hops and decay) along which exposure counts.
        seed: Seed of the communities; how far they depend on it is told.
    """

    max_attribute_degree: int = 20
    min_shared: int = 1
    attribute_kinds: Mapping[str, FieldKind] = field(default_factory=dict)
    attribute_confidence: Mapping[str, float] = field(default_factory=dict)
    default_confidence: float = 0.8
    co_bid_confidence: float = 0.5
    activity_confidence: float = 0.5
    ownership_threshold: float = 25.0
    shared_owner_threshold: float = 5.0
    bid_period: Literal["year", "quarter", "month"] | None = None
    false_discovery_rate: float = 0.1
    community_resolution: float = 0.2
    max_community: int = 50
    min_link_probability: float = 0.05
    decay: float = 0.7
    max_hops: int = 3
    min_strength: float = 0.01
    seed: int = 1

    def __post_init__(self) -> None:
        if self.max_attribute_degree < 2 or self.min_shared < 1 or self.max_hops < 1:
            raise NetworkError(
                "max_attribute_degree must be at least 2, min_shared and max_hops at least 1 "
                "[setting: max_attribute_degree, min_shared, max_hops]"
            )
        for name in ("ownership_threshold", "shared_owner_threshold"):
            if not 0 < getattr(self, name) <= 100:
                raise NetworkError(f"A share is above 0 and at most 100 per cent [setting: {name}]")
        if self.max_community < 2 or not 0 < self.community_resolution < 1:
            raise NetworkError(
                "max_community must be at least 2, community_resolution between 0 and 1 "
                "[setting: max_community, community_resolution]"
            )
        if self.bid_period not in (None, "year", "quarter", "month"):
            raise NetworkError("A period is year, quarter, month or none [setting: bid_period]")
        shares = {
            "decay": self.decay,
            "default_confidence": self.default_confidence,
            "co_bid_confidence": self.co_bid_confidence,
            "activity_confidence": self.activity_confidence,
            "false_discovery_rate": self.false_discovery_rate,
            "min_link_probability": self.min_link_probability,
            "min_strength": self.min_strength,
            **{f"attribute_confidence.{name}": value for name, value in self.attribute_confidence.items()},
        }
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise NetworkError(f"{name} is a probability between 0 and 1 [setting: {name}]")

    def confidence(self, attribute: str) -> float:
        """Return how sure a link is that rests on a value of this attribute that only two entities have."""
        return self.attribute_confidence.get(attribute, self.default_confidence)


class Rejects:
    """Collects rows that cannot be used."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []

    def split(self, table: str, frame: pd.DataFrame, bad: pd.Series, reason: str) -> pd.DataFrame:
        """Set aside the rows marked bad and return the others. Row numbers are positions in the input, from 1."""
        if bad.any():
            rows = frame.loc[bad, "row"].astype("int64").to_numpy()
            self._parts.append(pd.DataFrame({"table": table, "row": rows, "reason": reason}))
        return frame.loc[~bad]

    def frame(self) -> pd.DataFrame:
        """Return `table, row, reason`, ordered."""
        if not self._parts:
            return pd.DataFrame(
                {
                    "table": pd.Series(dtype="str"),
                    "row": pd.Series(dtype="int64"),
                    "reason": pd.Series(dtype="str"),
                }
            )
        return pd.concat(self._parts, ignore_index=True).sort_values(["table", "row"], ignore_index=True)


def numbered(frame: pd.DataFrame, table: str, needed: tuple[str, ...]) -> pd.DataFrame:
    """Return the frame with `row` (from 1) and `entity_id`, which may be called `company_id` in the input.

    Raises:
        NetworkError: A needed column is missing.
    """
    frame = frame.reset_index(drop=True)
    if "entity_id" not in frame.columns and "company_id" in frame.columns:
        frame = frame.rename(columns={"company_id": "entity_id"})
    if missing := [name for name in needed if name not in frame.columns]:
        raise NetworkError(f"The table '{table}' has no column {', '.join(missing)}. Add or rename it")
    return frame.assign(row=range(1, len(frame) + 1))
