"""Judgements: what people decided about pairs of records, as a table that a study reads like any other input."""

from collections.abc import Sequence
from pathlib import Path

from assets.source import JUDGED, Column, Source, add_records
from assets.study import Made, Output, StudyAssets
from hrtech.linkage.judgements import FILE_COLUMNS, STANDS, judgement_log
from resources.judged import judged_fingerprint, read_judged

GIVEN = "judgements_of_file"


def add_judgements(assets: StudyAssets, registers: Sequence[str], file: str | None, root: Path) -> None:
    """Add the asset `judgements`: the decisions of the casework forms, and of a file where there is one.

    Args:
        assets: The study's assets.
        registers: Tables whose records the decisions are about.
        file: CSV of decisions, with the columns of `FILE_COLUMNS`.
        root: Folder that relative paths start from.
    """
    if file is not None:
        columns = [Column(name=name, role="text") for name in FILE_COLUMNS]
        described = "Decisions about pairs, as the file holds them."
        add_records(assets, Source(path=file, columns=columns), root, name=GIVEN, description=described)

    @assets.asset(
        Output(
            "judgements",
            "What people decided about pairs of records: who, when, why, and whether it still holds.",
            about_entities=True,
        ),
        zone="restricted",
        inputs={GIVEN: GIVEN} if file is not None else {},
        after=registers,
        settings=[file],
        resources=("restricted",),
        metadata={"hrtech/source_path": JUDGED + assets.study},
    )
    def judgements(context, **given):
        """Read the log; it is only ever added to."""
        files = context.resources.restricted.files()
        version = judged_fingerprint(files, assets.study)
        log = judgement_log(read_judged(files, assets.study), given.get(GIVEN))
        counts = {
            "decisions": len(log),
            "standing": int((log["status"] == STANDS).sum()),
            "not_usable": int(log["status"].str.startswith("not usable").sum()),
        }
        return Made(log, metadata=counts, tags={"hrtech/source": version[:60]})
