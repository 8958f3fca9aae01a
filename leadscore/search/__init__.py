"""The search room: which parameters to try next, which trials to stop, and what came of them."""

from leadscore.search.results import Searched, Trial
from leadscore.search.study import Study, need_optuna

__all__ = ["Searched", "Study", "Trial", "need_optuna"]
