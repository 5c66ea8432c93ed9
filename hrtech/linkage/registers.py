"""Registers of any shape made into one table of comparable fields.

The prepared table has one row per record: `register`, `record_id` (text), and for each usable field its normalised
value under the field's name. Everything that may be wrong with a register is said here, before any pair is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hrtech.linkage.encoded import check_encodings
from hrtech.linkage.normalise import normalise
from hrtech.linkage.spec import FieldSpec, LinkageError, LinkageSpec


@dataclass(frozen=True)
class Prepared:
    """Registers ready to be linked.

    Attributes:
        records: `register`, `record_id`, one normalised column per usable field; a fresh 0-based index.
        fields: The fields that hold at least one value.
        registers: Names of the registers, in the order given.
        notes: What was left out or could not be read, in words and counts.
    """

    records: pd.DataFrame
    fields: tuple[FieldSpec, ...]
    registers: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(registers: Mapping[str, pd.DataFrame], spec: LinkageSpec) -> Prepared:
    """Check the registers against the declaration and normalise their fields.

    Raises:
        LinkageError: A register or column is missing, an id is blank or used twice, no field holds a value, or the
            mode does not fit the number of registers.
    """
    _check_registers(registers, spec)
    check_encodings(registers, spec)
    tables, notes = [], []
    for register, frame in registers.items():
        table = pd.DataFrame({"register": register, "record_id": _ids(register, frame, spec)})
        for one in spec.fields:
            column = one.column(register)
            if column is None:
                table[one.name] = pd.Series(pd.NA, index=table.index, dtype="str")
                notes.append(f"register {register} has no column for field {one.name}")
                continue
            if column not in frame.columns:
                raise LinkageError(
                    f"Register '{register}' has no column '{column}' for field '{one.name}'. "
                    "Name the right column, or leave the register out of the field [setting: fields.columns]"
                )
            raw = frame[column].reset_index(drop=True)
            table[one.name] = normalise(raw, one.kind, _region(register, frame, one))
            if lost := int(
                (raw.notna() & (raw.astype("str").str.strip() != "") & table[one.name].isna()).sum()
            ):
                notes.append(f"register {register}, column {column}: {lost} values not usable as {one.kind}")
        tables.append(table)
    records = pd.concat(tables, ignore_index=True)
    usable = tuple(one for one in spec.fields if records[one.name].notna().any())
    notes += [
        f"field {one.name} is blank in every record and was left out"
        for one in spec.fields
        if one not in usable
    ]
    if not usable:
        raise LinkageError(
            "Every declared field is blank in every record. Check the columns [setting: fields]"
        )
    kept = ["register", "record_id", *(one.name for one in usable)]
    return Prepared(records[kept], usable, tuple(registers), tuple(notes))


def _region(register: str, frame: pd.DataFrame, one: FieldSpec) -> pd.Series | str | None:
    """Return where the phone numbers of a register are from, as far as that was declared."""
    given = one.region_columns
    column = given if isinstance(given, str) else given.get(register, "")
    if not column:
        return (one.region if isinstance(one.region, str) else one.region.get(register)) or None
    if column not in frame.columns:
        raise LinkageError(
            f"Register '{register}' has no column '{column}' with the country of field '{one.name}'. Name the right "
            "column [setting: fields.region_columns]"
        )
    return frame[column].reset_index(drop=True)


def _check_registers(registers: Mapping[str, pd.DataFrame], spec: LinkageSpec) -> None:
    if spec.mode == "deduplicate" and len(registers) != 1:
        raise LinkageError(
            f"Mode deduplicate works on one register, not on {len(registers)}. Use mode both, or one study each "
            "[setting: mode]"
        )
    if spec.mode == "link" and len(registers) < 2:
        raise LinkageError(
            "Mode link needs at least two registers. Use mode deduplicate for one [setting: mode]"
        )
    named = [name for one in spec.fields if not isinstance(one.columns, str) for name in one.columns]
    named += list(spec.duplicate_free) + (
        list(spec.id_columns) if not isinstance(spec.id_columns, str) else []
    )
    if unknown := sorted(set(named) - set(registers)):
        raise LinkageError(
            f"Settings name registers that are not there: {', '.join(unknown)}. There are {', '.join(registers)} "
            "[setting: fields.columns, id_columns, duplicate_free]"
        )
    for name, frame in registers.items():
        if frame.empty:
            raise LinkageError(f"Register '{name}' has no records. Check its source")
    if sum(map(len, registers.values())) < 2:
        raise LinkageError("There are fewer than two records: nothing can be linked")


def _ids(register: str, frame: pd.DataFrame, spec: LinkageSpec) -> pd.Series:
    column = spec.id_column(register)
    if column not in frame.columns:
        raise LinkageError(
            f"Register '{register}' has no column '{column}' that identifies its records. Name it [setting: id_columns]"
        )
    ids = frame[column].reset_index(drop=True)
    if blank := int(ids.isna().sum()):
        raise LinkageError(
            f"Register '{register}', column '{column}': {blank} records have no id. Give every record one "
            "[setting: id_columns]"
        )
    texts = ids.astype("str")
    if twice := int(texts.duplicated(keep=False).sum()):
        raise LinkageError(
            f"Register '{register}', column '{column}': {twice} records share an id with another. "
            "An id must name one record [setting: id_columns]"
        )
    return texts
