"""The statement: what was spent on whom, when, by which study, and why, for a person to read."""

from collections.abc import Iterable, Mapping, Sequence

from hrtech.privacy.accounting import Charge, epsilon_of, total
from hrtech.privacy.chain import Entry
from hrtech.privacy.composition import Series, largest, parts_of
from hrtech.privacy.ledger import (
    account_of,
    asset_key,
    charges_of,
    charges_to,
    find_entry,
    ledger_id,
    series_of,
)
from hrtech.privacy.populations import Population


def statement(entries: Sequence[Entry], populations: Mapping[str, Population] | None = None) -> str:
    """Write the statement of a ledger.

    Args:
        entries: All entries, verified.
        populations: The register as it stands; without it the budgets that the chain recorded last are told.

    Returns:
        Plain text that ends in a line break. It holds no value of the data.
    """
    if not entries:
        return "Privacy ledger: nothing was ever released.\n"
    register = dict(_recorded(entries) if populations is None else populations)
    lines = [
        f"Privacy ledger {ledger_id(entries)[:8]}: {len(entries)} entries, last written {_moment(entries[-1])}, "
        f"head {entries[-1].head[:16]}"
    ]
    for population in register.values():
        lines += ["", *_account_lines(entries, population)]
    lines += _orphans(entries, register.values())
    return "\n".join(lines) + "\n"


def _recorded(entries: Sequence[Entry]) -> dict[str, Population]:
    found = {
        entry.population: Population.model_validate(entry.content)
        for entry in entries
        if entry.kind == "budget"
    }
    # a population that became an alias of another is told there
    aliases = {alias for population in found.values() for alias in population.aliases}
    return {name: found[name] for name in sorted(found) if name not in aliases}


def _account_lines(entries: Sequence[Entry], population: Population) -> list[str]:
    account = account_of(entries, population)
    also = f"; also called {', '.join(population.aliases)}" if population.aliases else ""
    lines = [
        f"{population.name}: {population.people} (one unit is a {population.unit}{also})",
        f"  budget   epsilon {population.epsilon:.6g} at delta {population.delta:.6g}; may be raised by "
        f"{' or '.join(population.may_raise)}",
        f"  spent    epsilon {account.epsilon_spent:.6g} (rho {account.spent.rho:.6g}, delta "
        f"{account.spent.delta:.6g})",
        f"  left     one further release of up to epsilon {account.epsilon_left:.6g} (losses add up in rho, not in "
        "epsilon)",
        *_series_lines(entries, population),
    ]
    for entry in entries:
        if entry.kind == "budget" and entry.population in population.names:
            content = entry.content
            lines.append(
                f"  {_moment(entry)}  entry {entry.sequence}  the file {entry.population}.yaml sets epsilon "
                f"{content['epsilon']:.6g} at delta {content['delta']:.6g}"
            )
        elif charged := charges_to(entry, population):
            lines += _release_lines(entries, entry, population, total(one.charge for one in charged))
    return lines


def _series_lines(entries: Sequence[Entry], population: Population) -> list[str]:
    """What each series spent: its parts are about different people, so that only the largest counts."""
    lines = []
    for series, parts in sorted(parts_of(charges_of(entries, population)).items()):
        charges = {part: charge for part, charge in sorted(parts.items()) if not charge.is_zero}
        if charges:
            told = ", ".join(f"{part} {_epsilon(charge, population)}" for part, charge in charges.items())
            lines.append(
                f"  series   {_series_name(series)}: epsilon by part: {told}; each person is in one part, so the "
                f"series spent epsilon {_epsilon(largest(charges.values()), population)}"
            )
    return lines


def _series_name(series: Series) -> str:
    _, study, name = series
    return f"{name} of {study}"


def _epsilon(charge: Charge, population: Population) -> str:
    return f"{epsilon_of(charge.rho, population.delta, charge.delta):.6g}"


def _release_lines(
    entries: Sequence[Entry], entry: Entry, population: Population, charge: Charge
) -> list[str]:
    content = entry.content
    committed = find_entry(entries, "committed", entry.release_key)
    cost = (
        f"epsilon {_epsilon(charge, population)} (rho {charge.rho:.6g}, delta {charge.delta:.6g})"
        if not charge.is_zero
        else "no charge, no claim of epsilon"
    )
    name = asset_key(content["study"], content["asset"])
    own = entry.population in population.names
    # a part divides the people of the release's own population only
    part = f", part {content['part']} of series {content['series']}" if own and series_of(entry) else ""
    others = {entry.population, *(one["population"] for one in content.get("also", ()))} - population.names
    shared = f"; the same release is charged to {', '.join(sorted(others))} too" if others else ""
    draw = f", draw {content['reissue'] + 1}" if content["reissue"] else ""
    state = f"released as entry {committed.sequence}" if committed else "charged, not released yet"
    approvers = f"; approved by {', '.join(content['approvers'])}" if content["approvers"] else ""
    return [
        f"  {_moment(entry)}  entry {entry.sequence}  {name}: {content['barrier']}, "
        f"{content['mechanism']}{draw}{part}; {cost}{shared}; {state}; key {entry.release_key[:16]}",
        f"    why: {' '.join(content['purpose'].split())}{approvers}",
    ]


def _orphans(entries: Sequence[Entry], register: Iterable[Population]) -> list[str]:
    named = {name for population in register for name in population.names}
    held = {entry.population for entry in entries if entry.population}
    held |= {
        one["population"]
        for entry in entries
        if entry.kind == "reserved"
        for one in entry.content.get("also", ())
    }
    lost = sorted(held - named)
    if not lost:
        return []
    return [
        "",
        f"No file of the register names {', '.join(lost)}, on whom this ledger holds entries. If these people have "
        "another name now, list the old one among its aliases, or they get a second budget.",
    ]


def _moment(entry: Entry) -> str:
    return entry.at[:16].replace("T", " ") + " UTC"
