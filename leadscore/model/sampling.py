"""Undersampling: fewer rows without a conversion to fit on, and what takes its mark off the probabilities again."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.base import Explanation
from leadscore.model.state import one_number, read_state

__all__ = ["FILE", "Sampling", "read_sampling"]

FILE = "sampling.json"


@dataclass(frozen=True)
class Sampling:
    """What `model.negatives_per_positive` asked for, and the share of rows without a conversion that was kept.

    Among the rows kept the odds of a conversion are too large by 1 / `kept`, so each lead's odds are multiplied by
    `kept` again (King and Zeng 2001, Logistic Regression in Rare Events Data).
    """

    asked: float
    seed: int
    kept: float = 1.0

    def learn(self, y: pd.Series) -> Self:
        """Return it with the share that the labels of the training rows make; one row of each class stays."""
        negatives, positives = int((y == 0).sum()), int((y == 1).sum())
        wanted = max(1, round(self.asked * positives))
        return replace(self, kept=min(1.0, wanted / negatives))

    def rows(self, y: pd.Series, part: int) -> np.ndarray:
        """Return the positions of the rows to fit on, rising; `part` tells apart draws of one seed."""
        labels = y.to_numpy()
        negatives = np.flatnonzero(labels == 0)
        rng = np.random.default_rng([self.seed, part])
        drawn = rng.permutation(negatives)[: max(1, round(self.kept * len(negatives)))]
        return np.sort(np.concatenate([np.flatnonzero(labels == 1), drawn]))

    @property
    def warnings(self) -> list[str]:
        """Say it where nothing was left out."""
        if self.kept < 1:
            return []
        return [
            f"model.negatives_per_positive={self.asked:g} leaves out no row: there are not so many without a conversion"
        ]

    def apply(self, p: pd.Series) -> pd.Series:
        """Return the probabilities that all rows would have made of these."""
        odds = p * self.kept
        return odds / (odds + (1 - p))

    def explain(self, explanation: Explanation) -> Explanation:
        """Return it from a lower base: to each lead's log-odds the same was added."""
        return replace(explanation, base=explanation.base + math.log(self.kept))

    def save(self, folder: Path) -> None:
        """Write `sampling.json`."""
        if (folder / FILE).exists():
            raise ModelError(f"{FILE} is where leadscore keeps its sampling: a model calls its own file otherwise")
        (folder / FILE).write_text(json.dumps(asdict(self), allow_nan=False, indent=1) + "\n", encoding="ascii")


def read_sampling(folder: Path) -> Sampling:
    """Return what `Sampling.save` wrote."""
    state = read_state(folder / FILE)
    kept = one_number(state["kept"], "kept")
    if not 0 < kept <= 1:
        raise ValueError(f"{FILE} has no share of rows that were kept")
    return Sampling(one_number(state["asked"], "asked"), int(state["seed"]), kept)
