"""The explain room: what moves the scores of a run, and of each lead, in numbers and in words."""

from leadscore.explain.described import describe
from leadscore.explain.effects import effects, evenly
from leadscore.explain.importance import global_importance, importance_over_folds, scale_over_folds
from leadscore.explain.moves import split_columns, split_move
from leadscore.explain.reasons import group_contributions, reasons, said_values

__all__ = [
    "describe",
    "effects",
    "evenly",
    "global_importance",
    "group_contributions",
    "importance_over_folds",
    "reasons",
    "said_values",
    "scale_over_folds",
    "split_columns",
    "split_move",
]
