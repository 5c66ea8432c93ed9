"""Counts of attribute combinations, by columns and not by records.

Encode a table once, then count every combination up to a length:

    >>> import pandas as pd
    >>> records = pd.DataFrame({"sex": ["F", "F", None], "age": ["adult", "minor", "minor"]}, dtype="str")
    >>> counts = count_combinations(encode(records, ["sex", "age"]), 2)
    >>> counts.count_of([("age", "minor"), ("sex", "F")])
    1

Belongs here: attributes and their canonical text, encoding, exact counts. Noise, thresholds and any
promise about privacy do not.
"""

from hrtech.counts.attributes import (
    Attribute,
    parse_attributes,
    render_attribute,
    render_attributes,
    render_cells,
)
from hrtech.counts.combinations import (
    MAX_CELLS,
    Combinations,
    TooManyCells,
    count_combinations,
    possible_cells,
)
from hrtech.counts.encoding import (
    ABSENT,
    Encoded,
    EncodedColumn,
    EncodingError,
    encode,
)
from hrtech.counts.restriction import limit_attributes, restrict_values

__all__ = [
    "ABSENT",
    "MAX_CELLS",
    "Attribute",
    "Combinations",
    "Encoded",
    "EncodedColumn",
    "EncodingError",
    "TooManyCells",
    "count_combinations",
    "encode",
    "limit_attributes",
    "parse_attributes",
    "possible_cells",
    "render_attribute",
    "render_attributes",
    "render_cells",
    "restrict_values",
]
