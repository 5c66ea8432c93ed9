"""Taking down pages of single entities from the published site at once, without an approval: to tell less needs none.

What the candidate no longer holds (an approval that lapsed, a correction that is pending, evidence that changed) goes
from the site: the page, its downloads, its line in the list. The page's address answers with a sentence that names
nobody, and the manifest says what was taken down.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pandas as pd

_LIST: Final = "pages.json"
GONE: Final = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Withdrawn</title></head>'
    "<body><main><h1>This page was withdrawn</h1><p>What it said is not told any more.</p></main></body></html>\n"
)


def withdraw_entities(site: Path, candidate: pd.DataFrame) -> list[str]:
    """Take down the pages of entities that a candidate does not hold with the same evidence.

    Args:
        site: Folder of the published site; it need not exist.
        candidate: Files as they would be published: `path`, `content`.

    Returns:
        The pages that were taken down, by path.
    """
    holding: dict[str, Any] = {}
    for path, content in zip(candidate["path"], candidate["content"], strict=True):
        if path.startswith("entities/") and path.endswith(f"/{_LIST}"):
            holding |= json.loads(bytes(content))["pages"]
    gone: list[str] = []
    for listing in sorted((site / "entities").glob(f"*/{_LIST}")):
        held = json.loads(listing.read_bytes())
        wrong = [
            path
            for path, page in held["pages"].items()
            if page["state"] == "published" and holding.get(path, {}).get("evidence") != page["evidence"]
        ]
        for path in wrong:
            _take_down(site, path, held["pages"].pop(path)["files"])
        if wrong:
            _write(listing, (json.dumps(held, indent=1, sort_keys=True) + "\n").encode())
            _unlist(listing.with_name("index.html"), wrong)
        gone += wrong
    if gone:
        _correct_manifest(site, gone)
    return gone


def _take_down(site: Path, page: str, files: list[str]) -> None:
    for path in files:
        _inside(site, path).unlink(missing_ok=True)
    _write(_inside(site, page), GONE.encode())


def _unlist(listing: Path, pages: list[str]) -> None:
    """Remove the lines of the list that lead to pages."""
    names = [f'href="{page.rsplit("/", 1)[1]}"' for page in pages]
    lines = listing.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not (line.startswith("<li>") and any(name in line for name in names))]
    _write(listing, "".join(kept).encode())


def _correct_manifest(site: Path, gone: list[str]) -> None:
    path = site / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"] = {
        name: hashlib.sha256((site / name).read_bytes()).hexdigest()
        for name in manifest["files"]
        if (site / name).is_file()
    }
    manifest["withdrawn"] = sorted({*manifest.get("withdrawn", []), *gone})
    _write(path, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())


def _inside(site: Path, path: str) -> Path:
    target = (site / path).resolve()
    if not target.is_relative_to(site.resolve()):
        raise ValueError(f"The path {path!r} leaves the site folder.")
    return target


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(content)
    draft.replace(path)
