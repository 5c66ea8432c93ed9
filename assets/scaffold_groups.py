"""`dg scaffold defs assets.GroupComparison NAME`: a commented draft over one table of records.

As in `assets.scaffold`, names and shapes of columns are read and nothing of a cell.
"""

import dagster as dg

from assets.scaffold import columns_of, columns_text, head, path_text, quoted
from assets.scaffold_studies import DISCLOSE, FileParams, _FromFile
from hrtech.sources import ColumnSpec, words_of_name

GROUPS = """\
  # One row a record.
  source:
    path: {path}
    columns:
{columns}
  # Columns whose values make the groups; of several, each combination is one.
  groups: [{group}]
  # What is compared. count: records. share: records with a condition, among those in which it is known. rate: events
  # by an exposure column, or by a denominator from a table of its own. mean, median: of a column of numbers.
  # A blank is unknown, not no: of a column that says yes or nothing, the condition is not is_missing(column).
  measures:
    - {{name: records, kind: count}}
    # - {{name: minors, kind: share, condition: age < 18, words: share of minors}}
    # - {{name: reports, kind: rate, denominator: population, scale: 100000, words: reports}}
  # denominators:
  #   path: population.csv
  #   columns:
  #     - {{name: region, role: category}}
  #     - {{name: population, role: number}}
  # Conditions that a record must meet.
  # filters: [age >= 18]
  # Windows: a date (then every: month, quarter, half_year or year), a number, or words that sort.
  {period}
  # Columns whose mix is made the same in every group before they are compared.
  standardise: []
  # Who is behind a record, where one person may have several.
  # subject: person_id
"""
_TIMES = frozenset({"date", "month", "quarter", "period", "year", "week", "time"})


class GroupScaffolder(_FromFile):
    """Drafts a GroupComparison over one table of records."""

    def draft(self, request: dg.ScaffoldRequest[FileParams]) -> str:
        """Return the text of the defs.yaml."""
        source = request.params.source
        columns = columns_of(source) or [
            ColumnSpec("region", "category"),
            ColumnSpec("date", "date"),
            ColumnSpec("age", "number"),
        ]
        grouping = next(
            (c.name for c in columns if c.role == "category" and not words_of_name(c.name) & _TIMES), None
        )
        dated = next((c.name for c in columns if c.role == "date"), None)
        named = next(
            (c.name for c in columns if words_of_name(c.name) & _TIMES and c.role != "leave_out"), None
        )
        time = dated or named
        return (
            head(request.type_name, request.target_path.name, source)
            + GROUPS.format(
                path=path_text(source, request.project_root),
                columns=columns_text(columns, banded=False),
                group=quoted(grouping or "name a column"),
                period=f"period: {quoted(time)}" if time else "# period: date",
            )
            + DISCLOSE
        )
