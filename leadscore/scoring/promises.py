"""What validation promised beside what happened: each metric, and each band at its word."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.bands import BANDS

if TYPE_CHECKING:
    from leadscore.record import Run

__all__ = ["BandKept", "MetricKept", "bands_kept", "metrics_kept"]

LEVEL = 0.95
FEWEST = 10  # rows of a band, on either side, below which its promise is not judged
Array = np.ndarray[Any, Any]
Estimate = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class MetricKept:
    """One metric on rows whose outcome is known, and what validation measured.

    Attributes
    ----------
    name, title : str
    value, low, high : float or None
        What happened, with its 95% interval.
    reason : str or None
        Why there is no value, or no interval.
    promised, promised_low, promised_high : float or None
        As the run's `metrics.json` has them.
    difference, difference_low, difference_high : float or None
        What happened less what was promised, with its 95% interval; None where one of the two has none.
    verdict : {"as promised", "better", "worse", "off", ""}
        `off`: of a metric that is best at 0 and whose interval excludes 0. Empty where nothing can be said.
    """

    name: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    promised: float | None
    promised_low: float | None
    promised_high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class BandKept:
    """One band: what its leads converted on validation rows, and what they did.

    Attributes
    ----------
    band : str
    n, leads, positives : int
        Rows whose outcome is known, their leads, and rows that converted.
    expected : float or None
        The mean probability that they were given.
    rate, low, high : float or None
        The share that converted, with its 95% interval.
    promised_n : int
        Validation rows in the band.
    promised, promised_low, promised_high : float or None
    difference, difference_low, difference_high : float or None
        What happened less what was promised, with an interval at `level`.
    level : float or None
        So far from 0.95 that, of all bands judged together, one in twenty reports is wrong about any of them.
    verdict : {"kept", "fell short", "exceeded", "too few", "nobody"}
    """

    band: str
    n: int
    leads: int
    positives: int
    expected: float | None
    rate: float | None
    low: float | None
    high: float | None
    promised_n: int
    promised: float | None
    promised_low: float | None
    promised_high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    level: float | None
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def metrics_kept(frame: pd.DataFrame, promised: Mapping[str, Any], resamples: int) -> dict[str, MetricKept]:
    """Return every metric of rows whose outcome is known, beside the promised one.

    Parameters
    ----------
    frame : DataFrame (n, ...)
        `user_id`, `label` (0 or 1) and `probability`; at least one row.
    promised : mapping
        The run's `metrics.json`.
    resamples : int
        Of leads.
    """
    from leadscore.compare import CALIBRATION, STATISTICS, metric_intervals
    from leadscore.evaluate import METRICS, evaluate

    label, probability, lead = frame["label"].astype("int64"), frame["probability"], frame["user_id"]
    measured = evaluate(label, probability).metrics
    sure = metric_intervals(
        label.to_numpy(),
        probability.to_numpy(),
        lead=lead.to_numpy(),
        metrics=[*STATISTICS.values(), CALIBRATION],
        resamples=resamples,
    )
    kept = {}
    for name, metric in METRICS.items():
        value, interval = measured[name], sure[name]
        low, high, reason = interval.low, interval.high, value.reason or interval.reason
        if name == CALIBRATION.name and low is None:  # a share has an interval where a bootstrap has none
            low, high, reason = *_off(label.to_numpy(), probability.to_numpy(), lead.to_numpy()), None
        told = promised["intervals"].get(name) or {}
        before = promised["metrics"].get(name), told.get("low"), told.get("high")
        difference = _difference(before, (value.value, low, high))
        verdict = _verdict(metric.direction, difference, (low, high))
        kept[name] = MetricKept(name, metric.title, value.value, low, high, reason, *before, *difference, verdict)
    return kept


def _off(label: Array, probability: Array, lead: Array) -> tuple[float, float]:
    """Return the interval of mean probability less share converted, the probabilities taken as they are."""
    from leadscore.compare import share_interval

    low, high = share_interval(label, lead)
    mean = float(probability.mean())
    return mean - high, mean - low


def _difference(before: tuple[Any, Any, Any], after: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    from leadscore.compare import independent_difference

    return (None, None, None) if None in (*before, *after) else independent_difference(before, after)


def _verdict(direction: str, difference: tuple[Any, Any, Any], interval: tuple[Any, Any]) -> str:
    if direction == "zero":
        low, high = interval
        return "" if low is None else "off" if low > 0 or high < 0 else "as promised"
    _, low, high = difference
    if low is None:
        return ""
    if low <= 0 <= high:
        return "as promised"
    return "better" if (low > 0) == (direction == "higher") else "worse"


def bands_kept(frame: pd.DataFrame, run: "Run") -> list[BandKept]:
    """Return each band's promise beside what happened, the four judged together.

    Parameters
    ----------
    frame : DataFrame (n, ...)
        `user_id`, `label`, `probability` and `band`, of rows whose outcome is known.
    run : Run
        Its saved validation predictions are what the promises were read off.
    """
    validated = _validated(run)
    sides = {band: (validated[validated["band"] == band], frame[frame["band"] == band]) for band in BANDS}
    judged = [band for band, both in sides.items() if min(map(len, both)) >= FEWEST]
    level = 1 - (1 - LEVEL) / max(len(judged), 1)
    return [_band(band, *both, level if band in judged else None) for band, both in sides.items()]


def _validated(run: "Run") -> pd.DataFrame:
    """Return the validation rows of the model that was kept, with their bands."""
    from leadscore.model.store import read_manifest

    kept, told = read_manifest(run.folder / "model")["extra"], run.predictions
    rows = told[(told["fold"] == kept["fold"]) & (told["seed"] == kept["seed"])]
    return rows.assign(band=run.serving.bands.of(rows["probability"]))


def _band(band: str, before: pd.DataFrame, after: pd.DataFrame, level: float | None) -> BandKept:
    from leadscore.compare import independent_difference

    promised, happened = _share(before), _share(after)
    difference: tuple[Any, Any, Any] = (None, None, None)
    verdict = "too few" if len(after) else "nobody"
    if level is not None:
        difference = independent_difference(_share(before, level), _share(after, level))
        verdict = "fell short" if difference[2] < 0 else "exceeded" if difference[1] > 0 else "kept"
    return BandKept(
        band=band,
        n=len(after),
        leads=after["user_id"].nunique(),
        positives=int(after["label"].sum()),
        expected=float(after["probability"].mean()) if len(after) else None,
        **dict(zip(("rate", "low", "high"), happened, strict=True)),
        promised_n=len(before),
        **dict(zip(("promised", "promised_low", "promised_high"), promised, strict=True)),
        **dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True)),
        level=level,
        verdict=verdict,
    )


def _share(rows: pd.DataFrame, level: float = LEVEL) -> Any:
    from leadscore.compare import share_interval

    if not len(rows):
        return None, None, None
    label = rows["label"].to_numpy(dtype="float64")
    return float(label.mean()), *share_interval(label, rows["user_id"].to_numpy(), level=level)
