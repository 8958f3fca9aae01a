"""Logistic regression that can be read: every number of the fitted model lies in one JSON file."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leadscore.config.schema import LogisticModel
from leadscore.model.base import Explanation
from leadscore.model.coefficients import in_words
from leadscore.model.contract import kinds_of
from leadscore.model.encoding import (
    MAX_LEVELS,
    CategoryEncoding,
    Encoding,
    check_encodings,
    encoding_from,
    learn_encoding,
)
from leadscore.model.log_odds import probability_of
from leadscore.model.registry import register_model
from leadscore.model.state import many_numbers, one_number, read_config, read_state, require, write_state
from leadscore.model.weights import ClassWeights

__all__ = ["LogisticRegression"]

_FILE = "logistic.json"


@dataclass(frozen=True)
class _Term:
    """What one column adds to the log-odds; `centre` is what it adds on average over the training rows."""

    encoding: Encoding
    coefficients: np.ndarray
    centre: float

    def contribution(self, column: pd.Series) -> np.ndarray:
        return self.encoding.weigh(column, self.coefficients) - self.centre


@dataclass(frozen=True)
class _Fitted:
    base: float
    terms: dict[str, _Term]


@register_model("logistic", config=LogisticModel, library="scikit-learn")
class LogisticRegression:
    """L2-regularised logistic regression on scaled numbers and one-hot categories.

    Missing numbers become the training median and a flag of their own, missing categories a level of
    their own; unknown categories are "all others" (see `leadscore.model.encoding`). scikit-learn fits the
    coefficients; predicting is plain arithmetic on them, the same before saving and after loading.

    A feature's contribution is measured from its mean over the training rows, so `base` is the log-odds
    of a lead that is average in everything.
    """

    name: str

    def __init__(self, config: LogisticModel, seed: int) -> None:
        self.config = config
        self.seed = seed  # lbfgs draws nothing at random
        self.warnings: list[str] = []
        self._fitted: _Fitted | None = None

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Self:
        """Learn encodings and coefficients; trouble in converging goes into `warnings`."""
        encodings = {name: learn_encoding(X[name], kind) for name, kind in kinds_of(X).items()}
        self.warnings = [
            f"column {name!r} has {MAX_LEVELS + encoding.others} levels: the {MAX_LEVELS} most frequent have "
            "coefficients, all others share one bucket"
            for name, encoding in encodings.items()
            if isinstance(encoding, CategoryEncoding) and encoding.others
        ]
        blocks = [encoding.encode(X[name]) for name, encoding in encodings.items()]
        intercept, coefficients = self._coefficients(np.column_stack(blocks), y)
        ends = np.cumsum([encoding.width for encoding in encodings.values()])
        terms = {}
        for (name, encoding), block, end in zip(encodings.items(), blocks, ends, strict=True):
            own = coefficients[end - encoding.width : end]
            terms[name] = _Term(encoding, own, float((block.mean(axis=0) * own).sum()))
        self._fitted = _Fitted(intercept + sum(term.centre for term in terms.values()), terms)
        return self

    def _coefficients(self, encoded: np.ndarray, y: pd.Series) -> tuple[float, np.ndarray]:
        from sklearn import linear_model

        weights = ClassWeights.learn(self.config.class_weight, y)
        estimator = linear_model.LogisticRegression(C=self.config.C, max_iter=self.config.max_iter, solver="lbfgs")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(encoded, y.to_numpy(), sample_weight=weights.of(y))
        if estimator.n_iter_[0] >= self.config.max_iter:
            self.warnings.append(
                f"logistic stopped after {self.config.max_iter} iterations (model.max_iter) before it "
                "converged: its coefficients are not final"
            )
        else:
            self.warnings += [f"scikit-learn: {' '.join(str(item.message).split())}" for item in caught]
        return float(estimator.intercept_[0]) - weights.shift, estimator.coef_[0]

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert), each row's own whatever rows stand beside it."""
        return probability_of(self.explain(X).log_odds())

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return what each feature adds beside its training mean."""
        fitted = require(self._fitted, self.name)
        contributions = {name: term.contribution(X[name]) for name, term in fitted.terms.items()}
        return Explanation(pd.DataFrame(contributions, index=X.index), fitted.base)

    def in_words(self) -> list[str]:
        """Return what each column does to the odds, the strongest first."""
        terms = require(self._fitted, self.name).terms
        encodings = {name: term.encoding for name, term in terms.items()}
        return in_words(encodings, {name: term.coefficients.tolist() for name, term in terms.items()})

    def save(self, folder: Path) -> None:
        """Write `logistic.json`."""
        fitted = require(self._fitted, self.name)
        terms = {
            name: {
                "encoding": asdict(term.encoding),
                "coefficients": term.coefficients.tolist(),
                "centre": term.centre,
            }
            for name, term in fitted.terms.items()
        }
        write_state(folder / _FILE, self.config, self.seed, {"base": fitted.base, "terms": terms})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = read_state(folder / _FILE)
        model = cls(read_config(LogisticModel, saved["config"]), saved["seed"])
        terms = {name: _read_term(name, term) for name, term in saved["terms"].items()}
        model._fitted = _Fitted(one_number(saved["base"], "base"), terms)
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless it was fitted on `columns`."""
        terms = require(self._fitted, self.name).terms
        check_encodings({name: term.encoding for name, term in terms.items()}, columns)


def _read_term(name: str, saved: dict[str, Any]) -> _Term:
    encoding = encoding_from(saved["encoding"])
    coefficients = np.array(many_numbers(saved["coefficients"], f"a coefficient of {name!r}"))
    if coefficients.shape != (encoding.width,):
        raise ValueError(f"{name!r} has not {encoding.width} coefficients")
    return _Term(encoding, coefficients, one_number(saved["centre"], f"the centre of {name!r}"))
