"""One merged release of OCDS 1.1, with the bids extension, as rows of tables."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hrtech.networks.readers.inputs import is_date

_LOST: Final = ("cancelled", "unsuccessful", "pending")


@dataclass
class Tables:
    """Rows by table, in the order of `COLUMNS`, and what could not be used."""

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def release_rows(release: dict[str, Any], category_length: int) -> Tables:
    """Turn a merged release into rows.

    A bid wins if an award in force relates to it (`relatedBids`), or, where awards relate to no bid, if one of its
    tenderers is a supplier of such an award and their lots meet. Without the bids extension the tenderers and
    suppliers stand for bids, with the award's value for its suppliers and none for others.
    """
    return _Release(release, category_length).tables()


class _Release:
    def __init__(self, release: dict[str, Any], category_length: int) -> None:
        self.release = release
        self.ocid = release["ocid"]
        self.tender = release.get("tender") or {}
        self.awards = release.get("awards") or []
        self.made = Tables({name: [] for name in _TABLES})
        self.entity = {one.get("id"): _entity(one) for one in release.get("parties") or []}
        self.classification = _classification(release)
        main = self.tender.get("mainProcurementCategory")
        scheme, _, code = (self.classification or "").partition(":")
        self.category = f"{scheme}:{code[:category_length]}" if code else main

    def tables(self) -> Tables:
        self._parties()
        self._tender()
        self._bids()
        self._awards()
        self._contracts()
        return self.made

    def _date(self, value: object, what: str) -> str | None:
        if value is None:
            return None
        if is_date(value):
            return str(value)[:10]
        self.made.problems.append(f"{what} is no date and is left blank: write it as RFC 3339 does")
        return None

    def _id(self, reference: dict[str, Any]) -> str | None:
        """Return the entity of a reference; a party that is not listed is made from the reference itself."""
        local = reference.get("id")
        if local is None and not reference.get("identifier") and not reference.get("name"):
            self.made.problems.append("an organisation is referred to without id or name and is left out")
            return None
        if local not in self.entity:
            self.entity[local] = _entity(reference)
            self.made.rows["parties"].append(_party(self.entity[local], reference))
        return self.entity[local]

    def _parties(self) -> None:
        for party in self.release.get("parties") or []:
            self.made.rows["parties"].append(_party(_entity(party), party))

    def _tender(self) -> None:
        tender = self.tender
        buyer = self.release.get("buyer") or tender.get("procuringEntity") or {}
        amount, currency = _value(tender.get("value"))
        period = tender.get("tenderPeriod") or {}
        opens = self._date(period.get("startDate"), "tender.tenderPeriod.startDate")
        closes = self._date(period.get("endDate"), "tender.tenderPeriod.endDate")
        if opens and closes and opens > closes:
            self.made.problems.append("tender.tenderPeriod runs backwards and is left blank")
            opens = closes = None
        if amount is not None and amount < 0:
            self.made.problems.append("tender.value.amount is negative and is left blank")
            amount = None
        self.made.rows["tenders"].append(
            (
                self.ocid, self._id(buyer) if buyer else None, buyer.get("name"), self.category,
                self.classification, tender.get("procurementMethod"), tender.get("status"), amount, currency,
                opens, closes, tender.get("numberOfTenderers"),
            )
        )  # fmt: skip
        self.closes = closes
        self._amendments("tender", tender)

    def _amendments(self, part: str, holder: dict[str, Any]) -> None:
        changes = list(holder.get("amendments") or [])
        if not changes and isinstance(holder.get("amendment"), dict):
            changes = [holder["amendment"]]
        for number, change in enumerate(changes, start=1):
            date = self._date(change.get("date"), f"{part}.amendments.date")
            words = change.get("rationale") or change.get("description")
            name = str(change.get("id", number))
            self.made.rows["amendments"].append(
                (self.ocid, part, str(holder.get("id", "")), name, date, words)
            )

    def _bids(self) -> None:
        details = (self.release.get("bids") or {}).get("details") or []
        rows = self.made.rows["bids"]
        if not details:
            rows += self._without_details()
            return
        wins = _Wins(self.awards, self._id)
        for bid in details:
            name = str(bid.get("id"))
            date = self._date(bid.get("date"), "bids.details.date")
            amount, currency = _value(bid.get("value"))
            bidders = [one for one in map(self._id, bid.get("tenderers") or []) if one]
            if not bidders:
                self.made.problems.append(f"the bid {name} names no tenderer and is left out")
            lots = [str(lot) for lot in bid.get("relatedLots") or []]
            won = wins.won(name, bidders, lots)
            rows += [
                (
                    self.ocid, name, bidder, self.category, date or self.closes, amount, currency,
                    bid.get("status"), won, "; ".join(lots) or None, len(bidders),
                )
                for bidder in bidders
            ]  # fmt: skip

    def _without_details(self) -> Iterator[tuple[Any, ...]]:
        suppliers: dict[str, tuple[float | None, str | None]] = {}
        for award in self.awards:
            if award.get("status") in _LOST:
                continue
            winners = [one for one in map(self._id, award.get("suppliers") or []) if one]
            value = _value(award.get("value")) if len(winners) == 1 else (None, None)
            for one in winners:
                # several awards to one supplier are no single price
                suppliers[one] = (None, None) if one in suppliers else value
        others = [one for one in map(self._id, self.tender.get("tenderers") or []) if one]
        for one in dict.fromkeys([*others, *suppliers]):
            amount, currency = suppliers.get(one, (None, None))
            yield (
                self.ocid, f"{self.ocid}/{one}", one, self.category, self.closes, amount, currency, None,
                one in suppliers, None, 1,
            )  # fmt: skip

    def _awards(self) -> None:
        for award in self.awards:
            amount, currency = _value(award.get("value"))
            date = self._date(award.get("date"), "awards.date")
            for supplier in award.get("suppliers") or []:
                row = (self.ocid, str(award.get("id")), self._id(supplier), date, award.get("status"))
                self.made.rows["awards"].append((*row, amount, currency))
            self._amendments("award", award)

    def _contracts(self) -> None:
        for contract in self.release.get("contracts") or []:
            amount, currency = _value(contract.get("value"))
            period = contract.get("period") or {}
            self.made.rows["contracts"].append(
                (
                    self.ocid, str(contract.get("id")), _text(contract.get("awardID")), contract.get("status"),
                    amount, currency, self._date(contract.get("dateSigned"), "contracts.dateSigned"),
                    self._date(period.get("startDate"), "contracts.period.startDate"),
                    self._date(period.get("endDate"), "contracts.period.endDate"),
                )
            )  # fmt: skip
            self._amendments("contract", contract)


_TABLES: Final = ("parties", "tenders", "bids", "awards", "contracts", "amendments")


class _Wins:
    """Which bids won, by the awards in force."""

    def __init__(self, awards: list[dict[str, Any]], entity: Any) -> None:
        self.bids: set[str] = set()
        self.suppliers: list[tuple[set[str], set[str]]] = []
        for award in awards:
            if award.get("status") in _LOST:
                continue
            related = award.get("relatedBids") or [one for one in [award.get("relatedBid")] if one]
            self.bids |= {str(one) for one in related}
            if not related:
                lots = {str(lot) for lot in award.get("relatedLots") or []}
                self.suppliers.append(({entity(one) for one in award.get("suppliers") or []}, lots))

    def won(self, bid: str, bidders: list[str], lots: list[str]) -> bool:
        if bid in self.bids:
            return True
        return any(
            suppliers & set(bidders) and (not lots or not theirs or theirs & set(lots))
            for suppliers, theirs in self.suppliers
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _entity(party: dict[str, Any]) -> str:
    identifier = party.get("identifier") or {}
    if identifier.get("scheme") and identifier.get("id") is not None:
        return f"{identifier['scheme']}-{identifier['id']}"
    return str(party["id"]) if party.get("id") is not None else f"name:{party.get('name')}"


def _party(entity: str, party: dict[str, Any]) -> tuple[Any, ...]:
    address = party.get("address") or {}
    contact = party.get("contactPoint") or {}
    listed = [party.get("identifier") or {}, *(party.get("additionalIdentifiers") or [])]
    identifiers = [f"{one.get('scheme')}:{one['id']}" for one in listed if one.get("id") is not None]
    parts = [
        address.get(name) for name in ("streetAddress", "locality", "region", "postalCode", "countryName")
    ]
    return (
        entity, party.get("name") or entity, address.get("countryName"), "; ".join(identifiers) or None,
        ", ".join(str(part) for part in parts if part) if address.get("streetAddress") else None,
        _text(contact.get("telephone")), contact.get("email"), "; ".join(party.get("roles") or []) or None,
    )  # fmt: skip


def _value(value: Any) -> tuple[float | None, str | None]:
    if not isinstance(value, dict) or isinstance(value.get("amount"), bool):
        return None, None
    amount = value.get("amount")
    return (None if amount is None else float(amount)), value.get("currency")


def _classification(release: dict[str, Any]) -> str | None:
    """Return the first item's classification: of the tender, else of an award or contract."""
    holders = [release.get("tender") or {}, *(release.get("awards") or []), *(release.get("contracts") or [])]
    for holder in holders:
        for item in holder.get("items") or []:
            found = item.get("classification") or {}
            if found.get("id"):
                return f"{found.get('scheme') or ''}:{found['id']}"
    return None
