"""What identical configs show among themselves: the part of a difference that a refit alone could make."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["RefitNoise", "RefitVariance", "refit_variance"]


@dataclass(frozen=True)
class RefitNoise:
    """Whether refits of the same config could explain a difference.

    Attributes
    ----------
    checked : bool
    seeds_a, seeds_b : int
        Refits of each run.
    sd_a, sd_b : float or None
        Standard deviation of the metric among a run's refits; None with one.
    share : float or None
        Of the variance of the difference, how much refits add to what the choice of leads gives.
    p_without : float or None
        The p-value if refits were certain to give the same model.
    exceeds : bool or None
        Whether the difference is more than refits and leads together explain.
    text : str
        One sentence.
    """

    checked: bool
    seeds_a: int
    seeds_b: int
    sd_a: float | None
    sd_b: float | None
    share: float | None
    p_without: float | None
    exceeds: bool | None
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class RefitVariance:
    """The variance that refits add to a difference of means over seeds.

    Attributes
    ----------
    sd_a, sd_b : float or None
        As in `RefitNoise`.
    variance : float
        0 when not checked.
    df : float
        Degrees of freedom of a difference whose other variance is `sampling`; infinite when refits add nothing.
    unchecked : str or None
        Why it was not checked.
    """

    sd_a: float | None
    sd_b: float | None
    variance: float
    df: float
    unchecked: str | None


def refit_variance(
    values: np.ndarray, covariance: np.ndarray, seeds_a: int, sampling: float, identical: tuple[bool, bool]
) -> RefitVariance:
    """Return what refits add to the sampling variance of mean(B) - mean(A).

    Refits of one config scatter on the same leads for two reasons: their models differ in truth, and chance in the
    choice of leads favours one or the other. The second is already in `sampling`, so it is taken off: a variance
    component, as in a one-way random-effects model, not below 0. Degrees of freedom by Satterthwaite (1946), for the
    scatter as it is seen: with few refits the component itself is uncertain, and a t with too many degrees of
    freedom called identical configs different in 11% of trials.

    Parameters
    ----------
    values : float64 (k,)
        The metric of each refit: A's `seeds_a` first, then B's.
    covariance : float64 (k, k)
        Their sampling covariance, the models taken as they are.
    seeds_a : int
    sampling : float
        The sampling variance of the difference of means.
    identical : (bool, bool)
        Whether all refits of A, of B, predict the same.

    Examples
    --------
    >>> values = np.array([0.70, 0.72, 0.75, 0.73])
    >>> found = refit_variance(values, np.full((4, 4), 4e-4), 2, 0.0, (False, False))
    >>> round(found.sd_a, 4), round(found.variance, 6), round(found.df, 6)
    (0.0141, 0.0002, 2.0)
    """
    sides = [slice(0, seeds_a), slice(seeds_a, len(values))]
    counts = [seeds_a, len(values) - seeds_a]
    spreads = [float(np.var(values[side], ddof=1)) if k > 1 else None for side, k in zip(sides, counts, strict=True)]
    sds = [None if spread is None else spread**0.5 for spread in spreads]
    varied = [k > 1 and not same for k, same in zip(counts, identical, strict=True)]
    if not any(varied):
        reason = {
            (False, False): "one seed a run",
            (True, True): "the refits of each run are identical",
        }.get((counts[0] > 1, counts[1] > 1), "one run has one seed, and the refits of the other are identical")
        return RefitVariance(sds[0], sds[1], 0.0, np.inf, reason)
    # Seen scatter, and the part of it that chance in the leads explains, of each run that has refits.
    known = []
    for side, k, spread in zip(sides, counts, spreads, strict=True):
        if spread is not None:
            block = covariance[side, side]
            known.append((spread, float(np.trace(block) - block.sum() / k) / (k - 1)))
    both = known * 2 if len(known) == 1 else known  # a run with one seed is taken to scatter like the other
    seen = sum(spread / k for (spread, _), k in zip(both, counts, strict=True))
    component = max(0.0, seen - sum(chance / k for (_, chance), k in zip(both, counts, strict=True)))
    freedom = sum(k - 1 for k, each in zip(counts, varied, strict=True) if each)
    df = freedom * ((sampling + component) / seen) ** 2 if seen > 0 else np.inf
    return RefitVariance(sds[0], sds[1], component, df, None)
