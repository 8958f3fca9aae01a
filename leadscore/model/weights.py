"""Class weights, and what takes their mark off the probabilities again."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

__all__ = ["ClassWeights"]


@dataclass(frozen=True)
class ClassWeights:
    """How much a row of each class counts in fitting.

    A model fitted with `balanced` weights speaks of a world in which half of the leads convert: its odds are too
    large by the ratio of the two weights. A model therefore takes `shift` off every log-odds, which leaves its mean
    probability near the base rate.
    """

    negative: float = 1.0
    positive: float = 1.0

    @classmethod
    def learn(cls, asked: str, y: pd.Series) -> Self:
        """Return the weights that `model.class_weight` asks for.

        Parameters
        ----------
        asked : str
            `none`, or `balanced`: both classes have the same total, all rows together the sum of their number.
        y : Series
            Labels, of both classes.

        Examples
        --------
        >>> ClassWeights.learn("balanced", pd.Series([1, 0, 0, 0, 0])).positive
        2.5
        """
        if asked == "none":
            return cls()
        n, positive = len(y), int(y.sum())
        return cls(n / (2 * (n - positive)), n / (2 * positive))

    @property
    def shift(self) -> float:
        """By how much the weights raise every log-odds."""
        return math.log(self.positive / self.negative)

    def of(self, y: pd.Series) -> np.ndarray | None:
        """Return each row's weight; None when all are 1."""
        if self.positive == self.negative == 1:
            return None
        return np.where(y.to_numpy() == 1, self.positive, self.negative)
