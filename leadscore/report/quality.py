"""How good a run is: its numbers beside what they are compared with, and the pictures of its last fold."""

from collections.abc import Iterator, Mapping
from typing import Any

from leadscore.evaluate import METRICS
from leadscore.report.curves import calibration_bins, ranked_curves
from leadscore.report.page import interval, number
from leadscore.report.parts import Parts
from leadscore.report.picture import Picture
from leadscore.report.plots.dots import Dot, dots
from leadscore.report.plots.ranking import Ranking, gains, lift, precision_recall, roc
from leadscore.report.plots.scores import calibration, distribution

__all__ = ["LISTED", "compared", "folds_picture", "quality_pictures", "slices_picture", "with_interval"]

LISTED = 30  # lines of a picture; the table behind it has all
FORWARD = ("holdout", "rolling")
SLICE_HEADINGS = ("slice", "ROC AUC", "95% interval", "observations", "converted", "base rate", "mean score", "p")


def compared(metrics: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return what the run is seen against: each rule, and the best reachable, by metric as means over the folds."""
    rules = {name.replace("_", " "): folds for name, folds in metrics["baselines"].items()}
    if metrics["best_reachable"]:
        rules["best reachable"] = metrics["best_reachable"]
    return {
        name: {metric: _mean([fold[metric] for fold in folds]) for metric in METRICS} for name, folds in rules.items()
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if values and len(known) == len(values) else None


def with_interval(found: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Return a value and its interval in words.

    Examples
    --------
    >>> with_interval({"value": 0.7, "low": 0.65, "high": 0.75})
    '0.700 [0.650, 0.750]'
    """
    if found is None:
        return "unknown"
    ends = f" {interval(found, digits)}" if found["low"] is not None else ""
    return f"{number(found['value'], digits)}{ends}"


def quality_pictures(parts: Parts) -> list[Picture]:
    """Return the pictures of the last fold; none where all its rows had one outcome."""
    metrics, fold = parts.metrics, parts.last_fold
    assert metrics is not None
    assert parts.config is not None
    positives = int(fold["label"].sum())
    told = metrics["folds"][-1]
    later = "later " if parts.config["validation"]["name"] in FORWARD else ""
    rows = f"{len(fold):,} {later}observations, {positives:,} converted"
    if len(metrics["folds"]) > 1:
        rows = f"last fold, {rows}"
    cuts = parts.serving.bands.least if parts.serving else {}
    pictures = []
    curves = ranked_curves(fold)
    if curves:
        assert parts.predictions is not None
        earlier = parts.predictions[parts.predictions["fold"] < fold["fold"].iloc[0]]
        others = [ranked_curves(part, band=False) for _, part in earlier.groupby("fold")]
        called, capacity = _capacity(told, len(fold))
        of = Ranking(curves, others, len(fold), positives, rows, called)
        pictures += [
            roc(of, with_interval(told["intervals"]["auc"])),
            precision_recall(of, with_interval(told["intervals"]["average_precision"])),
            gains(of, capacity),
            lift(of),
        ]
    pictures.append(calibration(calibration_bins(fold), rows, _error(told)))
    pictures.append(distribution(fold, cuts, rows))
    return pictures


def _capacity(fold: Mapping[str, Any], n: int) -> tuple[float | None, str]:
    calls = fold.get("capacity")
    if calls is None:
        return None, ""
    share = calls["calls"] / n
    return share, f"Sales can call {calls['capacity']:,} a week, {share:.0%} of the leads scored."


def _error(fold: Mapping[str, Any]) -> str:
    found = fold.get("calibration_error") or {}
    if found.get("value") is None:
        return ""
    by_chance = found.get("if_calibrated")
    chance = "" if by_chance is None else f" (chance alone makes {by_chance:.3f})"
    return f"calibration error {found['value']:.3f}{chance}"


def folds_picture(parts: Parts) -> Picture | None:
    """Return the metric of each fold with its interval; None of a single fold."""
    metrics, windows = parts.metrics, parts.windows
    assert metrics is not None
    folds = metrics["folds"]
    known = [each for each in folds if each["metrics"]["auc"] is not None]
    if len(folds) < 2 or not known:
        return None
    lines, rows = [], []
    for index, each in enumerate(folds):
        name = _fold_name(windows, index)
        auc = each["intervals"].get("auc") or {"value": each["metrics"]["auc"], "low": None, "high": None}
        rows.append((name, number(each["metrics"]["auc"]), interval(auc), f"{each['n']:,}", f"{each['positives']:,}"))
        if each["metrics"]["auc"] is not None:
            lines.append(Dot(f"{name} (n = {each['n']:,})", each["metrics"]["auc"], auc["low"], auc["high"]))
    mean = metrics["metrics"]["auc"]
    values = [each["metrics"]["auc"] for each in known]
    return dots(
        Picture(
            "folds",
            "ROC AUC of each fold",
            f"{len(folds)} folds, {sum(each['n'] for each in folds):,} observations",
            f"From {min(values):.3f} to {max(values):.3f}; the mean is {number(mean)}.",
            headings=("fold", "ROC AUC", "95% interval", "observations", "converted"),
            rows=rows,
            note="Bars: 95% intervals.",
        ),
        lines,
        "ROC AUC",
        reference=None if mean is None else (mean, f"mean {mean:.3f}"),
    )


def _fold_name(windows: Mapping[str, Any] | None, index: int) -> str:
    fold = windows["folds"][index] if windows else {}
    return f"{index}: {fold['valid_start'][:10]}" if "valid_start" in fold else f"fold {index}"


def slices_picture(parts: Parts) -> Picture | None:
    """Return how well the score ranks within each slice; None where none was asked for."""
    metrics = parts.metrics
    assert metrics is not None
    slices = metrics["folds"][-1].get("slices")
    if not slices:
        return None
    known = [each for each in slices if each["auc"]["value"] is not None]
    overall = metrics["folds"][-1]["metrics"]["auc"]
    lines = [
        Dot(f"{each['value']} (n = {each['auc']['n']:,})", *(each["auc"][key] for key in ("value", "low", "high")))
        for each in known[:LISTED]
    ]
    columns = ", ".join(dict.fromkeys(each["column"] for each in slices))
    left = f" The {len(known) - LISTED} smallest are in the table only." if len(known) > LISTED else ""
    return dots(
        Picture(
            "slices",
            f"ROC AUC by {columns}",
            f"{sum(each['auc']['n'] for each in slices):,} observations in {len(slices)} slices",
            f"{len(slices)} slices, {len(slices) - len(known)} of them too small for a number; all together "
            f"{number(overall)}.",
            headings=SLICE_HEADINGS,
            rows=list(_slice_rows(slices)),
            note=f"Bars: 95% intervals; no bar: too few for one. p: unlike the rest, after Holm.{left}",
        ),
        lines,
        "ROC AUC within the slice",
        reference=None if overall is None else (overall, f"all {overall:.3f}"),
    )


def _slice_rows(slices: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for each in slices:
        auc = each["auc"]
        yield (
            f"{each['column']} {each['value']}",
            number(auc["value"]),
            interval(auc),
            f"{auc['n']:,}",
            f"{auc['positives']:,}",
            number(each["base_rate"]),
            number(each["mean_probability"]),
            number(each["p_adjusted"], 2),
        )
