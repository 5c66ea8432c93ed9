"""`python -m resources.privacy_ledger COMMAND`, for an operator.

create | verify | statement | again KEY FOLDER | backup FILE | restore FILE
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hrtech.privacy.errors import LedgerError
from hrtech.privacy.statements import statement
from resources.home import HomeError
from resources.ledger_database import LedgerDatabase
from resources.privacy_ledger import PrivacyLedger


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 when the ledger does not verify or the command is refused.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    ledger = PrivacyLedger(
        url=options.url or os.environ.get("HRTECH_LEDGER_URL", ""),
        home=options.home,
        populations=options.populations,
    )
    command: Callable[[PrivacyLedger, argparse.Namespace], str] = options.command
    try:
        print(command(ledger, options))
    except (LedgerError, HomeError, ValueError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m resources.privacy_ledger", description=__doc__)
    parser.add_argument("--home", default="", help="folder of all state; default: $HRTECH_HOME")
    parser.add_argument(
        "--url", default="", help="database; default: $HRTECH_LEDGER_URL, or the home's SQLite file"
    )
    parser.add_argument(
        "--populations",
        default="",
        help="folder of populations; default: budgets as the ledger recorded them",
    )
    commands = parser.add_subparsers(required=True)
    commands.add_parser(
        "create", help="create tables, key and first entry before the first release does"
    ).set_defaults(command=_create)
    commands.add_parser("verify", help="check the chain, the kept bytes and the triggers").set_defaults(
        command=_verify
    )
    commands.add_parser("statement", help="print what was spent on whom, when and why").set_defaults(
        command=_statement
    )
    again = commands.add_parser("again", help="write the files of a past release, byte for byte")
    again.add_argument("key", help="release key, or its first 16 digits as the statement tells them")
    again.add_argument("folder", type=Path, help="folder to write to; made, or empty")
    again.set_defaults(command=_again)
    for name, command, text in (
        ("backup", _backup, "copy the ledger into a new SQLite file"),
        ("restore", _restore, "copy a backup into an empty ledger"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("file", type=Path)
        sub.set_defaults(command=command)
    return parser


def _create(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    session = ledger.session()
    session.open()
    return f"The ledger is at {session.database.shown}, its key at {session.key_path}. Back both up, apart."


def _verify(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    entries = ledger.session().verify()
    head = f", head {entries[-1].head}" if entries else ""
    return f"The ledger holds together: {len(entries)} entries{head}."


def _statement(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    text = ledger.statement() if options.populations else statement(ledger.entries())
    return text.rstrip()


def _again(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    artefacts = ledger.again(options.key)
    folder: Path = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is no empty folder; a past release never replaces anything.")
    for name in artefacts:
        if name != Path(name).name or "\\" in name or name.startswith("."):
            raise ValueError(f"{name!r} is no name of a file: nothing was written.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in sorted(artefacts.items()):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return f"{len(artefacts)} files written to {folder}: {', '.join(sorted(artefacts))}. Nothing was charged."


def _backup(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    ledger.verify()
    target = LedgerDatabase(f"sqlite:///{options.file.absolute()}")
    count = ledger.session().database.copy_to(target)
    return f"{count} entries copied to {options.file}. Keep the key apart from it."


def _restore(ledger: PrivacyLedger, options: argparse.Namespace) -> str:
    if not options.file.is_file():
        raise ValueError(f"There is no backup at {options.file}.")
    session = ledger.session()
    backup = LedgerDatabase(f"sqlite:///{options.file.absolute()}")
    # first see whether it is whole and new enough: what is restored cannot be taken away again
    replace(session, database=backup).verify()
    count = backup.copy_to(session.database)
    return f"{count} entries restored; the ledger holds together and is not behind any known manifest."
