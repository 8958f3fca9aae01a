"""Between probabilities and log-odds, as far as a float64 probability can tell log-odds apart."""

from dataclasses import replace

import numpy as np
import pandas as pd

from leadscore.model.base import Explanation

__all__ = ["LARGEST_LOG_ODDS", "bounded", "log_odds_of", "probability_of"]

# 1 - 2e-9 is the last probability whose log-odds float64 holds to 1e-6.
LARGEST_LOG_ODDS = 20.0


def log_odds_of(p: pd.Series) -> pd.Series:
    """Return the log-odds of probabilities, within plus or minus `LARGEST_LOG_ODDS`.

    Examples
    --------
    >>> log_odds_of(pd.Series([0.0, 0.5, 1.0])).tolist()
    [-20.0, 0.0, 20.0]
    """
    with np.errstate(divide="ignore"):
        log_odds: pd.Series = (np.log(p) - np.log1p(-p)).clip(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
    return log_odds


def probability_of(log_odds: pd.Series) -> pd.Series:
    """Return the probabilities of log-odds of any size."""
    with np.errstate(over="ignore"):  # exp(1000) is infinite and 1 / inf is the 0 that is due
        p: pd.Series = 1 / (1 + np.exp(-log_odds))
    return p


def bounded(explanation: Explanation) -> Explanation:
    """Return contributions that add up to `log_odds_of` of the probability also where that is at its bound.

    Rows beyond it have all their contributions shortened by one factor.
    """
    total = explanation.log_odds()
    beyond = total.abs() > LARGEST_LOG_ODDS
    if not beyond.any():
        return explanation
    room = np.copysign(LARGEST_LOG_ODDS, total) - explanation.base
    factor = (room / (total - explanation.base)).where(beyond, 1.0)
    return replace(explanation, contributions=explanation.contributions.mul(factor, axis=0))
