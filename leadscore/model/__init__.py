"""The model room: one contract, the models that keep it, and how they are saved."""

from leadscore.model.base import Explanation, Model
from leadscore.model.baseline import Baseline
from leadscore.model.boosting import BoostedTrees
from leadscore.model.checked import CheckedModel
from leadscore.model.ensemble import Ensemble
from leadscore.model.hist_boosting import HistGradientBoosting
from leadscore.model.logistic import LogisticRegression
from leadscore.model.registry import make_model, model_names, parts_of, register_model
from leadscore.model.sklearn_wrapper import sklearn_wrapper
from leadscore.model.store import load_model, load_serving, read_manifest, save_model

__all__ = [
    "Baseline",
    "BoostedTrees",
    "CheckedModel",
    "Ensemble",
    "Explanation",
    "HistGradientBoosting",
    "LogisticRegression",
    "Model",
    "load_model",
    "load_serving",
    "make_model",
    "model_names",
    "parts_of",
    "read_manifest",
    "register_model",
    "save_model",
    "sklearn_wrapper",
]
