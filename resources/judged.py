"""The judgements that the forms of casework pages recorded, read from the restricted lake.

A form adds one table, `lake/restricted/judgements/<study>/<id>.parquet`, which nothing changes or removes; so the names
of the tables tell whether there is anything new. What a judgement means is for the study that asked.
"""

import hashlib
from typing import Final

import pandas as pd

from resources.lake_files import ZoneFiles

JUDGEMENTS: Final = "judgements"
#: Columns of a judgement's table, one row a field that was filled in.
FORM_COLUMNS: Final = ("judgement_id", "study", "judged_at", "judged_by", "account", "field", "value")


def read_judged(files: ZoneFiles, study: str) -> pd.DataFrame:
    """Read all that was recorded about a study: columns `FORM_COLUMNS`, in the order of the ids.

    Raises:
        LakeError: A table does not open.
    """
    tables = [files.read((JUDGEMENTS, study), name) for name in _names(files, study)]
    if not tables:
        texts = {name: pd.Series(dtype="str") for name in FORM_COLUMNS}
        return pd.DataFrame(texts | {"judged_at": pd.Series(dtype="datetime64[us, UTC]")})
    return pd.concat(tables, ignore_index=True)[list(FORM_COLUMNS)]


def judged_fingerprint(files: ZoneFiles, study: str) -> str:
    """Return a text that changes when a judgement about the study was added; ids are random, so it tells nothing."""
    return hashlib.sha256("\n".join(["judgements", *_names(files, study)]).encode()).hexdigest()


def _names(files: ZoneFiles, study: str) -> list[str]:
    return [key[2] for key in files.tables() if key[:2] == (JUDGEMENTS, study) and len(key) == 3]
