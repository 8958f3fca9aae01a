"""The parameters of the models that leadscore ships, with their types and defaults, and how they are searched."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from leadscore.config.fields import RANGES, choice, number, unhashed

__all__ = [
    "BaselineModel",
    "EnsembleModel",
    "HistGradientBoostingModel",
    "LightgbmModel",
    "LogisticModel",
    "ModelConfig",
    "RandomSearch",
    "SearchConfig",
    "TpeSearch",
]


@dataclass
class ModelConfig:
    """A model's name and what every model may have; each model's own dataclass adds its parameters."""

    name: str = MISSING
    calibration: str = choice("none", "none", "sigmoid", "isotonic", "auto")  # learned on the inner fold
    # rows that do not convert, drawn by lot for each that does; null: all; taken off the probabilities again
    negatives_per_positive: float | None = number(None, above=0)
    # parameter -> [low, high], [low, high, log] or a list of words, for search=random|tpe
    search_space: dict[str, Any] = field(default_factory=dict, metadata=RANGES)


@dataclass
class LogisticModel(ModelConfig):
    """Logistic regression, L2-regularised, on scaled numbers and one-hot categories."""

    name: str = "logistic"
    C: float = number(1.0, above=0)  # inverse strength of the penalty
    max_iter: int = number(1_000, at_least=1)
    class_weight: str = choice("none", "none", "balanced")  # balanced: taken off the probabilities again


@dataclass
class LightgbmModel(ModelConfig):
    """Gradient-boosted trees with native categories."""

    name: str = "lightgbm"
    n_estimators: int = number(120, at_least=1)
    learning_rate: float = number(0.03, above=0)
    num_leaves: int = number(7, at_least=2)
    min_child_samples: int = number(40, at_least=1)
    subsample: float = number(0.8, above=0, at_most=1)
    colsample_bytree: float = number(0.8, above=0, at_most=1)
    reg_lambda: float = number(5.0, at_least=0)
    early_stopping: int | None = number(None, at_least=1)  # trees without a gain on the inner fold; null: never stop
    class_weight: str = choice("none", "none", "balanced")  # balanced: taken off the probabilities again
    monotone: dict[str, str] = field(default_factory=dict)  # feature -> rises | falls: what more of it never undoes
    machines: int = number(1, at_least=1)  # that grow the trees together, each on its share of the rows (compute=dask)
    num_threads: int = unhashed(1, at_least=1)


@dataclass
class HistGradientBoostingModel(ModelConfig):
    """Gradient-boosted trees by scikit-learn, with native categories."""

    name: str = "hist_gradient_boosting"
    max_iter: int = number(120, at_least=1)
    learning_rate: float = number(0.03, above=0)
    max_leaf_nodes: int = number(7, at_least=2)
    min_samples_leaf: int = number(40, at_least=1)
    l2_regularization: float = number(5.0, at_least=0)
    max_features: float = number(1.0, above=0, at_most=1)  # share of the features tried at each split
    early_stopping: int | None = number(None, at_least=1)  # trees without a gain on the inner fold; null: never stop
    class_weight: str = choice("none", "none", "balanced")  # balanced: taken off the probabilities again
    monotone: dict[str, str] = field(default_factory=dict)  # feature -> rises | falls: what more of it never undoes


@dataclass
class EnsembleModel(ModelConfig):
    """The mean of several models, each fitted with several seeds."""

    name: str = "ensemble"
    seeds: int = number(5, at_least=1)  # fits of each member
    members: dict[str, ModelConfig] = field(default_factory=dict)  # a label -> a model with its parameters


@dataclass
class BaselineModel(ModelConfig):
    """What every model must beat: the base rate, or one feature as a ranking."""

    name: str = "baseline"
    rank_by: str | None = None  # null: the base rate for everyone
    descending: bool = False  # false: the smallest value converts best (days since the last event)


# --- search -----------------------------------------------------------------------------------------


@dataclass
class SearchConfig:
    """How the model's parameters are found; by default they are not, but taken as they stand."""

    name: str = "none"


@dataclass
class RandomSearch(SearchConfig):
    """Parameters drawn by lot, scored by rolling origin on rows that train; the best are fitted."""

    name: str = "random"
    trials: int = number(30, at_least=2)  # the first is the model's own parameters
    folds: int = number(3, at_least=1)  # periods that are scored in turn, all within the training rows
    share: float = number(0.5, above=0, below=1)  # of the training rows, the latest: what those periods cover
    metric: str = choice("auc", "auc", "average_precision", "brier", "log_loss")
    prune: bool = True  # stop a trial that lies below the median of the earlier ones after a period


@dataclass
class TpeSearch(RandomSearch):
    """The same, drawn where earlier trials did well (tree-structured Parzen estimator)."""

    name: str = "tpe"
