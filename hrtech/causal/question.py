"""The causal question as data: hypothesis, exposure, outcome, and what is known about the other variables.

Invariant: a question that exists names each variable in one role, and its graph has no cycle.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

Direction = Literal["increases", "decreases", "changes"]
Estimator = Literal[
    "aipw",
    "linear_regression",
    "ipw",
    "stratification",
    "matching",
    "double_machine_learning",
    "causal_forest",
]
Missing = Literal["complete_cases", "indicator", "weighting", "multiple_imputation"]
Kind = Literal["yes_no", "amount"]
Element = Literal["population", "treatment", "outcome"]
Degree = Literal["certain", "likely", "possible"]

#: Estimators that take an exposure that is an amount.
FOR_AMOUNTS: Final = ("linear_regression", "double_machine_learning")

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
class Alternative:
    """Another definition of population, exposure or outcome, for the specification curve.

    Attributes:
        element: What it defines.
        name: Short name, unique within the element.
        expression: Column or expression over columns.
    """

    element: Element
    name: str
    expression: str


@dataclass(frozen=True)
class Belief:
    """What somebody knows about a variable, and how surely.

    Attributes:
        variable: Name of a variable that has a role or stands in the graph.
        degree: How sure they are of its role.
        who: Who says so: a person, a group or a publication.
        why: Their reason.
    """

    variable: str
    degree: Degree = "certain"
    who: str = ""
    why: str = ""


@dataclass(frozen=True)
class EffectQuestion:
    """What is asked.

    Attributes:
        hypothesis: The claim in words.
        treatment: Column with two levels, or an expression over columns (see `hrtech.causal.expression`); a column
            of numbers where `treatment_kind` is `amount`.
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
            level of their own (rows without exposure or outcome are still left out); `weighting` weighs complete rows
            by the inverse of their probability of being complete; `multiple_imputation` fills blanks several times
            and pools by Rubin's rules.
        confidence: Coverage of intervals.
        simulations: Simulations per refutation.
        seed: Seed of folds and refutations.
        propensity_bounds: Propensities outside are extreme.
        most_extreme: Share of rows with extreme propensity above which no effect is estimated.
        treatment_kind: `yes_no`, or `amount`: a number, whose effect is per unit.
        follow_up: Column of time at risk; the outcome is then whether the event ended it, and the effect is a
            difference of mean event-free time up to `horizon`.
        horizon: Time up to which event-free time counts, in units of `follow_up`.
        cluster: Column that says which rows belong together (household, shelter, interviewer).
        weights: Column of survey weights.
        groups: Columns within which effects are shown besides.
        negative_control_outcomes: Columns that the exposure cannot change, but what confounds it would.
        alternatives: Other definitions of population, exposure and outcome.
        beliefs: Who says what about the variables, and how surely.
        trim: Propensity below which, and above 1 − which, rows are left out before estimating; the effect is then
            that among the rest. None: none is left out.
        imputations: Number of times that blanks are filled (`multiple_imputation`).
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
    treatment_kind: Kind = "yes_no"
    follow_up: str | None = None
    horizon: float | None = None
    cluster: str | None = None
    weights: str | None = None
    groups: tuple[str, ...] = ()
    negative_control_outcomes: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    beliefs: tuple[Belief, ...] = ()
    trim: float | None = None
    imputations: int = 10

    def __post_init__(self) -> None:
        for name in (
            *ROLES,
            "estimators",
            "groups",
            "negative_control_outcomes",
            "alternatives",
            "beliefs",
        ):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "graph", tuple((cause, effect) for cause, effect in self.graph))
        if self.adjust_for is not None:
            object.__setattr__(self, "adjust_for", tuple(self.adjust_for))
        self._check_settings()
        self._check_kind()
        self._check_roles()
        self._check_graph()
        self._check_said()

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

    def _check_kind(self) -> None:
        if self.treatment_kind == "amount" and (unfit := sorted(set(self.estimators) - set(FOR_AMOUNTS))):
            raise EffectError(
                f"Of an exposure that is an amount, {', '.join(unfit)} cannot estimate the effect. Use "
                f"{', '.join(FOR_AMOUNTS)}, or make a condition of the exposure [setting: estimators, treatment]"
            )
        if (self.follow_up is None) != (self.horizon is None) or (self.horizon or 1) <= 0:
            raise EffectError(
                "Time to an event needs the column of time at risk and a horizon above 0, up to which event-free time "
                "counts [setting: follow_up, horizon]"
            )
        if self.trim is not None and not 0 < self.trim < 0.5:
            raise EffectError("Rows are trimmed at a propensity between 0 and .5 [setting: trim]")
        if self.imputations < 2:
            raise EffectError("Blanks must be filled at least twice [setting: imputations]")

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

    def _check_said(self) -> None:
        known = {name for edge in self.edges() for name in edge}
        for belief in self.beliefs:
            if belief.variable not in known:
                raise EffectError(
                    f"Somebody is said to believe something of '{belief.variable}', which has no role. Give it one, or "
                    "draw it in the graph [setting: beliefs]"
                )
            if belief.degree not in get_args(Degree):
                raise EffectError(
                    f"Belief about '{belief.variable}' is '{belief.degree}'. Use {', '.join(get_args(Degree))} "
                    "[setting: beliefs]"
                )
        named = [(one.element, one.name) for one in self.alternatives]
        for element, name in named:
            if element not in get_args(Element) or named.count((element, name)) > 1 or name == "primary":
                raise EffectError(
                    f"The alternative '{name}' of '{element}' is unclear: it must define one of "
                    f"{', '.join(get_args(Element))}, by a name of its own other than primary [setting: alternatives]"
                )
        control = set(self.negative_control_outcomes)
        if wrong := sorted(control & {self.treatment, self.outcome, *self.mediators, *self.colliders}):
            raise EffectError(
                f"'{wrong[0]}' cannot be a negative control: the exposure may change it "
                "[setting: negative_control_outcomes]"
            )

    def defined(self, **names: str) -> "EffectQuestion":
        """Return the question under alternative definitions.

        Args:
            names: Name of an alternative by element, such as `outcome="strict"`; `primary` stands for the first.

        Raises:
            EffectError: There is no such alternative.
        """
        question = self
        for element, name in names.items():
            if name == "primary":
                continue
            found = [
                one.expression for one in self.alternatives if (one.element, one.name) == (element, name)
            ]
            if not found:
                raise EffectError(f"There is no alternative '{name}' of {element} [setting: alternatives]")
            old, new = getattr(question, element), found[0]
            graph = question.graph
            if element != "population":
                graph = tuple(
                    (new if cause == old else cause, new if effect == old else effect)
                    for cause, effect in graph
                )
            question = replace(question, graph=graph, **{element: new})  # type: ignore[arg-type]
        return question

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
