"""The parameters of the models that leadscore ships, with their types and defaults."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from leadscore.config.fields import choice, number, unhashed

__all__ = [
    "BaselineModel",
    "EnsembleModel",
    "HistGradientBoostingModel",
    "LightgbmModel",
    "LogisticModel",
    "ModelConfig",
]


@dataclass
class ModelConfig:
    """A model's name and what every model may have; each model's own dataclass adds its parameters."""

    name: str = MISSING
    calibration: str = choice("none", "none", "sigmoid", "isotonic", "auto")  # learned on the inner fold


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
