"""One statement of BODS 0.4: what is wrong with it, and its rows."""

from collections.abc import Iterator
from typing import Any, Final

from hrtech.networks.readers.inputs import is_date

#: Interests that are shares of something; the others are control by other means.
COUNTABLE: Final = ("shareholding", "votingRights")

_NEEDED: Final = (
    "statementId", "declarationSubject", "statementDate", "recordId", "recordType", "recordDetails"
)  # fmt: skip
_INTERESTS: Final = frozenset(
    {
        "shareholding",
        "votingRights",
        "appointmentOfBoard",
        "otherInfluenceOrControl",
        "seniorManagingOfficial",
        "settlor",
        "trustee",
        "protector",
        "beneficiaryOfLegalArrangement",
        "rightsToSurplusAssetsOnDissolution",
        "rightsToProfitOrIncome",
        "rightsGrantedByContract",
        "conditionalRightsGrantedByContract",
        "controlViaCompanyRulesOrArticles",
        "controlByLegalFramework",
        "boardMember",
        "boardChair",
        "unknownInterest",
        "unpublishedInterest",
        "enjoymentAndUseOfAssets",
        "rightToProfitOrIncomeFromAssets",
        "nominee",
        "nominator",
    }
)

Interest = tuple[Any, ...]


def problem_with(statement: dict[str, Any]) -> str:
    """Say why a statement cannot be used and what would mend it; empty where it can."""
    if missing := [name for name in _NEEDED if not statement.get(name)]:
        return f"the statement has no {', '.join(missing)}: a BODS 0.4 statement must"
    if texts := [name for name in _NEEDED[:5] if not isinstance(statement[name], str)]:
        return f"{', '.join(texts)} is no text"
    if statement["recordType"] not in ("entity", "person", "relationship"):
        return "recordType is none of entity, person, relationship"
    if statement.get("recordStatus") not in (None, "new", "updated", "closed"):
        return "recordStatus is none of new, updated, closed"
    if not is_date(statement["statementDate"]):
        return "statementDate is no date: write it as YYYY-MM-DD"
    version = (statement.get("publicationDetails") or {}).get("bodsVersion")
    if version is not None and not str(version).startswith("0.4"):
        return "bodsVersion is not 0.4: convert the statement"
    details = statement["recordDetails"]
    if not isinstance(details, dict):
        return "recordDetails is no object"
    return _problem_with_details(statement["recordType"], details)


def _problem_with_details(kind: str, details: dict[str, Any]) -> str:
    if kind == "entity":
        type_ = details.get("entityType")
        return "" if isinstance(type_, dict) and type_.get("type") else "the entity has no entityType.type"
    if kind == "person":
        return "" if details.get("personType") else "the person has no personType"
    if not isinstance(details.get("subject"), str):
        return "the relationship's subject is no recordId, so that it is about nobody"
    if not isinstance(details.get("interestedParty"), str | dict):
        return "the relationship has no interestedParty: give a recordId, or the reason why there is none"
    return ""


def party_row(kind: str, details: dict[str, Any]) -> tuple[Any, ...]:
    """Name, kind, jurisdiction, identifiers, start, end, address, reason, description, exposure and its reason."""
    person = kind == "person"
    unspecified = details.get("unspecifiedPersonDetails" if person else "unspecifiedEntityDetails") or {}
    exposure = details.get("politicalExposure") or {}
    places = details.get("nationalities" if person else "jurisdiction") or []
    places = places if isinstance(places, list) else [places]
    return (
        _name(details) if person else details.get("name"),
        details["personType"] if person else details["entityType"]["type"],
        "; ".join(str(place.get("code") or place.get("name")) for place in places) or None,
        "; ".join(
            f"{one.get('scheme') or one.get('schemeName')}:{one['id']}"
            for one in details.get("identifiers") or []
            if one.get("id")
        )
        or None,
        details.get("birthDate" if person else "foundingDate"),
        details.get("deathDate" if person else "dissolutionDate"),
        _address(details),
        unspecified.get("reason"),
        unspecified.get("description"),
        exposure.get("status"),
        "; ".join(str(one["reason"]) for one in exposure.get("details") or [] if one.get("reason")) or None,
    )


def _name(details: dict[str, Any]) -> str | None:
    names = [one for one in details.get("names") or [] if one.get("fullName")]
    names.sort(key=lambda one: one.get("type") not in ("legal", None))
    return names[0]["fullName"] if names else None


def _address(details: dict[str, Any]) -> str | None:
    for one in details.get("addresses") or []:
        country = one.get("country") or {}
        parts = (one.get("address"), one.get("postCode"), country.get("name") or country.get("code"))
        if one.get("address"):
            return ", ".join(str(part) for part in parts if part)
    return None


def relationship_row(details: dict[str, Any]) -> tuple[Any, ...]:
    """Subject, party (or the reason and description why none is named), component, number of components."""
    party = details["interestedParty"]
    named = isinstance(party, str)
    return (
        details["subject"],
        party if named else None,
        None if named else party.get("reason"),
        None if named else party.get("description"),
        bool(details.get("isComponent")),
        len(details.get("componentRecords") or []),
    )


def interest_rows(details: dict[str, Any]) -> Iterator[tuple[Interest, str]]:
    """Yield each interest with what is wrong with it (empty where nothing is)."""
    for interest in details.get("interests") or []:
        if not isinstance(interest, dict):
            yield (), "it is no object"
            continue
        kind = interest.get("type") or "unknownInterest"
        low, high, problem = _share(interest.get("share") or {}, countable=kind in COUNTABLE)
        start, end = interest.get("startDate"), interest.get("endDate")
        if kind not in _INTERESTS:
            problem = "its type is not in the code list interestType"
        elif any(date is not None and not is_date(date) for date in (start, end)):
            problem = "its startDate or endDate is no date"
        elif start and end and start[:10] > end[:10]:
            problem = "its endDate lies before its startDate"
        row = (
            kind, interest.get("directOrIndirect") or "unknown", interest.get("beneficialOwnershipOrControl"),
            low, high, start, end,
        )  # fmt: skip
        yield row, problem


def _share(share: dict[str, Any], *, countable: bool) -> tuple[float | None, float | None, str]:
    """Return the ends of a share in per cent; a share that is not given lies between 0 and 100."""
    given = {
        name: share.get(name)
        for name in ("exact", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    }
    if any(value is not None and not _is_number(value) for value in given.values()):
        return None, None, "its share is no number"
    exact = given["exact"]
    lows = [value for value in (given["minimum"], given["exclusiveMinimum"]) if value is not None]
    highs = [value for value in (given["maximum"], given["exclusiveMaximum"]) if value is not None]
    if exact is not None:
        lows, highs = [exact], [exact]
    if not countable and not lows and not highs:
        return None, None, ""
    low, high = max(lows, default=0.0), min(highs, default=100.0)
    if low < 0 or high > 100:
        return None, None, "its share lies outside 0 to 100 per cent"
    if low > high:
        return None, None, "the least share is above the greatest"
    return float(low), float(high), ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
