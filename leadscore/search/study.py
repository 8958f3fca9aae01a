"""Which parameters to try next, and which trial is not worth finishing: Optuna, asked one trial at a time."""

import importlib.util
from collections.abc import Mapping
from typing import Any

from leadscore.config.ranges import Range
from leadscore.config.schema import RandomSearch
from leadscore.errors import ConfigError

__all__ = ["Study", "need_optuna"]

FIRST = 5  # trials before one can be stopped: fewer have no median to speak of


def need_optuna(search: str) -> None:
    """Refuse a search where Optuna is not installed, before there is work to lose."""
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(
            f"search={search} asks Optuna what to try next, and it is not installed: pip install 'leadscore[search]'"
        )


class Study:
    """Proposes parameters one trial at a time; the same seed and answers give the same proposals.

    Nothing here looks at a clock or at the number of processors.

    Parameters
    ----------
    asked : RandomSearch
        Or a `TpeSearch`, which is one.
    ranges : mapping of str to Range
    higher : bool
        Whether a higher score is better.
    seed : int
    """

    def __init__(self, asked: RandomSearch, ranges: Mapping[str, Range], *, higher: bool, seed: int) -> None:
        import optuna

        self._states = optuna.trial.TrialState
        self._ranges = dict(sorted(ranges.items()))
        self._space = {key: _distribution(optuna.distributions, each) for key, each in self._ranges.items()}
        samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
        pruner = optuna.pruners.MedianPruner(n_startup_trials=FIRST) if asked.prune else optuna.pruners.NopPruner()
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # nobody need know that it has begun
        try:
            self._study = optuna.create_study(
                direction="maximize" if higher else "minimize", sampler=samplers[asked.name](seed=seed), pruner=pruner
            )
        finally:
            optuna.logging.set_verbosity(verbosity)
        self._trial: Any = None

    def begin(self, own: Mapping[str, Any]) -> None:
        """Start with the model's own parameters; where one is outside its range, nothing is learned from them."""
        self._trial = None
        if all(each.holds(own[key]) for key, each in self._ranges.items()):
            self._study.enqueue_trial({key: own[key] for key in self._ranges})
            self._trial = self._study.ask(self._space)

    def ask(self) -> dict[str, Any]:
        """Return what to try now."""
        self._trial = self._study.ask(self._space)
        return dict(self._trial.params)

    def goes_on(self, period: int, score: float) -> bool:
        """Whether the trial is worth finishing; `score` is its mean over the periods up to this one."""
        if self._trial is None:
            return True
        self._trial.report(score, period)
        return not self._trial.should_prune()

    def tell(self, score: float | None, *, stopped: bool = False) -> None:
        """End the trial: with its score, stopped early, or failed (None)."""
        if self._trial is None:
            return
        if stopped:
            self._study.tell(self._trial, state=self._states.PRUNED)
        elif score is None:
            self._study.tell(self._trial, state=self._states.FAIL)
        else:
            self._study.tell(self._trial, score)


def _distribution(kinds: Any, each: Range) -> Any:
    if each.words:
        return kinds.CategoricalDistribution(each.words)
    kind = kinds.IntDistribution if isinstance(each.low, int) else kinds.FloatDistribution
    return kind(each.low, each.high, log=each.log)
