"""What a search found: every trial, the one that won, and what luck alone would have given."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from leadscore.config.schema import ModelConfig

__all__ = ["Searched", "Trial"]

ALPHA = 0.05
State = Literal["done", "stopped", "failed"]


@dataclass(frozen=True)
class Trial:
    """One choice of parameters.

    Attributes
    ----------
    number : int
        From 0, the model's own parameters.
    parameters : dict
        By their keys below `model`.
    state : {"done", "stopped", "failed"}
        Stopped: below the median of the earlier trials after a period.
    seed : int
        Of its fits.
    periods : list of float
        The score in each period, as far as it came.
    score : float or None
        Their mean, of a trial that is done.
    low, high : float or None
        Its 95% interval, leads resampled; it knows nothing of the choice among trials.
    seconds : float
    reason : str or None
        Why it failed.
    """

    number: int
    parameters: dict[str, Any]
    state: State
    seed: int
    periods: list[float]
    score: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Searched:
    """A finished search.

    Attributes
    ----------
    asked : dict
        `name`, `trials`, `folds`, `share`, `metric`, `prune`.
    title : str
        The metric, as people read it.
    higher : bool
        Whether a higher score is better.
    space : dict
        The ranges, in one spelling.
    periods : list of dict
        What was scored in turn, and on how many rows each was trained.
    trials : list of Trial
    winner : Trial
    model : ModelConfig
        With the winner's parameters.
    difference, low, high : float or None
        The winner's score minus that of the model's own parameters, on the rows of the search.
    p : float or None
        Of that difference, the number of trials counted against it.
    luck : float or None
        How much better than one of them the best of so many equal trials is expected to look.
    """

    asked: dict[str, Any]
    title: str
    higher: bool
    space: dict[str, Any]
    periods: list[dict[str, Any]]
    trials: list[Trial]
    winner: Trial
    model: ModelConfig
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    luck: float | None = None

    @property
    def compared(self) -> int:
        """How many trials had a score, early ones among them."""
        return len(self.trials) - self.count("failed")

    def count(self, state: State) -> int:
        """Return how many trials ended so."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def summary(self) -> dict[str, Any]:
        """What `metrics.json` says of the search."""
        return {
            "name": self.asked["name"],
            "metric": self.asked["metric"],
            "tried": len(self.trials),
            "stopped": self.count("stopped"),
            "failed": self.count("failed"),
            "winner": self.winner.to_json(),
            "own": self.trials[0].to_json(),
            "against_own": self._against_own,
            "sentences": self.sentences,
        }

    def to_json(self) -> dict[str, Any]:
        """Return what `search.json` says."""
        return {
            "asked": self.asked,
            "space": self.space,
            "periods": self.periods,
            "trials": [trial.to_json() for trial in self.trials],
            "winner": self.winner.number,
            "against_own": self._against_own,
            "sentences": self.sentences,
        }

    @property
    def _against_own(self) -> dict[str, float | None]:
        return {key: getattr(self, key) for key in ("difference", "low", "high", "p", "luck")}

    @property
    def sentences(self) -> list[str]:
        """The search in words."""
        return [self._tried(), self._won(), *self._lucky()]

    def _tried(self) -> str:
        ends = ((self.count("stopped"), "stopped early"), (self.count("failed"), "failed"))
        ended = ", ".join(f"{n} {words}" for n, words in ends if n)
        n, rows = len(self.periods), sum(each["rows"]["valid"] for each in self.periods)
        return (
            f"{len(self.trials)} tried by {self.asked['name']}{f' ({ended})' if ended else ''}, scored on {rows:,} "
            f"training rows in {n} part{'s' if n > 1 else ''}; no validation row was looked at."
        )

    def _won(self) -> str:
        best = self.winner
        sure = "" if best.low is None else f" [{best.low:.3f}, {best.high:.3f}]"
        if best.number == 0:
            return (
                f"Nothing tried was better there than the model's own parameters: {self.title} {best.score:.3f}{sure}."
            )
        return f"Best there was trial {best.number}: {in_words(best.parameters)}; {self.title} {best.score:.3f}{sure}."

    def _lucky(self) -> list[str]:
        if self.difference is None or self.luck is None or self.p is None:
            return []
        sure = self.p < ALPHA
        return [
            f"That is {self.difference:+.4f} on the model's own parameters; the best of {self.compared} equal ones "
            f"looks {self.luck:.4f} better by luck alone, {'and' if sure else 'so'} this is "
            f"{'more than luck explains' if sure else 'not told from luck'} (p = {self.p:.2g}, all tries counted)."
        ]


def in_words(parameters: Mapping[str, Any]) -> str:
    """Return parameters as people read them.

    Examples
    --------
    >>> in_words({"C": 0.123456, "class_weight": "none"})
    'C 0.1235, class_weight none'
    """
    return ", ".join(
        f"{key} {f'{value:.4g}' if isinstance(value, float) else value}" for key, value in parameters.items()
    )
