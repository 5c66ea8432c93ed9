"""Writing a notebook (Jupyter format 4.5) and what stands in its cells."""

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

import pandas as pd


def written(cells: Sequence[tuple[str, str]]) -> str:
    """Return a notebook as JSON.

    Args:
        cells: Kind (`markdown` or `code`) and text of each cell.
    """
    book = {
        "cells": [_cell(place, kind, text) for place, (kind, text) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, ensure_ascii=False, indent=1)


def _cell(place: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{place}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def call(value: Any, default: Any, always: Collection[str] = ()) -> str:
    """Write a dataclass as a call with the fields that are not as by default, and those of `always`."""
    name = type(value).__name__
    given = [
        f"    {one.name}={getattr(value, one.name)!r},"
        for one in fields(value)
        if one.name in always or getattr(value, one.name) != getattr(default, one.name)
    ]
    return "\n".join([f"{name}(", *given, ")"]) if given else f"{name}()"


def markdown_table(frame: pd.DataFrame) -> str:
    """Write a table in Markdown."""
    heads = [str(name).replace("_", " ") for name in frame.columns]
    body = [[str(value).replace("|", "\\|") for value in row] for row in frame.to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *body])
