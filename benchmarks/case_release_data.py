"""Tables that the release of case records is measured on, as text for the judge and the peer and typed for us.

By default two that nobody tuned on: case records of the mock world, whose countries and means of control have long
tails, and the women who answered a magazine's questionnaire in 1974 (`fair` of statsmodels, one row a person), whose
numbers are banded at cut points fixed here.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.mock import generate_world
from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.layout import count_cells

SEPARATOR = ";"
#: The file on which the engine was tuned: stricter figures apply to it.
TUNED_ON = "ctdc_victim_perpetrator.csv"
#: Columns of the mock world that a release tells.
COLUMNS = (
    "gender",
    "age_band",
    "majority_status",
    "citizenship",
    "country_of_exploitation",
    "labour_sector",
    "type_of_exploitation",
    "means_of_control",
)
_LISTS = pd.ArrowDtype(pa.list_(pa.string()))


@dataclass(frozen=True)
class Table:
    """A file, read as the benchmarks read it.

    Attributes:
        path: The file, for the peer.
        text: Its cells: blank is unknown, "0" is no, `;` stands between several values.
    """

    path: Path
    text: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> "Table":
        """Read a CSV."""
        cells = pd.read_csv(path, dtype=str, keep_default_na=False)
        return cls(path, cells.apply(lambda column: column.str.strip()))

    @property
    def name(self) -> str:
        """What lines call it."""
        return self.path.stem

    @property
    def tuned(self) -> bool:
        """Whether the engine was tuned on it."""
        return self.path.name == TUNED_ON

    @property
    def delta(self) -> float:
        """The peer's default, from the exact number of rows, for both alike."""
        n = len(self.text)
        return 1 / (n * math.log(n))

    @cached_property
    def typed(self) -> pd.DataFrame:
        """Our reading of the same text: blanks unknown, cells with `;` lists."""
        made = {}
        for name in self.text:
            cells = self.text[name]
            if cells.str.contains(SEPARATOR, regex=False).any():
                split = [sorted({v.strip() for v in cell.split(SEPARATOR)} - {""}) or None for cell in cells]
                made[name] = pd.Series(split, dtype=_LISTS)
            else:
                made[name] = cells.where(cells != "", None).astype("str")
        return pd.DataFrame(made)

    @property
    def schema(self) -> ReleaseSchema:
        """Which columns hold several values is public, as the peer is told it; every list of values is paid for."""
        typed = self.typed
        return ReleaseSchema(
            tuple(
                ReleaseColumn(c, multi_valued=isinstance(typed[c].dtype, pd.ArrowDtype))
                for c in typed.columns
            )
        )

    def part(self, rows: int, columns: int, rng: np.random.Generator) -> "Table":
        """Some rows at random and the first columns."""
        kept = np.sort(rng.permutation(len(self.text))[:rows])
        return Table(self.path, self.text.iloc[kept, :columns].reset_index(drop=True))

    def grown(self, rows: int, columns: int, rng: np.random.Generator) -> "Table":
        """Resampled to so many rows; columns are copied and shuffled, or left out, until there are so many."""
        text = self.text.iloc[rng.integers(0, len(self.text), rows), :columns].reset_index(drop=True)
        names = list(text.columns)
        for k in range(columns - len(names)):
            copied = names[k % len(names)]
            text[f"{copied}_shuffled_{k + 1}"] = rng.permutation(text[copied].to_numpy())
        return Table(self.path, text)


def banded(table: Table, length: int, most_cells: int) -> Table:
    """Keep as many values of each column as leave so many combinations; of other values "other" is left, or nothing.

    A length at which too many combinations would be measured is refused with the advice to band columns. A table that
    has no more of them stays as it is.
    """
    found = {name: _values(cells) for name, cells in table.text.items()}
    several = {name for name, cells in table.text.items() if cells.str.contains(SEPARATOR, regex=False).any()}
    most = max(map(len, found.values()))
    while most > 1 and _cells(found, several, length, most) > most_cells:
        most -= 1
    text = {}
    for name, cells in table.text.items():
        kept = set(found[name][:most])
        text[name] = [_only(cell, kept, name in several) for cell in cells]
    return Table(table.path, pd.DataFrame(text))


def _values(cells: pd.Series) -> list[str]:
    """Values of a column, the most frequent first."""
    return [v for v in cells.str.split(SEPARATOR).explode().value_counts().index if v not in ("", "0")]


def _cells(found: dict[str, list[str]], several: set[str], length: int, most: int) -> int:
    """Combinations of up to a length where each column keeps so many values."""
    sizes: list[int] = []
    for name, values in found.items():
        n = min(len(values), most)
        sizes += [1] * n if name in several else [n + (len(values) > n)]
    return sum(count_cells(sizes, length)[1:])


def _only(cell: str, kept: set[str], several: bool) -> str:
    if several:
        return SEPARATOR.join(v for v in cell.split(SEPARATOR) if v in kept)
    return cell if cell in kept or cell in ("", "0") else "other"


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Typed records as the judge reads them."""
    return frame.apply(
        lambda column: column.map(
            lambda cell: SEPARATOR.join(cell) if isinstance(cell, list | np.ndarray) else cell
        )
    ).astype(object)


def default_tables(folder: Path, seed: int) -> list[Table]:
    """Write the default tables as files and read them."""
    made = {"mock_case_records": _mock(seed), "fair_1974": _fair()}
    for name, frame in made.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return [Table.read(folder / f"{name}.csv") for name in made]


def _mock(seed: int) -> pd.DataFrame:
    frame = generate_world("demo", seed).tables["case_records"][list(COLUMNS)]
    return as_text(frame).astype(object).where(frame.notna(), "")


def _fair() -> pd.DataFrame:
    """`fair`: numbers as bands; the names say what the numbers stand for, so that no "0" means anything."""
    from statsmodels.datasets import fair

    data = fair.load_pandas().data
    whole = ("rate_marriage", "religious", "occupation", "occupation_husb")
    bands = {
        "age": ([0, 20, 25, 30, 35, 40, 99], ["under 20", "20-24", "25-29", "30-34", "35-39", "40+"]),
        "yrs_married": ([0, 1, 4, 8, 12, 16, 99], ["under 1", "1-3", "4-7", "8-11", "12-15", "16+"]),
        "children": ([0, 0.5, 1.5, 2.5, 3.5, 99], ["none", "one", "two", "three", "four+"]),
        "educ": ([0, 10, 13, 15, 16.5, 99], ["grammar", "high school", "some college", "college", "more"]),
        "affairs": ([0, 1e-9, 1, 3, 7, 999], ["none", "under 1", "1-2", "3-6", "7+"]),
    }
    made = {name: data[name].astype(int).map("level {}".format) for name in whole}
    for name, (edges, labels) in bands.items():
        made[name] = pd.cut(data[name], edges, right=False, labels=labels).astype(str)
    return pd.DataFrame(made)[[c for c in data.columns if c in made]]
