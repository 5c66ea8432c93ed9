"""Settings of an effect study that are lists of their own: alternative definitions, and who believes what."""

from typing import Literal

from pydantic import Field

from assets.settings import Settings
from hrtech.causal.question import Alternative, Belief, Degree

#: Estimators that the curve may run; the last three take long.
CurveEstimator = Literal[
    "linear_regression",
    "ipw",
    "stratification",
    "matching",
    "aipw_linear",
    "aipw",
    "double_machine_learning",
    "causal_forest",
]


class AlternativeDefinition(Settings):
    """Another definition of population, exposure or outcome."""

    element: Literal["population", "exposure", "outcome"] = Field(description="What it defines.")
    name: str = Field(description="Short name for the page.", min_length=1, max_length=40)
    expression: str = Field(description="A column, or a condition over columns.", min_length=1)

    def said(self) -> Alternative:
        """Return it as the science knows it."""
        return Alternative(
            "treatment" if self.element == "exposure" else self.element, self.name, self.expression
        )


class StatedBelief(Settings):
    """What somebody knows about a variable."""

    variable: str = Field(description="A variable with a role, or of the graph.")
    degree: Degree = Field(
        default="certain",
        description="How sure they are. The intermediate adjustment set leaves out what is only possible, the minimum "
        "set what is not certain.",
    )
    who: str = Field(default="", description="A person, a group or a publication.")
    why: str = Field(default="", description="Their reason.")

    def said(self) -> Belief:
        """Return it as the science knows it."""
        return Belief(self.variable, self.degree, self.who, self.why)
