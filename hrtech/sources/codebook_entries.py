"""What a codebook says, entry by entry, before it is checked as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One value of one column.

    Attributes:
        at: Where it stands, for `Documented.locate`.
        column: The column.
        value: The value.
        label: What it means, or empty.
        parent: The coarser value that it belongs to, or empty.
    """

    at: int
    column: str
    value: str
    label: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Documented:
    """A codebook as it was read.

    Attributes:
        entries: Its values, in order.
        labels: Column → what it means.
        locate: Place of an entry → row or line of the file; asked only for a message, because it may walk the file.
        row_word: "row" or "line".
    """

    entries: list[Entry]
    labels: dict[str, str] = field(default_factory=dict)
    locate: Callable[[int], int] = int
    row_word: str = "row"
