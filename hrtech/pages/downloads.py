"""Files that a study gives out beside its page: checked, listed with size and hash, and led back to their source.

Here: the table of files as pages see it (`name`, `media_type`, `about`, `content`). What is in the files is decided
where they are made (`hrtech.release.formats`); they are part of the site, so an approval covers them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from hrtech.pages.errors import PageError
from hrtech.pages.provenance import Lineage

#: Noun of the asset that holds a study's files.
NOUN: Final = "files"
_COLUMNS: Final = ("name", "media_type", "about", "content")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STUDY: Final = re.compile(r"[a-z0-9_]+")
#: Media types that a browser shows; the others are saved.
_SHOWN: Final = ("text/html", "text/plain")


def files_asset(study: str) -> str:
    """The key of the asset that holds a study's files."""
    return f"{study}/{NOUN}"


def check_downloads(downloads: Mapping[str, pd.DataFrame], studies: Iterable[str], assets: Lineage) -> None:
    """Check that files have safe names, belong to a report, and come from what may be shown to everyone.

    Raises:
        PageError: They do not; the message names the study and the mend.
    """
    told = set(studies)
    for study, frame in downloads.items():
        who = f"the files of {study}"
        if study not in told or not _STUDY.fullmatch(study):
            raise PageError(f"{who} have no report to stand beside; tell the study too")
        missing = [name for name in _COLUMNS if name not in frame.columns]
        if missing:
            raise PageError(f"{who} need the columns {', '.join(missing)}")
        names = frame["name"].tolist()
        if len({name.lower() for name in names}) != len(names):
            raise PageError(f"{who}: a name is given twice, or differs from another in capitals only")
        if not all(_NAME.fullmatch(name) for name in names):
            raise PageError(
                f"{who}: a name is not in letters, digits and . _ -, beginning with a letter or digit"
            )
        assets.require_public(files_asset(study), who)


def download_files(downloads: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, bytes]]:
    """The files by their path in the site: media type and content."""
    return {
        _path(study, name): (media_type, content)
        for study, frame in downloads.items()
        for name, media_type, content in zip(
            frame["name"], frame["media_type"], frame["content"], strict=True
        )
    }


def download_views(study: str, frame: pd.DataFrame | None, root: str) -> list[dict[str, Any]]:
    """What a template shows of a study's files, in their order.

    Args:
        study: The study.
        frame: Its files, or None.
        root: Way from the page to the root of the site.
    """
    if frame is None:
        return []
    return [
        {
            "href": root + _path(study, name),
            "name": name,
            "about": about,
            "size": size_in_words(len(content)),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "opens": media_type.startswith(_SHOWN),
        }
        for name, media_type, about, content in zip(*(frame[column] for column in _COLUMNS), strict=True)
    ]


def size_in_words(size: int) -> str:
    """A size for people: bytes, kB (1,000 bytes) or MB."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.1f} kB" if size < 999_950 else f"{size / 1e6:,.1f} MB"


def _path(study: str, name: str) -> str:
    return f"{NOUN}/{study}/{name}"
