"""Gradient-boosted trees by LightGBM, with its native categories and its text format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from leadscore.config.schema import LightgbmModel
from leadscore.errors import ModelError
from leadscore.model.base import Explanation
from leadscore.model.contract import kinds_of
from leadscore.model.forest import Forest
from leadscore.model.log_odds import probability_of
from leadscore.model.monotone import signs
from leadscore.model.registry import register_model
from leadscore.model.state import one_number, read_config, read_state, require, write_state
from leadscore.model.together import Rows, grow_together
from leadscore.model.tree_text import checked_trees
from leadscore.model.weights import ClassWeights

if TYPE_CHECKING:
    from leadscore.pools import Crew

__all__ = ["BoostedTrees"]

_TREES, _REST = "trees.txt", "lightgbm.json"

# LightGBM's own defaults, stated because they are what keeps a category of many rare levels in check: a split
# on levels needs 100 rows in its group, at most 32 levels on one side, and each level's mean is shrunk.
_CATEGORIES = {"min_data_per_group": 100, "max_cat_threshold": 32, "cat_l2": 10.0, "cat_smooth": 10.0}


# Fewer rows LightGBM explains itself in less time than it takes to load the compiled loop.
_MANY = 4_000


@dataclass(frozen=True)
class _Fitted:
    booster: Any
    text: str
    levels: dict[str, list[str]]  # category column -> its training levels; a level's code is its position
    shift: float  # what class weights added to every log-odds, to be taken off

    @cached_property
    def forest(self) -> Forest:
        return Forest.of_text(self.text, self.booster.num_feature())


@register_model("lightgbm", config=LightgbmModel, library="lightgbm")
class BoostedTrees:
    """Gradient-boosted trees for a 0/1 outcome.

    Missing numbers are LightGBM's own missing values; missing and unknown categories are on the side of
    "all others" of every split. Columns are called f0, f1, ... inside, so that any feature name works.
    The same seed and rows give the same trees, whatever `num_threads` is.
    """

    name: str
    by_row = True  # a row's probability does not depend on the rows beside it

    def __init__(self, config: LightgbmModel, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.warnings: list[str] = []
        self.crew: Crew | None = None
        self._fitted: _Fitted | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the crew, which is this process's."""
        return {**vars(self), "crew": None}

    @property
    def wants_held_out(self) -> bool:
        """Whether trees are grown until they no longer help on rows that they are not grown on."""
        return self.config.early_stopping is not None

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Grow the trees; what LightGBM refuses is a ModelError.

        With `held_out`, those after the smallest log loss on its rows are dropped again.
        """
        import lightgbm

        kinds = kinds_of(X)
        levels = {name: sorted(X[name].dropna().unique()) for name, kind in kinds.items() if kind == "category"}
        parameters = self._parameters(signs(self.config.monotone, kinds))
        weights = ClassWeights.learn(self.config.class_weight, y)
        categorical = [position for position, name in enumerate(X.columns) if name in levels]
        names = [f"f{position}" for position in range(len(X.columns))]
        rest: dict[str, Any] = {"feature_name": names, "categorical_feature": categorical}
        best = None
        try:
            if self.config.machines > 1:
                text = self._grown_together(_matrix(X, levels), y, weights, parameters, rest)
            else:
                table = lightgbm.Dataset(
                    _matrix(X, levels), label=y.to_numpy(), weight=weights.of(y), params=parameters, **rest
                )
                trained = lightgbm.train(
                    parameters, table, self.config.n_estimators, **self._stopping(held_out, levels, table, weights)
                )
                best = trained.best_iteration
                text = trained.model_to_string(num_iteration=best)  # all trees, unless stopped early
        except lightgbm.basic.LightGBMError as error:
            msg = f"lightgbm cannot be fitted on {len(X)} rows and {len(X.columns)} columns: {error}"
            raise ModelError(msg) from error
        # Threads change no tree: without their line, the same model has the same text.
        text = re.sub(r"^\[num_threads: .*\]\n", "", text, flags=re.MULTILINE)
        # What predicts now is what is read back later.
        self._fitted = _Fitted(_booster(text), text, levels, weights.shift)
        self.warnings = [] if _splits(self._fitted.booster) else [_no_split(self.config, len(X))]
        if held_out is not None and best == self.config.n_estimators:
            self.warnings.append(
                f"lightgbm was still getting better on the inner fold at model.n_estimators "
                f"({self.config.n_estimators}), so model.early_stopping never stopped it"
            )
        return self

    def _grown_together(
        self, matrix: np.ndarray, y: pd.Series, weights: ClassWeights, parameters: dict[str, Any], rest: dict[str, Any]
    ) -> str:
        if self.crew is None:
            raise ModelError(f"model.machines is {self.config.machines}, and there is no cluster: choose compute=dask")
        return grow_together(
            self.crew,
            Rows(matrix, y.to_numpy(), weights.of(y)),
            {**parameters, **rest, "num_iterations": self.config.n_estimators},
            self.config.machines,
        )

    def _stopping(
        self,
        held_out: tuple[pd.DataFrame, pd.Series] | None,
        levels: dict[str, list[str]],
        table: Any,
        weights: ClassWeights,
    ) -> dict[str, Any]:
        import lightgbm

        rounds = self.config.early_stopping
        if held_out is None or rounds is None:
            return {}
        X, y = held_out
        # weighed like the training rows: trees are stopped by the loss that they are grown for
        valid = table.create_valid(_matrix(X, levels), label=y.to_numpy(), weight=weights.of(y))
        return {
            "valid_sets": [valid],
            "callbacks": [lightgbm.early_stopping(rounds, verbose=False)],
        }

    def _parameters(self, monotone: list[int]) -> dict[str, Any]:
        config = self.config
        return {
            "objective": "binary",
            "learning_rate": config.learning_rate,
            "num_leaves": config.num_leaves,
            "min_data_in_leaf": config.min_child_samples,
            "bagging_fraction": config.subsample,
            "bagging_freq": 1,  # LightGBM's 0 would ignore the fraction in silence
            "feature_fraction": config.colsample_bytree,
            "lambda_l2": config.reg_lambda,
            **_CATEGORIES,
            **({"monotone_constraints": monotone} if any(monotone) else {}),
            "seed": self.seed,
            "num_threads": config.num_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert)."""
        fitted = require(self._fitted, self.name)
        numbers, threads = _matrix(X, fitted.levels), self.config.num_threads
        if not fitted.shift:
            p = fitted.booster.predict(numbers, num_threads=threads)
            return pd.Series(p, index=X.index, dtype="float64")
        weighted = fitted.booster.predict(numbers, num_threads=threads, raw_score=True)
        return probability_of(pd.Series(weighted - fitted.shift, index=X.index))

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return exact SHAP values, path-dependent; `base` is the log-odds expected over the training rows."""
        fitted = require(self._fitted, self.name)
        numbers, threads = _matrix(X, fitted.levels), self.config.num_threads
        if len(X) < _MANY:
            shares = fitted.booster.predict(numbers, pred_contrib=True, num_threads=threads)
            shares, base = shares[:, :-1], float(shares[0, -1])  # the base is the same in every row
        else:
            shares, base = fitted.forest.contributions(numbers, threads), fitted.forest.base
        return Explanation(pd.DataFrame(shares, index=X.index, columns=X.columns), base - fitted.shift)

    def save(self, folder: Path) -> None:
        """Write `trees.txt` (LightGBM's format) and `lightgbm.json`."""
        fitted = require(self._fitted, self.name)
        (folder / _TREES).write_text(fitted.text, encoding="ascii")
        write_state(folder / _REST, self.config, self.seed, {"levels": fitted.levels, "shift": fitted.shift})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = read_state(folder / _REST)
        model = cls(read_config(LightgbmModel, saved["config"]), saved["seed"])
        text = (folder / _TREES).read_text(encoding="ascii")
        try:
            booster = _booster(text)
        except ValueError as error:
            raise ModelError(f"{folder / _TREES} is not a model of lightgbm's: {error}") from None
        shift = one_number(saved.get("shift", 0.0), "shift")
        model._fitted = _Fitted(booster, text, {name: _levels(each) for name, each in saved["levels"].items()}, shift)
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless it was fitted on `columns`."""
        fitted = require(self._fitted, self.name)
        if set(fitted.levels) != {name for name, kind in columns.items() if kind == "category"}:
            raise ValueError("its categories are other columns than the manifest's")
        if fitted.booster.num_feature() != len(columns):
            raise ValueError(f"its trees have {fitted.booster.num_feature()} columns and the manifest {len(columns)}")


def _booster(text: str) -> Any:
    """Return what predicts; the parameters of the fit, which follow the trees, have no part in it."""
    import lightgbm

    return lightgbm.Booster(model_str=checked_trees(text))


def _levels(saved: Any) -> list[str]:
    levels = [each for each in saved if isinstance(each, str)] if isinstance(saved, list) else []
    if levels != saved or len(set(levels)) != len(levels):
        raise ValueError("a category's levels are not different texts")
    return levels


def _matrix(X: pd.DataFrame, levels: dict[str, list[str]]) -> np.ndarray:
    """Return X as float64, (n, features): categories as codes, missing and unknown as NaN."""
    columns = []
    for name in X.columns:
        if name in levels:
            codes = pd.Index(levels[name], dtype="str").get_indexer(pd.Index(X[name]))
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(X[name].to_numpy())
    return np.column_stack(columns)


def _splits(booster: Any) -> bool:
    return bool(booster.feature_importance("split").any())


def _no_split(config: LightgbmModel, rows: int) -> str:
    return (
        f"no tree of lightgbm found a split in {rows} training rows, so every lead gets the base rate: "
        f"model.min_child_samples is {config.min_child_samples}"
    )
