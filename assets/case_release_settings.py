"""What a CaseRelease may declare besides its source: public knowledge about the columns, and k-anonymity's terms."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assets.settings import Settings


class Declared(Settings):
    """A number that is public knowledge."""

    number: int = Field(description="The number.", ge=1)
    says: str = Field(description="Who says so: a publication, a register, a person.", min_length=3)


class Hierarchy(Settings):
    """A column that refines another: a country its region, an age its band."""

    column: str = Field(description="The finer column.")
    parent: str = Field(description="The coarser column, also one of the columns.")
    values: dict[str, str] | None = Field(
        default=None,
        description="Value → value of the parent. By default from the codebook's column `parent`, or its groups.",
    )


class Impossible(Settings):
    """Values of two columns that nobody can hold together: public knowledge, not seen in the data."""

    one: dict[str, str] = Field(description="Column: value.", min_length=1, max_length=1)
    other: dict[str, str] = Field(description="Column: value.", min_length=1, max_length=1)
    says: str = Field(description="Who says so, or why it is so.", min_length=3)

    @property
    def pair(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The two attributes."""
        (one,), (other,) = self.one.items(), self.other.items()
        return one, other


class KAnonymity(Settings):
    """Terms of a k-anonymous release, by the names that Synthetic Data Showcase uses."""

    k: int = Field(
        ge=3, le=10_000, description="Fewest people behind anything told: the reporting resolution."
    )
    method: Literal["row_seeded", "value_seeded", "aggregate_seeded", "unseeded"] = Field(
        default="value_seeded", description="How synthetic records are made."
    )
    oversampling_ratio: float | None = Field(
        default=0.1, ge=0, description="value_seeded: how much more often than counted; null for no limit."
    )
    oversampling_tries: int = Field(default=10, ge=1, description="value_seeded: tries before a record ends.")
    weight_percentile: float = Field(
        default=95.0, ge=0, le=100, description="aggregate_seeded: weight of an attribute beyond the length."
    )
    use_synthetic_counts: bool = Field(
        default=True, description="aggregate_seeded: subtract what was made already."
    )


class Promised(Settings):
    """The promise of a release and its terms; exactly one of the two forms."""

    promise: Literal["differential-privacy", "k-anonymity"] = Field(
        default="differential-privacy", description="What the release promises to the people in the records."
    )
    epsilon: Annotated[float, Field(gt=0, le=12)] | None = Field(
        default=None, description="Privacy loss of this release at delta; lower protects more."
    )
    delta: Annotated[float, Field(gt=0, lt=1e-3)] | None = Field(
        default=None,
        description="Probability that the loss is larger; far below 1 / people.",
    )
    k_anonymity: KAnonymity | None = Field(
        default=None, description="Terms of a k-anonymous release, where that is the promise."
    )

    @model_validator(mode="after")
    def _one_promise(self) -> "Promised":
        private = self.promise == "differential-privacy"
        if private and (self.epsilon is None or self.delta is None):
            raise ValueError(
                "differential privacy needs epsilon and delta: say how much may be learned of anybody"
            )
        if private and self.k_anonymity is not None:
            raise ValueError("k_anonymity belongs to the promise k-anonymity: drop it, or change the promise")
        if not private and self.k_anonymity is None:
            raise ValueError("the promise k-anonymity needs its terms: k_anonymity: {k: 10}")
        if not private and (self.epsilon is not None or self.delta is not None):
            raise ValueError("k-anonymity claims no epsilon: drop epsilon and delta, or change the promise")
        return self
