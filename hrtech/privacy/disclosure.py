"""Disclosure control: which counts and estimates may be told when there is no privacy loss to account for.

A count of people or records below the minimum cell is withheld (primary suppression), and where the facts of one
table then lack just one count, the smallest other is withheld too, because a published total would give the first
back (complementary suppression; Hundepool et al., Statistical Disclosure Control, 2012, chapter 4). An estimate is
told only where no count beside it was too small: a mean of three people tells about each of them. This promises less
than differential privacy: it says nothing about what several releases tell together.
"""

from collections import defaultdict
from collections.abc import Sequence

from hrtech.facts import Fact

#: Raised only when the rule changes.
MECHANISM = "disclosure-control/1"
#: Units that count those whom an estimate is about.
PEOPLE = frozenset({"people", "persons", "firms"})
#: Units whose small values point at somebody.
COUNTED = frozenset(
    {"people", "persons", "records", "cases", "firms", "companies", "entities", "networks", "pairs"}
)


def control_facts(facts: Sequence[Fact], minimum_cell: int) -> list[Fact]:
    """Return the facts that may be told, in their order.

    Args:
        facts: Facts of one study; those with the same source asset are cells of one table.
        minimum_cell: Smallest count that may be told. Zero is told: nobody is in it.

    Returns:
        The facts without those that are withheld: small counts, what would give them back, and every estimate of
        the study where the people or firms behind it were too few.

    Raises:
        ValueError: The minimum is below 3, which protects nobody.
    """
    if minimum_cell < 3:
        raise ValueError(f"minimum_cell is {minimum_cell}: below 3 it protects nobody. Set it to 3 or more.")
    tables: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.unit in COUNTED:
            tables[fact.source_asset].append(fact)
    withheld: set[str] = set()
    for cells in tables.values():
        small = [fact for fact in cells if 0 < fact.value < minimum_cell]
        withheld.update(fact.fact_id for fact in small)
        others = sorted(
            (fact for fact in cells if fact.value >= minimum_cell),
            key=lambda fact: (fact.value, fact.fact_id),
        )
        if len(small) == 1 and others:
            withheld.add(others[0].fact_id)
    few = any(
        0 < fact.value < minimum_cell for cells in tables.values() for fact in cells if fact.unit in PEOPLE
    )
    return [fact for fact in facts if fact.fact_id not in withheld and (fact.unit in COUNTED or not few)]
