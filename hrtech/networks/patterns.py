"""Shapes of ownership that call for a look: circles, nominees, shells, owners who are not named.

Each has a definition and an innocent explanation, which travel with every flag. A pattern is a red flag of weight 0
until a study declares a weight for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from hrtech.networks.ownership import Ownership
from hrtech.networks.spec import NetworkError


@dataclass(frozen=True)
class Pattern:
    """A shape of ownership.

    Attributes:
        definition: When an entity is flagged.
        innocent: What else may explain it.
        source: Where the definition comes from.
    """

    definition: str
    innocent: str
    source: str


PATTERNS: Final[Mapping[str, Pattern]] = {
    "circular ownership": Pattern(
        "The company owns a part of itself through other companies.",
        "Cross-holdings are customary in some business groups, cooperatives and mutual insurers.",
        "FATF and Egmont Group, Concealment of Beneficial Ownership, 2018",
    ),
    "nominee": Pattern(
        "One person is a direct owner or director of at least `nominee_companies` companies.",
        "Professional trustees, investors and founders of groups hold many companies; namesakes may be one here.",
        "FATF, Guidance on Beneficial Ownership of Legal Persons, 2023 (nominee arrangements)",
    ),
    "declared nominee": Pattern(
        "An interest in the company is declared as that of a nominee or nominator.",
        "Nominees are lawful and declared where the law asks for it.",
        "BODS 0.4, code list interestType",
    ),
    "shell": Pattern(
        "The company has no activity on record, and a chain of at least `shell_layers` companies stands between it "
        "and an ultimate owner, one of them in a listed secrecy jurisdiction.",
        "Holding and property companies act little; activity may be on record elsewhere.",
        "FATF and Egmont Group 2018; the list of jurisdictions is the study's, such as the Financial Secrecy Index",
    ),
    "owner not named": Pattern(
        "The register says that a beneficial owner exists or may exist, and names none.",
        "Listed and state companies are exempt in many laws; filings may be late.",
        "BODS 0.4, code list unspecifiedReason",
    ),
    "owner in the dark": Pattern(
        "No ultimate owner surely holds any share, though one may reach the threshold.",
        "Registers publish bands, not shares; ownership may be widely held.",
        "FATF Recommendation 24",
    ),
}  # fmt: skip

_DIRECTORS: Final = ("Directorship", "boardMember", "boardChair", "seniorManagingOfficial")


@dataclass(frozen=True)
class PatternSpec:
    """When patterns are flagged, and how they weigh.

    Attributes:
        nominee_companies: Companies from which a direct owner or director is a nominee.
        shell_layers: Companies between a shell and its ultimate owner.
        secrecy_jurisdictions: Jurisdictions, as the entities write them, that the study takes to be secret.
        weights: Weight of each pattern as a red flag, 0 to 1; 0 where it is not named.
    """

    nominee_companies: int = 10
    shell_layers: int = 2
    secrecy_jurisdictions: Collection[str] = ()
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.nominee_companies < 2 or self.shell_layers < 1:
            raise NetworkError(
                "nominee_companies must be at least 2 and shell_layers at least 1 "
                "[setting: nominee_companies, shell_layers]"
            )
        for name, weight in (self.weights or {}).items():
            if name not in PATTERNS:
                raise NetworkError(
                    f"There is no pattern '{name}'. Use {', '.join(PATTERNS)} [setting: pattern_weights]"
                )
            if not 0 <= weight <= 1:
                raise NetworkError(f"The weight of '{name}' is between 0 and 1 [setting: pattern_weights]")


def ownership_patterns(
    found: Ownership,
    entities: pd.DataFrame,
    spec: PatternSpec | None = None,
    *,
    relationships: pd.DataFrame | None = None,
    unspecified: pd.DataFrame | None = None,
    active: Collection[str] | None = None,
) -> pd.DataFrame:
    """Flag the patterns.

    Args:
        found: Ownership, as `integrated_ownership` makes it.
        entities: `entity_id`, and where known `jurisdiction` or `country`.
        spec: Thresholds and weights.
        relationships: `source, target, kind` of directorships, where known.
        unspecified: `company_id, reason` where a register names nobody.
        active: Companies with activity on record (bids, contracts, employees, filings). Without it nothing is known
            of activity, and no shell is flagged.

    Returns:
        `entity_id, flag, category, weight, evidence, source, definition, innocent`, by entity and flag.
    """
    spec = spec or PatternSpec()
    parts = [
        _circles(found),
        _nominees(found, relationships, spec),
        _declared(found),
        _shells(found, entities, spec, active),
        _unnamed(unspecified),
        _in_the_dark(found),
    ]
    frame = pd.concat(parts, ignore_index=True)
    weights = spec.weights or {}
    frame = frame.assign(
        category="ownership",
        weight=[float(weights.get(flag, 0.0)) for flag in frame["flag"]],
        source=[PATTERNS[flag].source for flag in frame["flag"]],
        definition=[PATTERNS[flag].definition for flag in frame["flag"]],
        innocent=[PATTERNS[flag].innocent for flag in frame["flag"]],
    )
    columns = ["entity_id", "flag", "category", "weight", "evidence", "source", "definition", "innocent"]
    kinds = {name: "float64" if name == "weight" else "str" for name in columns}
    return frame[columns].astype(kinds).sort_values(["entity_id", "flag"], ignore_index=True)


def _rows(flag: str, ids: list[str], evidence: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"entity_id": ids, "flag": flag, "evidence": evidence}).astype("str")


def _circles(found: Ownership) -> pd.DataFrame:
    sizes = found.cycles.groupby("cycle_id")["company_id"].transform("size")
    words = [
        f"in a circle of {size} companies{' that own each other wholly' if closed else ''}"
        for size, closed in zip(sizes, found.cycles["closed"], strict=True)
    ]
    return _rows("circular ownership", found.cycles["company_id"].tolist(), words)


def _nominees(found: Ownership, relationships: pd.DataFrame | None, spec: PatternSpec) -> pd.DataFrame:
    people = found.holdings.loc[found.holdings["owner_kind"] == "person", ["owner", "entity_id"]]
    links = [people.set_axis(["person", "company"], axis=1)]
    if relationships is not None and len(relationships):
        directs = relationships.loc[relationships["kind"].isin(_DIRECTORS), ["source", "target"]]
        links.append(directs.set_axis(["person", "company"], axis=1))
    counted = pd.concat(links).drop_duplicates().groupby("person").size()
    many = counted.loc[counted >= spec.nominee_companies].sort_index()
    words = [
        f"direct owner or director of {count} companies, more than {(counted < count).mean():.1%} of all such persons"
        for count in many
    ]
    return _rows("nominee", many.index.astype("str").tolist(), words)


def _declared(found: Ownership) -> pd.DataFrame:
    means = found.holdings["control_by"].fillna("").str.split("; ")
    named = means.map(lambda one: bool({"nominee", "nominator"} & set(one)))
    held = found.holdings.loc[named].sort_values(["entity_id", "owner"])
    words = [f"{owner} is declared as nominee or nominator" for owner in held["owner"]]
    return _rows("declared nominee", held["entity_id"].tolist(), words)


def _shells(
    found: Ownership, entities: pd.DataFrame, spec: PatternSpec, active: Collection[str] | None
) -> pd.DataFrame:
    column = next((name for name in ("jurisdiction", "country") if name in entities.columns), None)
    if active is None or column is None or not spec.secrecy_jurisdictions:
        return _rows("shell", [], [])
    secret = {str(place).casefold() for place in spec.secrecy_jurisdictions}
    place = dict(zip(entities["entity_id"].astype("str"), entities[column].astype("str"), strict=True))
    hidden = {node for node, where in place.items() if where.casefold() in secret}
    evidence: dict[str, str] = {}
    for company, path in zip(found.paths["company_id"], found.paths["path"], strict=True):
        if company in active or company in evidence:
            continue
        between = _companies(path)[1:-1]
        through = [node for node in between if node in hidden]
        if len(between) >= spec.shell_layers and through:
            evidence[company] = (
                f"no activity on record; {len(between)} companies above it, of which {', '.join(through)} in "
            )
            evidence[company] += ", ".join(sorted({place[node] for node in through}))
    ids = sorted(evidence)
    return _rows("shell", ids, [evidence[one] for one in ids])


def _companies(path: str) -> list[str]:
    """Return the ids of a path as `share_text` writes it: P → (60 %) A → (50 %) B."""
    first, *rest = path.split(" → (")
    return [first, *(part.split(" %) ", 1)[1] for part in rest)]


def _unnamed(unspecified: pd.DataFrame | None) -> pd.DataFrame:
    if unspecified is None or unspecified.empty:
        return _rows("owner not named", [], [])
    reasons = unspecified.groupby("company_id")["reason"].agg(lambda r: "; ".join(sorted(set(r.dropna()))))
    reasons = reasons.replace("", "no reason given").sort_index()
    return _rows("owner not named", reasons.index.astype("str").tolist(), reasons.tolist())


def _in_the_dark(found: Ownership) -> pd.DataFrame:
    best = found.beneficial_owners.groupby("company_id")[["share_low", "share_high"]].max().sort_index()
    dark = best.loc[(best["share_low"] <= 0) & (best["share_high"] > 0)]
    words = [f"nobody surely holds a share; at most {high:.4g} % is possible" for high in dark["share_high"]]
    return _rows("owner in the dark", dark.index.astype("str").tolist(), words)
