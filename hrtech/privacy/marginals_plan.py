"""What each step of a release of marginals costs and how noisy it is, from settings and schema alone.

No record is ever seen here, so the price of a release is known before it is drawn and cannot depend on
the data. ``hrtech.privacy.marginals`` describes the steps.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hrtech.counts import possible_cells
from hrtech.privacy import discrete_noise
from hrtech.privacy.accounting import Charge, rho_of, total
from hrtech.privacy.marginals_declared import (
    MarginalsError,
    MarginalsSchema,
    MarginalsSettings,
    most_attributes,
)


@dataclass(frozen=True)
class Plan:
    """Noise and price of every step.

    Attributes:
        cap: K, most attributes of a person that count.
        cap_is_declared: whether K is below what the schema allows, so that people may lose attributes.
        scales: noise standard deviation of each step that runs.
        threshold: noisy count from which an undeclared value is released; None if all are declared.
        charge: sum of OpenDP's maps.
    """

    cap: int
    cap_is_declared: bool
    scales: Mapping[str, float]
    threshold: int | None
    charge: Charge


def _cap(settings: MarginalsSettings, schema: MarginalsSchema) -> tuple[int, bool]:
    """K, and whether it was declared below what the schema allows."""
    bound, declared = schema.most_attributes(), settings.max_attributes_per_person
    if bound is None and declared is None:
        names = ", ".join(c.name for c in schema.undeclared if c.multi_valued)
        raise MarginalsError(
            f"max_attributes_per_person: declare it, or declare the values of {names}; without either nothing "
            f"bounds what one person contributes"
        )
    if declared is None or (bound is not None and bound <= declared):
        return int(bound or 0), False
    return declared, True


def _check_cells(settings: MarginalsSettings, schema: MarginalsSchema) -> None:
    """Refuse more pairs than allowed, as far as they are known before the draw."""
    if settings.reporting_length < 2:
        return
    declared = [(len(c.values), c.multi_valued) for c in schema.columns if c.values is not None]
    # undeclared values: at worst all pairs of max_vocabulary values meet
    extra = [(settings.max_vocabulary, True)] if schema.undeclared else []
    pairs = possible_cells(declared + extra, 2)[2]
    if pairs > settings.max_cells:
        largest = sorted(schema.columns, key=lambda c: -len(c.values or ()))[:3]
        named = ", ".join(f"{c.name} ({len(c.values or ()):,} values)" for c in largest if c.values)
        raise MarginalsError(
            f"max_cells: {pairs:,} pairs may be measured, more than {settings.max_cells:,}; leave out or band the "
            f"columns with most values ({named or 'undeclared ones'}), lower max_vocabulary, or use "
            f"reporting_length 1"
        )


def plan_release(settings: MarginalsSettings, schema: MarginalsSchema) -> Plan:
    """Noise and price of every step.

    Raises:
        MarginalsError: if nothing bounds a person's contribution, too many pairs may be measured, or epsilon and
            delta leave no budget.
    """
    _check_cells(settings, schema)
    cap, declared = _cap(settings, schema)
    keys = min(cap, most_attributes(schema.undeclared) or cap) if schema.undeclared else 0
    squared = {"people": 1, "vocabulary": keys, "length_1": cap, "length_2": cap * (cap - 1) // 2}
    shares = asdict(settings.shares)
    if settings.reporting_length < 2:
        squared["length_2"] = 0
    steps = {step: shares[step] for step, size in squared.items() if size}
    delta = settings.delta * settings.vocabulary_delta_share if keys else 0.0
    rho = rho_of(settings.epsilon, settings.delta, delta)
    if not rho > 0:
        raise MarginalsError("settings: epsilon and delta leave no budget at all")
    scales, charges, threshold = {}, [], None
    for step, share in steps.items():
        sensitivity = discrete_noise.root_above(squared[step])
        scale = discrete_noise.scale_for(sensitivity, rho * share / sum(steps.values()))
        scales[step] = scale
        if step == "vocabulary":
            threshold = discrete_noise.threshold_for(scale, keys, delta)
            charges.append(Charge(*discrete_noise.threshold_charge(scale, threshold, keys)))
        else:
            charges.append(Charge(discrete_noise.vector_rho(scale, sensitivity)))
    return Plan(cap, declared, scales, threshold, total(charges))
