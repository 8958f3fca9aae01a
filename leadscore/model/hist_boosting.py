"""Gradient-boosted trees by scikit-learn, kept as plain numbers that are walked here.

scikit-learn saves a model only as a pickle, or through a package that reads its objects back. The trees are arrays,
so they are written as JSON instead, and reading them runs no code of a file.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leadscore.config.schema import HistGradientBoostingModel
from leadscore.errors import ModelError
from leadscore.model.base import Explanation
from leadscore.model.contract import kinds_of
from leadscore.model.encoding import CategoryEncoding, check_encodings, encoding_from
from leadscore.model.monotone import signs
from leadscore.model.registry import register_model
from leadscore.model.state import one_number, read_config, read_state, require, write_state
from leadscore.model.trees import Tree
from leadscore.model.weights import ClassWeights

__all__ = ["HistGradientBoosting"]

_FILE = "hist_gradient_boosting.json"


@dataclass(frozen=True)
class _Fitted:
    base: float  # log-odds before any tree, class weights taken off
    encodings: dict[str, CategoryEncoding]
    trees: list[Tree]


@register_model("hist_gradient_boosting", config=HistGradientBoostingModel, library="scikit-learn")
class HistGradientBoosting:
    """Histogram gradient boosting for a 0/1 outcome, with native categories.

    Missing numbers and unknown or rare categories (beyond the 100 most frequent) go, split by split, where
    scikit-learn learned or chose to send what is missing; a missing category is a level of its own. Trees are grown
    in one thread: sums of several threads may differ in their last bits.

    Contributions are Saabas's path attribution: each split on a row's own way through a tree is credited, to its
    feature, with the change of the expected log-odds over the training rows. They add up exactly. Unlike SHAP values
    they favour features near the leaves.
    """

    name: str

    def __init__(self, config: HistGradientBoostingModel, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.warnings: list[str] = []
        self._fitted: _Fitted | None = None

    @property
    def wants_held_out(self) -> bool:
        """Whether trees are grown until they no longer help on rows that they are not grown on."""
        return self.config.early_stopping is not None

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Grow the trees; with `held_out`, those after the smallest log loss on its rows are dropped again."""
        kinds = kinds_of(X)
        encodings = {name: CategoryEncoding.learn(X[name]) for name, kind in kinds.items() if kind == "category"}
        weights = ClassWeights.learn(self.config.class_weight, y)
        base, trees = self._grow(X, y, encodings, signs(self.config.monotone, kinds), weights)
        self.warnings = []
        if not any(len(tree.feature) > 1 for tree in trees):
            self.warnings.append(
                f"no tree of hist_gradient_boosting found a split in {len(X)} training rows, so every lead gets the "
                f"base rate: model.min_samples_leaf is {self.config.min_samples_leaf}"
            )
        if held_out is not None and self.config.early_stopping is not None:
            losses = _losses(base, trees, _matrix(held_out[0], encodings), held_out[1], weights)
            trees = trees[: _best(losses, self.config.early_stopping)]
            if len(trees) == self.config.max_iter:
                self.warnings.append(
                    f"hist_gradient_boosting was still getting better on the inner fold at model.max_iter "
                    f"({self.config.max_iter}), so model.early_stopping never stopped it"
                )
        self._fitted = _Fitted(base - weights.shift, encodings, trees)
        return self

    def _grow(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        encodings: dict[str, CategoryEncoding],
        monotone: list[int],
        weights: ClassWeights,
    ) -> tuple[float, list[Tree]]:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        config = self.config
        # scikit-learn puts categories first; handed over so, its positions are these
        order = sorted(range(len(X.columns)), key=lambda position: X.columns[position] not in encodings)
        numbers = _matrix(X, encodings)[:, order]
        numbers[:, np.isnan(numbers).all(axis=0)] = 0.0  # it cannot bin a column without any value
        estimator = HistGradientBoostingClassifier(
            max_iter=config.max_iter,
            learning_rate=config.learning_rate,
            max_leaf_nodes=config.max_leaf_nodes,
            min_samples_leaf=config.min_samples_leaf,
            l2_regularization=config.l2_regularization,
            max_features=config.max_features,
            categorical_features=np.arange(len(order)) < len(encodings),
            monotonic_cst=[monotone[position] for position in order],
            early_stopping=False,  # its own would hold out rows by lot
            random_state=self.seed,
        )
        try:
            with threadpool_limits(1):
                estimator.fit(numbers, y.to_numpy(), sample_weight=weights.of(y))
        except ValueError as error:
            msg = f"scikit-learn cannot fit hist_gradient_boosting on {len(X)} rows and {len(order)} columns: {error}"
            raise ModelError(msg) from error
        grown: list[Any] = [each for (each,) in estimator._predictors]
        trees = [Tree.of_nodes(each.nodes, each.raw_left_cat_bitsets, order) for each in grown]
        return float(estimator._baseline_prediction[0, 0]), trees

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert), bit for bit as scikit-learn's own walk (without class weights, which it leaves in)."""
        from scipy.special import expit

        fitted = require(self._fitted, self.name)
        numbers = _matrix(X, fitted.encodings)
        log_odds = np.full(len(X), fitted.base)
        for tree in fitted.trees:
            log_odds += tree.walk(numbers)
        return pd.Series(expit(log_odds), index=X.index, dtype="float64")

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return path attributions (Saabas); `base` is the log-odds expected over the training rows."""
        fitted = require(self._fitted, self.name)
        numbers, shares = _matrix(X, fitted.encodings), np.zeros(X.shape)
        for tree in fitted.trees:
            tree.walk(numbers, shares)
        base = fitted.base + sum(float(tree.value[0]) for tree in fitted.trees)
        return Explanation(pd.DataFrame(shares, index=X.index, columns=X.columns), base)

    def save(self, folder: Path) -> None:
        """Write `hist_gradient_boosting.json`."""
        fitted = require(self._fitted, self.name)
        state = {
            "base": fitted.base,
            "encodings": {name: asdict(encoding) for name, encoding in fitted.encodings.items()},
            "trees": [tree.to_json() for tree in fitted.trees],
        }
        write_state(folder / _FILE, self.config, self.seed, state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = read_state(folder / _FILE)
        model = cls(read_config(HistGradientBoostingModel, saved["config"]), saved["seed"])
        encodings: dict[str, Any] = {name: encoding_from(each) for name, each in saved["encodings"].items()}
        base = one_number(saved["base"], "base")
        model._fitted = _Fitted(base, encodings, [Tree.from_json(tree) for tree in saved["trees"]])
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless it was fitted on `columns`."""
        fitted = require(self._fitted, self.name)
        check_encodings(fitted.encodings, {name: kind for name, kind in columns.items() if kind == "category"})
        if max((tree.width for tree in fitted.trees), default=0) > len(columns):
            raise ValueError(f"a tree splits a column that is none of the {len(columns)}")


def _matrix(X: pd.DataFrame, encodings: dict[str, CategoryEncoding]) -> np.ndarray:
    """Return X as float64, (n, features): categories as codes, those without one as NaN."""
    columns = []
    for name in X.columns:
        if name in encodings:
            codes = encodings[name].codes(X[name])
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(X[name].to_numpy())
    return np.column_stack(columns)


def _losses(base: float, trees: list[Tree], numbers: np.ndarray, y: pd.Series, weights: ClassWeights) -> list[float]:
    """Return the log loss after each tree, weighed like the training rows."""
    log_odds, labels, counts = np.full(len(y), base), y.to_numpy(), weights.of(y)
    losses = []
    for tree in trees:
        log_odds += tree.walk(numbers)
        losses.append(float(np.average(np.logaddexp(0, log_odds) - labels * log_odds, weights=counts)))
    return losses


def _best(losses: list[float], patience: int) -> int:
    """Return how many trees to keep: up to the least loss that `patience` further trees did not undercut."""
    best = 0
    for number, loss in enumerate(losses):
        if loss < losses[best]:
            best = number
        elif number - best >= patience:
            break
    return best + 1
