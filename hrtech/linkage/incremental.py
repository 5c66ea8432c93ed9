"""New records against what is there: the trained model of an earlier run scores the pairs of what is new.

A record is new when its id or a compared value is. Of records that stayed as they were only the reported pairs are
compared again; pairs with a new record are those that the rules reach. All are weighed with the earlier parameters and
the present frequencies of values, and entities are then made of all pairs.

A full run is due when the declaration changed, when too much is new, or when new records are filled in differently
from those that the model was trained on.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from hrtech.linkage.blocking import Rule
from hrtech.linkage.comparisons import Aliases
from hrtech.linkage.fit import Weighed, weighed_again
from hrtech.linkage.keys import rule_of
from hrtech.linkage.link import LinkageResult, link_registers
from hrtech.linkage.pairs import Pairs
from hrtech.linkage.registers import Prepared, prepare
from hrtech.linkage.spec import LinkageSpec

#: Largest difference of a field's share of blanks between new records and those trained on.
BLANK_DRIFT: Final = 0.25
_FEWEST_FOR_DRIFT: Final = 30
_KEYS: Final = ["register", "record_id"]


@dataclass(frozen=True)
class LinkageState:
    """What an incremental run goes on from.

    Attributes:
        model: Splink settings with the trained parameters.
        parameters: As in `LinkageResult`.
        pairs: As in `LinkageResult`.
        records: As in `LinkageResult`.
        rules: Blocking rules.
        prior: Probability that two random records match.
        candidates: Pairs compared so far.
        trained_on: Number of records that the model was trained on.
        blanks: Field → share of blanks among them.
        declared: The declaration, as `declaration` tells it.
        aliases: As in `LinkageResult`.
    """

    model: dict[str, Any]
    parameters: pd.DataFrame
    pairs: pd.DataFrame
    records: pd.DataFrame
    rules: tuple[Rule, ...]
    prior: float
    candidates: int
    trained_on: int
    blanks: Mapping[str, float]
    declared: str
    aliases: Aliases


def declaration(spec: LinkageSpec) -> str:
    """Return the part of a declaration that a trained model depends on, as text."""
    told = dataclasses.asdict(spec)
    return json.dumps(
        {name: told[name] for name in told if name not in ("threshold", "max_pairs")}, default=str
    )


def state_table(result: LinkageResult, spec: LinkageSpec, before: LinkageState | None = None) -> pd.DataFrame:
    """Return what is kept of a run besides its tables: `name`, `value` (JSON).

    Args:
        result: The run.
        spec: Its declaration.
        before: What it went on from; None after a full run.
    """
    blanks = before.blanks if before else _blanks(result.records)
    kept = {
        # the name that Splink draws for each model says nothing
        "model": {name: value for name, value in result.model.items() if name != "linker_uid"},
        "rules": [rule_of(label) for label in result.blocking["rule"]],
        "prior": result.prior,
        "candidates": result.candidates,
        "trained_on": before.trained_on if before else len(result.records),
        "blanks": dict(blanks),
        "declared": declaration(spec),
        "aliases": {name: dict(known) for name, known in result.aliases.items()},
        "tables": _fingerprint(result.parameters, result.pairs, result.records),
    }
    return pd.DataFrame(
        {"name": list(kept), "value": [json.dumps(value) for value in kept.values()]}, dtype="str"
    )


def state_of(
    table: pd.DataFrame, parameters: pd.DataFrame, pairs: pd.DataFrame, records: pd.DataFrame
) -> LinkageState | None:
    """Read a state from the tables of a run; None where they are not of one run, because one failed halfway."""
    kept = {name: json.loads(value) for name, value in zip(table["name"], table["value"], strict=True)}
    if kept.pop("tables", None) != _fingerprint(parameters, pairs, records):
        return None
    kept["rules"] = tuple(tuple(rule) for rule in kept["rules"])
    return LinkageState(parameters=parameters, pairs=pairs, records=records, **kept)


def link_again(
    registers: Mapping[str, pd.DataFrame],
    spec: LinkageSpec,
    judgements: pd.DataFrame | None,
    state: LinkageState | None,
    *,
    retrain_after: float = 0.2,
) -> tuple[LinkageResult, bool]:
    """Link what is new to what is there, or all of it anew where that is due.

    Args:
        registers: Name to table, new and old records alike.
        spec: The declaration.
        judgements: As for `link_registers`.
        state: What the last run left, or None.
        retrain_after: A full run is due when more than this share of the records trained on came, changed or left.

    Returns:
        The result, whose notes say how much was new or why everything was linked anew; and whether it was anew.
    """
    why = "there is no earlier run" if state is None else ""
    if state is not None and state.declared != declaration(spec):
        why = "the declaration changed"
    if state is None or why:
        return _noted(link_registers(registers, spec, judgements), f"everything was linked anew: {why}"), True
    prepared = prepare(registers, spec)
    new = _new(prepared.records, state.records)
    why = drift(prepared.records, new, state, retrain_after)
    if why:
        return _noted(link_registers(registers, spec, judgements), f"everything was linked anew: {why}"), True

    def scorer(prepared: Prepared, rules: tuple[Rule, ...], spec: LinkageSpec) -> Weighed:
        kept = _kept_pairs(prepared.records, state, new)
        return weighed_again(prepared, rules, spec, state.parameters, state.prior, state.aliases, new, kept)

    fixed = dataclasses.replace(spec, blocking=state.rules)
    result = link_registers(registers, fixed, judgements, scorer=scorer)
    return _noted(result, f"{int(new.sum())} new or changed records were linked to what was there"), False


def drift(records: pd.DataFrame, new: np.ndarray, state: LinkageState, retrain_after: float) -> str:
    """Say why the model should be trained anew, or nothing.

    Args:
        records: Normalised records.
        new: Whether each is new or changed.
        state: What the last run left.
        retrain_after: As for `link_again`.
    """
    fields = [name for name in records.columns if name not in _KEYS]
    if set(fields) != set(state.blanks):
        return "other fields are filled"
    moved = int(new.sum()) + max(0, len(state.records) - int((~new).sum()))
    grown = abs(len(records) - state.trained_on)
    if max(moved, grown) > retrain_after * state.trained_on:
        return (
            f"more than {retrain_after:.0%} of the records came, changed or left since the model was trained"
        )
    if new.sum() >= _FEWEST_FOR_DRIFT:
        for name, share in _blanks(records[new]).items():
            if abs(share - state.blanks[name]) > BLANK_DRIFT:
                return (
                    f"{name} is blank in {share:.0%} of the new records and was in {state.blanks[name]:.0%}"
                )
    return ""


def _new(records: pd.DataFrame, before: pd.DataFrame) -> np.ndarray:
    """Mark the records whose id or compared values were not there before."""
    columns = [name for name in records.columns if name in before.columns]
    hashed = [
        pd.util.hash_pandas_object(frame[columns].astype("str").fillna("\x00"), index=False)
        for frame in (records, before)
    ]
    if len(columns) != len(records.columns):
        return np.ones(len(records), dtype=bool)
    return (~hashed[0].isin(set(hashed[1]))).to_numpy()


def _blanks(records: pd.DataFrame) -> dict[str, float]:
    fields = [name for name in records.columns if name not in _KEYS]
    return {name: float(records[name].isna().mean()) for name in fields}


def _fingerprint(*tables: pd.DataFrame) -> str:
    total = hashlib.sha256()
    for table in tables:
        hashed = pd.util.hash_pandas_object(table.reset_index(drop=True), index=False)
        total.update(hashed.to_numpy().tobytes())
    return total.hexdigest()


def _noted(result: LinkageResult, note: str) -> LinkageResult:
    return dataclasses.replace(result, notes=(*result.notes, note))


def _kept_pairs(records: pd.DataFrame, state: LinkageState, new: np.ndarray) -> Pairs:
    """Return the reported pairs of records that stayed as they were, as present row numbers."""
    at = pd.MultiIndex.from_frame(records[_KEYS])
    left, right = (
        at.get_indexer(pd.MultiIndex.from_frame(state.pairs[[f"register_{side}", f"record_{side}"]]))
        for side in "lr"
    )
    stayed = (left >= 0) & (right >= 0)
    stayed &= ~new[left] & ~new[right]
    sides = np.stack([left[stayed], right[stayed]])
    return sides.min(axis=0), sides.max(axis=0)
