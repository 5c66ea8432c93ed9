"""From adjusters to columns of numbers, and the refusal of columns that say the same."""

from typing import Literal

import numpy as np
import pandas as pd

from hrtech.causal.question import EffectError, EffectQuestion

#: Rows of each arm, and of all beyond the adjusting columns, below which nothing is estimated.
FEWEST = 10
_MOST_LEVELS = 60

Blanks = Literal["none", "indicator", "kept"]


def encode(values: pd.Series, name: str, blanks: Blanks) -> list[tuple[str, np.ndarray]]:
    """Return columns for one adjuster: the number, or one column per level but the first.

    Args:
        values: The adjuster.
        name: Its name.
        blanks: `none`: there are none; `indicator`: a column of its own says where they are; `kept`: NaN.

    Raises:
        EffectError: It is blank throughout, has too many levels or several values a cell.
    """
    unknown = values.isna().to_numpy()
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.astype("Float64").to_numpy(float, na_value=np.nan)
        if unknown.all():
            raise EffectError(
                f"The adjuster '{name}' is blank in every row. Leave it out [setting: confounders]"
            )
        if blanks == "kept":
            return [(name, numbers)]
        block = [(name, np.where(unknown, numbers[~unknown].mean(), numbers))]
        return [*block, (f"{name} = unknown", unknown.astype(float))] if unknown.any() else block
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        days = (values - pd.Timestamp("2000-01-01")).dt.days
        return encode(days.astype("Float64"), name, blanks)
    if not (pd.api.types.is_string_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype)):
        raise EffectError(
            f"The adjuster '{name}' holds several values a cell or mixed types. Make conditions of it, such as "
            f'contains({name}, "…"), in a column of its own'
        )
    if blanks == "kept" and unknown.any():
        raise EffectError(
            f"Multiple imputation fills numbers; the adjuster '{name}' has levels, and blanks among them. Use "
            "indicator or weighting [setting: missing]"
        )
    texts = values.astype("str").where(~unknown, "unknown")
    levels = sorted(texts.unique())
    if len(levels) > _MOST_LEVELS:
        raise EffectError(
            f"The adjuster '{name}' has {len(levels)} levels, more than {_MOST_LEVELS}. Group them first"
        )
    return [(f"{name} = {level}", (texts == level).to_numpy(float)) for level in levels[1:]]


def scaled(covariates: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and variance 1; what is constant stays 0."""
    spread = covariates.std(axis=0)
    return (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1)


def check_rank(
    treatment: np.ndarray, covariates: np.ndarray, names: tuple[str, ...], question: EffectQuestion
) -> None:
    """Refuse too few rows, adjusters that determine each other, and adjusters that determine the exposure.

    Raises:
        EffectError: One of these.
    """
    n, width = covariates.shape
    if n < width + 2 + FEWEST:
        raise EffectError(
            f"{n} rows are too few for {width} adjusting columns. Adjust for less, group levels, or widen the "
            "population [setting: confounders, population]"
        )
    kept = np.column_stack([np.ones(n), covariates])
    basis, triangle = np.linalg.qr(kept)
    # without pivoting, the diagonal is what each column adds to those before it
    for column, added in enumerate(np.abs(np.diag(triangle))[1:]):
        if added < 1e-8 * np.sqrt(n):
            raise EffectError(
                f"The adjuster '{names[column]}' is constant or follows exactly from those before it (perfect "
                "collinearity). Leave one out [setting: confounders]"
            )
    residual = treatment - basis @ (basis.T @ treatment)
    if residual @ residual < 1e-10 * n * treatment.var():
        raise EffectError(
            f"The adjusters determine the exposure '{question.treatment}' exactly, so that exposed and "
            "unexposed cannot be compared (perfect collinearity). Leave one out [setting: confounders]"
        )
