"""The causal question as data: hypothesis, exposure, outcome, and what is known about the other variables.

Invariant: a question that exists names each variable in one role, and its graph has no cycle.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Direction = Literal["increases", "decreases", "changes"]
Estimator = Literal["aipw", "linear_regression"]
Missing = Literal["complete_cases", "indicator"]

ROLES: Final = (
    "confounders",
    "treatment_causes",
    "outcome_determinants",
    "instruments",
    "mediators",
    "colliders",
)


class EffectError(ValueError):
    """A question that the data cannot answer, or not without misleading; the message says why and the mend."""


@dataclass(frozen=True)
class EffectQuestion:
    """What is asked.

    Attributes:
        hypothesis: The claim in words.
        treatment: Column with two levels, or an expression over columns (see `hrtech.causal.expression`).
        outcome: Column of numbers or booleans, or an expression.
        direction: What the hypothesis expects of the outcome.
        confounders: Causes of both exposure and outcome.
        treatment_causes: Causes of the exposure alone.
        outcome_determinants: Causes of the outcome alone (adjusted for, because they sharpen the estimate).
        instruments: Causes of the exposure that touch the outcome only through it.
        mediators: What the exposure works through.
        colliders: Common effects of exposure and outcome.
        graph: Cause and effect pairs that replace the roles. A name that is no column is an unobserved variable.
        adjust_for: Variables to adjust for in place of those that follow from the graph; refused where they mislead.
        population: Expression that is true for the rows asked about; None: all.
        estimators: Estimators to run; the first gives the headline.
        missing: `complete_cases` leaves rows with a blank out and counts them; `indicator` keeps blank adjusters as a
            level of their own (rows without exposure or outcome are still left out).
        confidence: Coverage of intervals.
        simulations: Simulations per refutation.
        seed: Seed of folds and refutations.
        propensity_bounds: Propensities outside are extreme.
        most_extreme: Share of rows with extreme propensity above which no effect is estimated.
    """

    hypothesis: str
    treatment: str
    outcome: str
    direction: Direction = "changes"
    confounders: tuple[str, ...] = ()
    treatment_causes: tuple[str, ...] = ()
    outcome_determinants: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()
    colliders: tuple[str, ...] = ()
    graph: tuple[tuple[str, str], ...] = ()
    adjust_for: tuple[str, ...] | None = None
    population: str | None = None
    estimators: tuple[Estimator, ...] = ("aipw", "linear_regression")
    missing: Missing = "complete_cases"
    confidence: float = 0.95
    simulations: int = 50
    seed: int = 1
    propensity_bounds: tuple[float, float] = (0.025, 0.975)
    most_extreme: float = 0.1

    def __post_init__(self) -> None:
        for name in (*ROLES, "estimators"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "graph", tuple((cause, effect) for cause, effect in self.graph))
        if self.adjust_for is not None:
            object.__setattr__(self, "adjust_for", tuple(self.adjust_for))
        self._check_settings()
        self._check_roles()
        self._check_graph()

    def _check_settings(self) -> None:
        if self.treatment == self.outcome:
            raise EffectError(
                "Exposure and outcome are the same. Name two variables [setting: treatment, outcome]"
            )
        if self.direction not in get_args(Direction):
            raise EffectError(
                f"Direction '{self.direction}' is unknown. Use {', '.join(get_args(Direction))} [setting: direction]"
            )
        if not self.estimators or set(self.estimators) - set(get_args(Estimator)):
            raise EffectError(
                f"Name estimators out of {', '.join(get_args(Estimator))} [setting: estimators]"
            )
        if self.missing not in get_args(Missing):
            raise EffectError(
                f"Treat missing values as one of {', '.join(get_args(Missing))} [setting: missing]"
            )
        low, high = self.propensity_bounds
        if not (0 < low < high < 1 and 0 < self.most_extreme < 1 and 0 < self.confidence < 1):
            raise EffectError(
                "Bounds and shares lie between 0 and 1, the lower below the upper "
                "[setting: propensity_bounds, most_extreme, confidence]"
            )
        if self.simulations < 20:
            raise EffectError("A refutation needs at least 20 simulations [setting: simulations]")

    def _check_roles(self) -> None:
        named = [(variable, role) for role in ROLES for variable in getattr(self, role)]
        named += [(self.treatment, "treatment"), (self.outcome, "outcome")]
        roles: dict[str, list[str]] = {}
        for variable, role in named:
            roles.setdefault(variable, []).append(role)
        for variable, several in roles.items():
            if len(several) > 1:
                raise EffectError(
                    f"Variable '{variable}' is declared as {' and as '.join(several)}. Decide for one role "
                    f"[setting: {', '.join(several)}]"
                )
        if self.graph and len(named) > 2:
            raise EffectError("Declare either a graph or roles, not both [setting: graph]")

    def _check_graph(self) -> None:
        import networkx as nx

        drawn: nx.DiGraph[str] = nx.DiGraph(self.edges())
        if not nx.is_directed_acyclic_graph(drawn):
            cycle = [str(edge[0]) for edge in nx.find_cycle(drawn)]
            raise EffectError(
                f"The graph has a cycle: {' → '.join([*cycle, cycle[0]])}. A cause cannot follow its effect; "
                "remove an arrow [setting: graph]"
            )
        if self.graph and not {self.treatment, self.outcome} <= set(drawn):
            raise EffectError("The graph must hold the exposure and the outcome by name [setting: graph]")

    def edges(self) -> tuple[tuple[str, str], ...]:
        """Return the causal graph as cause and effect pairs."""
        if self.graph:
            return self.graph
        t, y = self.treatment, self.outcome
        edges = [(t, y)]
        edges += [(c, end) for c in self.confounders for end in (t, y)]
        edges += [(c, t) for c in (*self.treatment_causes, *self.instruments)]
        edges += [(c, y) for c in self.outcome_determinants]
        edges += [edge for m in self.mediators for edge in ((t, m), (m, y))]
        edges += [(end, k) for k in self.colliders for end in (t, y)]
        return tuple(edges)
