"""Double machine learning and causal forests by EconML, with nuisances from `hrtech.causal.learners`.

Of a yes or no, double machine learning lets the effect vary along straight lines of the adjusters and averages it over
the rows; of an amount it takes one effect for all (partially linear, Chernozhukov et al. 2018). The forest (Athey,
Tibshirani and Wager 2019) averages doubly robust scores. EconML needs adjusters; it is handed a copy of the arrays each
time, since it keeps what it fits. The import costs seconds and stays inside the functions.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from hrtech.causal.design import Design
from hrtech.causal.doubly_robust import CLIP
from hrtech.causal.learners import Sample, fitting, predict, stack
from hrtech.causal.question import EffectError

_FOLDS = 5
_INNER = 3
_TREES = 200


def double_machine_learning(design: Design, seed: int) -> tuple[float, float, str]:
    """Return the effect, its standard error, and what it is an effect of."""
    from econml.dml import LinearDML

    _check(design, "double_machine_learning")
    yes_no = len(np.unique(design.treatment)) == 2
    model: Any = LinearDML(
        model_y=_Regressor(),
        model_t=_Classifier() if yes_no else _Regressor(),
        discrete_treatment=yes_no,
        cv=_FOLDS,
        random_state=seed,
    )
    x = design.covariates.copy()
    if not yes_no:
        model.fit(design.outcome.copy(), design.treatment.copy(), X=None, W=x)
        found = model.const_marginal_effect_inference()
        return (
            float(np.ravel(found.point_estimate)[0]),
            float(np.ravel(found.stderr)[0]),
            "The effect of one unit more, the same for everybody at every amount.",
        )
    model.fit(design.outcome.copy(), design.treatment.copy(), X=x, W=None)
    each = np.ravel(model.const_marginal_effect(x))
    mean = model.const_marginal_ate_inference(x)
    # EconML's error takes the rows as given; who is in the sample is chance as well
    error = np.sqrt(float(np.ravel(mean.stderr_mean)[0]) ** 2 + each.var(ddof=1) / design.n)
    return float(each.mean()), float(error), "The effect may vary along straight lines of the adjusters."


def causal_forest(design: Design, seed: int) -> tuple[float, float, str]:
    """Return the average effect of a causal forest, its standard error, and a note."""
    from econml.dml import CausalForestDML

    _check(design, "causal_forest")
    model: Any = CausalForestDML(
        model_y=_Regressor(),
        model_t=_Classifier(),
        discrete_treatment=True,
        cv=_FOLDS,
        n_estimators=_TREES,
        min_samples_leaf=10,
        drate=True,
        n_jobs=1,
        random_state=seed,
    )
    model.fit(design.outcome.copy(), design.treatment.copy(), X=design.covariates.copy())
    return (
        float(np.ravel(model.ate_)[0]),
        float(np.ravel(model.ate_stderr_)[0]),
        "Mean of the forest's doubly robust scores.",
    )


def _check(design: Design, name: str) -> None:
    if design.cluster is not None or design.weights is not None:
        raise EffectError(
            f"The interval of {name} knows neither clusters nor weights. Use aipw or linear_regression "
            "[setting: estimators, cluster, weights, missing]"
        )
    if not design.covariates.shape[1]:
        raise EffectError(
            f"{name} needs something to adjust for. Use linear_regression [setting: estimators]"
        )


class _Stacked(BaseEstimator):
    """Learners of this package, stacked by predictions out of fold, as scikit-learn asks for them."""

    _yes_no = False

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "_Stacked":
        """Keep the rows and weigh the learners."""
        target = np.asarray(y, dtype=float).ravel()
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.unique(target)
        self._learners = fitting(len(target))
        fold = np.arange(len(target)) % _INNER
        out = np.empty((len(target), len(self._learners)))
        for number in range(_INNER):
            rest = fold != number
            out[~rest] = predict(self._learners, self._sample(X[rest], target[rest]), X[~rest])[0]
        self._shares = stack(out, target, np.ones(len(target)))
        self._rows = self._sample(np.asarray(X, dtype=float), target)
        return self

    def _sample(self, x: np.ndarray, target: np.ndarray) -> Sample:
        return Sample(x, target, np.ones(len(target)), self._yes_no)

    def _predicted(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(predict(self._learners, self._rows, np.asarray(X, dtype=float))[0] @ self._shares)


class _Regressor(RegressorMixin, _Stacked):
    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict."""
        return self._predicted(X)


class _Classifier(ClassifierMixin, _Stacked):
    _yes_no = True

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Predict the chance of 0 and of 1."""
        chance = np.clip(self._predicted(X), CLIP, 1 - CLIP)
        return np.column_stack([1 - chance, chance])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict the likelier class."""
        return np.asarray(self.classes_[(self._predicted(X) > 0.5).astype(int)])
