"""The evaluation room: what a run measures, and what a careful reviewer would ask first."""

from leadscore.evaluate import rules_of_data, rules_of_fit
from leadscore.evaluate.checks import CHECKS, Check, CheckContext, Gain, run_checks
from leadscore.evaluate.evaluation import Evaluation, evaluate, summarise_folds
from leadscore.evaluate.metrics import METRICS, Metric, MetricValue

__all__ = [
    "CHECKS",
    "METRICS",
    "Check",
    "CheckContext",
    "Evaluation",
    "Gain",
    "Metric",
    "MetricValue",
    "evaluate",
    "rules_of_data",
    "rules_of_fit",
    "run_checks",
    "summarise_folds",
]
