"""`python -m resources.private_linkage COMMAND`, for an organisation that links its records without showing them.

key FILE | check FILE | encode SCHEME RECORDS OUTPUT | own MATCHES TOKENS OUTPUT

Runs on the organisation's own machine and reaches no network. Only the output of `encode` is ever sent; the key and
the table of tokens never leave.
"""

import argparse
import io
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import yaml

from hrtech.linkage.encoding import EncodingScheme, encode, key_check, scheme_of
from hrtech.linkage.spec import LinkageError
from hrtech.sources import ColumnSpec, SourceError, read_source
from resources.keys import KeyFileError, read_key, read_or_create_key

_SUFFIXES: Final = (".parquet", ".csv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 when it is refused.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], str] = options.command
    try:
        print(command(options))
    except (LinkageError, SourceError, KeyFileError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m resources.private_linkage", description=__doc__)
    commands = parser.add_subparsers(required=True)
    key = commands.add_parser("key", help="make a new secret key; one side does, and hands it to the other")
    key.add_argument("file", type=Path)
    key.set_defaults(command=_key)
    check = commands.add_parser("check", help="print a key's check value, which both sides compare by phone")
    check.add_argument("file", type=Path)
    check.set_defaults(command=_check)
    make = commands.add_parser("encode", help="write a file that holds encodings and random tokens only")
    make.add_argument("scheme", type=Path, help="YAML file that both sides agreed on; no secret")
    make.add_argument("records", help="file of your records: CSV, Parquet, Excel or JSON lines")
    make.add_argument("output", type=Path, help="new file, .parquet or .csv")
    make.add_argument("--key", type=Path, required=True, help="key file")
    make.add_argument("--id", required=True, help="column that tells your records apart")
    make.add_argument(
        "--tokens", type=Path, required=True, help="new .csv that says which token is whose; yours alone"
    )
    make.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="PART=COLUMN",
        help="where a column is called otherwise",
    )
    make.set_defaults(command=_encode)
    own = commands.add_parser("own", help="put your own ids to the matched tokens that came back")
    own.add_argument("matches", help="file with the columns record_id (tokens) and entity_id")
    own.add_argument("tokens", help="your table of tokens")
    own.add_argument("output", type=Path, help="new file, .parquet or .csv")
    own.set_defaults(command=_own)
    return parser


def _key(options: argparse.Namespace) -> str:
    if options.file.exists():
        raise LinkageError(f"There is already a file {options.file}; a key is never replaced. Name another")
    key = read_or_create_key(options.file)
    return (
        f"New key at {options.file}, check value {key_check(key)}. Hand it over in person or encrypted, never beside "
        "encodings, and never to whoever compares them."
    )


def _check(options: argparse.Namespace) -> str:
    return f"Check value {key_check(read_key(options.file))}."


def _encode(options: argparse.Namespace) -> str:
    scheme, key = _scheme(options.scheme), read_key(options.key)
    for path, suffixes in ((options.output, _SUFFIXES), (options.tokens, (".csv",))):
        _check_new(path, suffixes)
    columns = {part.name: part.name for part in scheme.parts()} | _renamed(options.column, scheme)
    wanted = dict.fromkeys(columns.values())
    specs = [ColumnSpec(options.id, "identifier", unique=True)]
    specs += [ColumnSpec(column, "text") for column in wanted if column != options.id]
    records = read_source(options.records, columns=specs)
    if blank := int(records[options.id].isna().sum()):
        raise LinkageError(f"{blank} records have no {options.id}. Give every record one [option: --id]")
    tokens = pd.Series([secrets.token_hex(16) for _ in range(len(records))], index=records.index, dtype="str")
    table = pd.DataFrame({part: records[column] for part, column in columns.items()})
    encoded = encode(table, scheme, key, tokens)
    resolved = pd.DataFrame({"record_id": tokens, "own_id": records[options.id]}).sort_values("record_id")
    _write(resolved, options.tokens)
    _write(encoded, options.output)
    blanks = "; ".join(
        f"{field.name}: {int(encoded[field.name].isna().sum())} blank" for field in scheme.fields
    )
    return (
        f"{len(encoded)} records encoded to {options.output} ({blanks}), key check value {key_check(key)}. Send this "
        f"file alone. {options.tokens} tells which token is whose: keep it, and the key, to yourselves."
    )


def _own(options: argparse.Namespace) -> str:
    _check_new(options.output, _SUFFIXES)
    kinds = {"matches": ("record_id", "entity_id"), "tokens": ("record_id", "own_id")}
    matches, tokens = (
        read_source(getattr(options, name), columns=[ColumnSpec(column, "identifier") for column in columns])
        for name, columns in kinds.items()
    )
    shared = matches.groupby("entity_id")["record_id"].transform("size") > 1
    own = tokens.merge(matches[shared], on="record_id", validate="one_to_one")
    _write(own[["own_id", "entity_id"]].sort_values(["entity_id", "own_id"]), options.output)
    return f"{len(own)} of your {len(tokens)} records are in an entity with another: {options.output}."


def _scheme(path: Path) -> EncodingScheme:
    try:
        return scheme_of(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LinkageError(
            f"The scheme {path} cannot be read ({type(error).__name__}). Check file and YAML"
        ) from None


def _renamed(given: Sequence[str], scheme: EncodingScheme) -> dict[str, str]:
    known = {part.name for part in scheme.parts()}
    renamed = {}
    for text in given:
        part, sign, column = text.partition("=")
        if not sign or not column or part not in known:
            raise LinkageError(
                f"--column {text} is no PART=COLUMN. The scheme's parts: {', '.join(sorted(known))}"
            )
        renamed[part] = column
    return renamed


def _check_new(path: Path, suffixes: Sequence[str]) -> None:
    if path.suffix not in suffixes:
        raise LinkageError(f"{path} must end in {' or '.join(suffixes)}")
    if path.exists() or not path.parent.is_dir():
        raise LinkageError(
            f"{path} exists already, or its folder does not. Name a new file in a folder that is there"
        )


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write a new file that its owner alone can read."""
    content = io.BytesIO()
    if path.suffix == ".parquet":
        frame.to_parquet(content, index=False)
    else:
        frame.to_csv(content, index=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.getvalue())


if __name__ == "__main__":
    sys.exit(main())
