"""The model room: one contract, the models that keep it, and how they are saved."""

from leadscore.model.base import Explanation, Model
from leadscore.model.baseline import Baseline
from leadscore.model.boosting import BoostedTrees
from leadscore.model.checked import CheckedModel
from leadscore.model.logistic import LogisticRegression
from leadscore.model.registry import make_model, model_names, register_model
from leadscore.model.store import load_model, load_serving, read_manifest, save_model

__all__ = [
    "Baseline",
    "BoostedTrees",
    "CheckedModel",
    "Explanation",
    "LogisticRegression",
    "Model",
    "load_model",
    "load_serving",
    "make_model",
    "model_names",
    "read_manifest",
    "register_model",
    "save_model",
]
