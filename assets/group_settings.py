"""Settings of the measures of a GroupComparison."""

from pydantic import Field

from assets.settings import Settings
from hrtech.groups.question import Kind, Measure


class GroupMeasure(Settings):
    """What is compared."""

    name: str = Field(description="Name in lower-case letters, digits and underscores.")
    kind: Kind = Field(
        description="count of records; share of records with a condition; rate of events by exposure; mean or median "
        "of a column of numbers."
    )
    condition: str | None = Field(
        default=None,
        description='Condition over columns, such as contains(means, "Debt") and age >= 18; a record where it is '
        "unknown does not count.",
    )
    events: str | None = Field(
        default=None,
        description="Of a rate: column with the number of events of a row; by default each is one.",
    )
    exposure: str | None = Field(default=None, description="Of a rate: column with the exposure of a row.")
    denominator: str | None = Field(
        default=None,
        description="Of a rate: column of the denominators, such as the population of each group.",
    )
    column: str | None = Field(default=None, description="Of a mean or median: column of numbers.")
    scale: float = Field(
        default=1.0, gt=0, description="A rate is told per so much exposure, such as 100000."
    )
    words: str = Field(
        default="", max_length=120, description="What it is in a sentence, such as share in debt."
    )
    truth: str | None = Field(
        default=None,
        description="column:value of a simulated world's true counts that the condition is about.",
    )

    def measure(self) -> Measure:
        """Return it as the science knows it."""
        return Measure(**self.model_dump())
