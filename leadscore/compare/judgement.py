"""Is B better than A? One answer, with the difference, its interval and what these data could have shown."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scipy.special import stdtrit

from leadscore.compare.aligned import Pair, Scores, align, differences_of_horizon, differences_of_rows, one_run
from leadscore.compare.answer import Answer, Verdict
from leadscore.compare.auc import tail, too_few
from leadscore.compare.difference import Estimate, estimate, measure
from leadscore.compare.inputs import check_level, check_probabilities
from leadscore.compare.intervals import leads_by_class
from leadscore.compare.multiple import expected_gain_by_luck, holm, smallest_detectable
from leadscore.compare.refit_noise import RefitNoise, RefitVariance, refit_variance
from leadscore.compare.resampling import RESAMPLES
from leadscore.compare.statistics import Statistic, statistic
from leadscore.compare.words import refit_words, verdict_words
from leadscore.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["verdict"]

FEW = 50  # positives under which the tests call equal models different slightly too often


def verdict(
    a: "Scores | pd.DataFrame",
    b: "Scores | pd.DataFrame",
    *,
    metric: str | Statistic = "auc",
    family: int | Sequence[float] | None = None,
    best_of: int | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Verdict:
    """Say whether B is better than A on the same rows.

    Not comparable unless both have the same (`user_id`, `as_of`) rows, folds, labels and horizon. Paired, by lead:
    DeLong's test for the AUC when each lead has one row, else the bootstrap that draws leads. Over several folds the
    differences are averaged. Over several seeds a run, the interval and p carry what refits of the same config show
    among themselves.

    Parameters
    ----------
    a, b : Scores or DataFrame
        A DataFrame has `user_id, as_of, label, probability`, and where there are several, `fold` and `seed`.
    metric : str or Statistic
        A name in `STATISTICS`.
    family : int or sequence of float, optional
        How many comparisons were made on these rows, this one among them; or the p-values of the others, which makes
        Holm's adjustment exact. With the number alone p is multiplied by it, which is at least as much.
    best_of : int, optional
        How many models of a sweep B was the best of; the verdict then says what luck alone gives.
    level : float
        Of the interval; the answer is at 1 - level.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    Verdict

    Raises
    ------
    DataError
        When a frame lacks a column, repeats a row, or its seeds have different rows.
    ModelError
        When a label or a probability is not allowed.
    ConfigError
        When the metric is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> label = np.arange(2_000) % 5 == 0
    >>> weak, strong = 0.5 * label + rng.normal(size=2_000), 1.5 * label + rng.normal(size=2_000)
    >>> found = verdict(Scores.of(label, weak), Scores.of(label, strong))
    >>> found.answer, found.method
    ('better', 'paired DeLong test')
    >>> verdict(Scores.of(label, weak), Scores.of(~label, strong)).answer
    'not comparable'
    """
    check_level(level)
    chosen = statistic(metric)
    if chosen.direction == "zero":
        raise ConfigError(f"{chosen.title} has no better side: compare the Brier score or the log loss")
    runs = [each if isinstance(each, Scores) else Scores(each) for each in (a, b)]
    names = runs[0].name or "A", runs[1].name or "B"
    checked = [one_run(run, name, chosen.takes) for run, name in zip(runs, names, strict=True)]
    blank = Verdict("not comparable", "", chosen.name, chosen.title, chosen.direction, *names, level)
    differs = differences_of_horizon(runs[0], runs[1], names) + differences_of_rows(checked[0], checked[1], names)
    if differs:
        return _worded(replace(blank, differs=differs))
    pair = align(checked[0], checked[1])
    blank = replace(blank, n=pair.n, positives=pair.positives, leads=pair.leads)
    few = _too_few(pair)
    if few:
        folds = measure(pair, chosen)
        return _worded(
            replace(
                blank,
                answer="too few positives",
                reason=few,
                folds=folds,
                a=_mean([fold.a for fold in folds]),
                b=_mean([fold.b for fold in folds]),
                difference=_mean([fold.difference for fold in folds]),
            )
        )
    found = estimate(pair, chosen, level, resamples, seed)
    bootstrapped = found.draws is not None
    measured = replace(
        blank,
        a=found.a,
        b=found.b,
        difference=found.difference,
        folds=found.folds,
        method=f"paired bootstrap of leads, {resamples:,} resamples" if bootstrapped else "paired DeLong test",
        resamples=resamples if bootstrapped else None,
        seed=seed if bootstrapped else None,
        best_of=best_of,
        notes=_notes(runs, pair, found),
    )
    return _worded(_judged(measured, pair, found, family))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _too_few(pair: Pair) -> str | None:
    """Return which fold has too few leads of a class; a mean over folds is as sure as its weakest one."""
    for fold in pair.folds:
        if reason := too_few(*leads_by_class(fold.label, fold.lead, pair.leads)):
            return f"fold {fold.number} has {reason}" if len(pair.folds) > 1 else reason
    return None


def _notes(runs: Sequence[Scores], pair: Pair, found: Estimate) -> list[str]:
    notes = []
    if any(run.horizon is None for run in runs):
        notes.append("the horizons were not compared: state both")
    if pair.positives < FEW:
        notes.append(
            f"with {pair.positives} positives equal models are called different slightly more often than stated"
        )
    if found.undefined:
        notes.append(f"{found.undefined} resamples had one class in a fold and were left out")
    return notes


def _judged(measured: Verdict, pair: Pair, found: Estimate, family: int | Sequence[float] | None) -> Verdict:
    """Return the verdict of comparable runs with enough leads in each class."""
    p_alone = found.p
    if p_alone is None or not math.isfinite(found.variance):
        reason = f"{measured.title} was undefined in nearly all resamples: the rows of one class belong to few leads"
        return replace(measured, answer="too few positives", reason=reason)
    refits = _refits(pair, found)
    variance = found.variance + refits.variance
    se = math.sqrt(variance)
    low, high = found.interval(measured.level)
    p = p_alone
    method = measured.method
    if math.isfinite(refits.df) and se > 0:  # percentiles and DeLong's variance know the leads only
        reach = float(stdtrit(refits.df, (1 + measured.level) / 2)) * se
        low, high = found.difference - reach, found.difference + reach
        p = max(p_alone, tail(found.difference / se, "two-sided", refits.df))
        method = f"{method}; its variance and that of refits in a t with {refits.df:.3g} degrees of freedom"
    size, adjusted = _adjusted(p, family)
    alpha = 1 - measured.level
    return replace(
        measured,
        answer=_answer(p if adjusted is None else adjusted, alpha, found.difference, measured.direction),
        low=low,
        high=high,
        method=method,
        se=se,
        p=p,
        p_adjusted=adjusted,
        family=size,
        expected_by_luck=None if measured.best_of is None else expected_gain_by_luck(measured.best_of, se),
        smallest_detectable=smallest_detectable(se, level=measured.level) if se > 0 else None,
        refit=_refit_noise(measured, pair, refits, se, p_alone, p),
    )


def _answer(p: float, alpha: float, difference: float, direction: str) -> Answer:
    if p >= alpha or difference == 0:
        return "no evidence"
    return "better" if (difference > 0) == (direction == "higher") else "worse"


def _adjusted(p: float, family: int | Sequence[float] | None) -> tuple[int | None, float | None]:
    """Return the size of the family and Holm's adjusted p; with the size alone, its upper bound."""
    if family is None:
        return None, None
    if isinstance(family, int):
        if family < 1:
            raise ModelError(f"family is {family}: this comparison is one of them, so it is at least 1")
        return family, min(1.0, p * family)
    others = check_probabilities(family)
    return len(others) + 1, float(holm([p, *others])[0])


def _refits(pair: Pair, found: Estimate) -> RefitVariance:
    identical = tuple(
        all(bool((side == side[:, :1]).all()) for side in sides)
        for sides in ([fold.a for fold in pair.folds], [fold.b for fold in pair.folds])
    )
    k_a = pair.folds[0].a.shape[1]
    return refit_variance(found.values, found.covariance, k_a, found.variance, (identical[0], identical[1]))


def _refit_noise(
    measured: Verdict, pair: Pair, refits: RefitVariance, se: float, p_alone: float, p: float
) -> RefitNoise:
    checked, alpha = refits.unchecked is None, 1 - measured.level
    noise = RefitNoise(
        checked,
        pair.folds[0].a.shape[1],
        pair.folds[0].b.shape[1],
        refits.sd_a,
        refits.sd_b,
        refits.variance / se**2 if checked and se > 0 else None,
        p_alone if checked else None,
        p < alpha if checked else None,
        "",
    )
    names = measured.name_a, measured.name_b
    return replace(noise, text=refit_words(noise, refits.unchecked, names, alpha))


def _worded(found: Verdict) -> Verdict:
    return replace(found, text=verdict_words(found))
