"""Control, apart from share: who can decide in a company.

An owner controls a company when the votes that it holds itself and through companies that it controls exceed half (a
fixed point, found by adding companies until none is added). Where votes are ranges, control is certain when the least
votes exceed half and possible when the greatest do that the others' least votes leave room for. Votes are the shares
where none are declared. The weakest link is the smallest vote on the strongest chain (Claessens, Djankov and Lang
2000). Rights to appoint the board, and other declared means, are control by declaration.
"""

from collections.abc import Mapping
from typing import Final

import pandas as pd

HALF: Final = 0.5
#: Declared interests that are control without votes (interest types of BODS 0.4).
MEANS: Final = frozenset(
    {
        "appointmentOfBoard",
        "otherInfluenceOrControl",
        "controlViaCompanyRulesOrArticles",
        "controlByLegalFramework",
        "rightsGrantedByContract",
        "trustee",
        "settlor",
        "protector",
    }
)

_COLUMNS: Final = (
    "company_id", "controller", "controller_name", "controller_kind", "certain", "ultimate", "votes_low",
    "votes_high", "weakest_link", "basis", "via",
)  # fmt: skip

Votes = Mapping[str, Mapping[str, tuple[float, float]]]
"""Per owner, per company: least and greatest votes, 0 to 1."""


def control(holdings: pd.DataFrame) -> pd.DataFrame:
    """Find who controls whom.

    Args:
        holdings: `owner, owner_name, owner_kind, entity_id, vote_low, vote_high` (per cent), `control_by`.

    Returns:
        `company_id, controller, controller_name, controller_kind, certain, ultimate` (no one is certain to control the
        controller), `votes_low, votes_high, weakest_link` (per cent), `basis` (votes or the declared means), `via`.
    """
    votes: dict[str, dict[str, tuple[float, float]]] = {}
    declared: dict[str, dict[str, str]] = {}
    surely: dict[str, float] = {}
    columns = [holdings[name].tolist() for name in ("owner", "entity_id", "vote_low", "vote_high")]
    for owner, company, low, high, means in zip(
        *columns, holdings["control_by"].fillna("").tolist(), strict=True
    ):
        votes.setdefault(owner, {})[company] = (low / 100, high / 100)
        surely[company] = surely.get(company, 0.0) + low / 100
        if words := [one for one in means.split("; ") if one in MEANS]:
            declared.setdefault(owner, {})[company] = "; ".join(words)
    about = holdings.drop_duplicates("owner")
    names, kinds = (
        dict(zip(about["owner"].tolist(), about[name].tolist(), strict=True))
        for name in ("owner_name", "owner_kind")
    )
    rows = []
    for owner in votes:
        possible, sums = _controlled(owner, votes, declared, surely, 1)
        if len(possible) == 1:
            continue
        certain, _ = _controlled(owner, votes, declared, surely, 0)
        strongest = _weakest_links(owner, possible, votes)
        for company in possible:
            if company == owner:
                continue
            least, most = sums[company]
            link, via = strongest.get(company, (0.0, ""))
            basis = "votes" if most > HALF else f"declared: {possible[company]}"
            rows.append(
                (
                    company, owner, names[owner], kinds[owner], company in certain, False, least * 100,
                    most * 100, link * 100, basis, via,
                )
            )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(
        {
            "company_id": "str", "controller": "str", "controller_name": "str", "controller_kind": "str",
            "certain": "bool", "ultimate": "bool", "votes_low": "float64", "votes_high": "float64",
            "weakest_link": "float64", "basis": "str", "via": "str",
        }
    )  # fmt: skip
    held = set(frame.loc[frame["certain"], "company_id"])
    frame["ultimate"] = ~frame["controller"].astype(object).isin(held)
    order = ["company_id", "certain", "votes_high", "controller"]
    return frame.sort_values(order, ascending=[True, False, False, True], ignore_index=True)


def _controlled(
    owner: str, votes: Votes, declared: Mapping[str, Mapping[str, str]], surely: Mapping[str, float], end: int
) -> tuple[dict[str, str], dict[str, tuple[float, float]]]:
    """Add companies until none is added; return them with their declared means, and the votes in each."""
    held: dict[str, str] = {owner: ""}
    sums: dict[str, tuple[float, float]] = {}
    edge = [owner]
    while edge:
        holder = edge.pop()
        for company, (low, high) in votes.get(holder, {}).items():
            least, most = sums.get(company, (0.0, 0.0))
            sums[company] = (least + low, most + high)
        for company in votes.get(holder, {}):
            means = declared.get(holder, {}).get(company, "")
            least, most = sums[company]
            # what others surely vote is not there to be had
            most = min(most, 1.0 - (surely[company] - least))
            if company not in held and ((least, most)[end] > HALF + 1e-12 or means):
                held[company] = means
                edge.append(company)
    for company, (least, most) in sums.items():
        sums[company] = (least, max(least, min(most, 1.0 - (surely[company] - least))))
    return held, sums


def _weakest_links(owner: str, held: Mapping[str, str], votes: Votes) -> dict[str, tuple[float, str]]:
    """Return the smallest vote on the strongest chain to each company, and the chain."""
    best: dict[str, tuple[float, str]] = {owner: (1.0, owner)}
    edge = {owner}
    while edge:
        following = set()
        for holder in sorted(edge):
            link, chain = best[holder]
            for company, (_, high) in votes.get(holder, {}).items():
                through = min(link, high)
                if company in held and company != owner and through > best.get(company, (0.0, ""))[0]:
                    best[company] = (through, f"{chain} → {company}")
                    following.add(company)
        edge = following
    return best
