"""`report.html`: one page a run, in the order of a reader's questions.

Drawn from the run's folder and nothing else: the same run has the same page, byte for byte, also years later.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError
from leadscore.evaluate import METRICS
from leadscore.record.find import Run
from leadscore.record.lines import write_whole
from leadscore.record.shelf import REPORT
from leadscore.report.asked import hashes, questions, rows_in_and_out, stopped_at, windows_picture
from leadscore.report.columns import drift_picture, read_columns
from leadscore.report.page import render_page
from leadscore.report.parts import Parts, read_parts
from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import can_draw
from leadscore.report.plots.dots import Dot, dots
from leadscore.report.quality import FORWARD, compared, folds_picture, quality_pictures, slices_picture, with_interval
from leadscore.report.why import effect_pictures, example_leads, importance_picture
from leadscore.report.words import sentence

__all__ = ["render_run", "write_run_page"]

BEATS_BASELINE = "LS001"


def render_run(run: Run) -> str:
    """Return a run's page, as far as the run got.

    Parameters
    ----------
    run : Run
        From `open_run`; of a failed one the page says what was asked, where it stopped and why.

    Raises
    ------
    RecordError
        When a file of the run is there and cannot be read.
    """
    parts = read_parts(run)
    done = parts.metrics is not None and parts.predictions is not None and parts.config is not None
    return render_page(
        "run.html.j2",
        identity=run.identity,
        title=_title(parts),
        drawn=can_draw(),
        stopped="" if run.identity.get("status") == "done" else stopped_at(parts),
        checks=parts.checks or [],
        speaking=_speaking(parts.checks or []),
        questions=questions(parts),
        windows=parts.windows,
        windows_picture=windows_picture(parts),
        hashes=hashes(run.identity),
        repeat=parts.repeat,
        config=_config_text(run, parts),
        rows=rows_in_and_out(parts),
        measured=_measured(parts) if done else None,
    )


def write_run_page(run: Run) -> Path:
    """Draw a run's page into its folder, replacing an earlier one whole; return where it lies."""
    path = run.folder / REPORT
    try:
        write_whole(path, render_run(run).encode())
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _title(parts: Parts) -> str:
    config = parts.config
    if config is None:
        return f"Run {parts.run.run_id}"
    return f"{config['model']['name']} on {config['data']['name']}"


def _speaking(checks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the checks that have something to say, the problems first."""
    heard = [check for check in checks if check["result"] in ("problem", "note") and not check.get("muted")]
    return sorted(heard, key=lambda check: check["result"] != "problem")


def _config_text(run: Run, parts: Parts) -> str:
    return (run.folder / "config.yaml").read_text(encoding="utf-8") if parts.config is not None else ""


def _measured(parts: Parts) -> dict[str, Any]:
    """Return what the page shows of a run that was measured."""
    metrics, config = parts.metrics, parts.config
    assert metrics is not None
    assert config is not None
    columns = read_columns(parts)
    leads, no_leads = example_leads(parts)
    last = metrics["folds"][-1]
    return {
        "headline": _headline(parts),
        "baseline": _baseline(parts),
        "champion": parts.champion,
        "metrics": metrics,
        "warnings": [sentence(text) for text in metrics["warnings"]],
        "declared": METRICS,
        "compared": compared(metrics),
        "later": "later " if config["validation"]["name"] in FORWARD else "",
        "n_folds": len(metrics["folds"]),
        "pictures": quality_pictures(parts),
        "by": [each for each in (folds_picture(parts), slices_picture(parts)) if each is not None],
        "capacity": last.get("capacity"),
        "importance": importance_picture(parts),
        "effects": effect_pictures(parts),
        "leads": leads,
        "no_leads": no_leads,
        "columns": columns,
        "drift": drift_picture(columns, len(parts.last_fold)),
        "bands": metrics["bands"],
        "least": dict(zip("ABCD", (*metrics["bands"]["cuts"], 0.0), strict=True)),
        "bands_picture": _bands_picture(metrics["bands"], last["base_rate"]),
    }


def _headline(parts: Parts) -> str:
    """Return how good the run is and how sure that is, one sentence."""
    metrics, config = parts.metrics, parts.config
    assert metrics is not None
    assert config is not None
    n, positives = (sum(fold[key] for fold in metrics["folds"]) for key in ("n", "positives"))
    later = "later " if config["validation"]["name"] in FORWARD else ""
    rows = f"on {n:,} {later}observations, {positives:,} of which converted"
    if metrics["metrics"]["auc"] is None:
        reason = metrics["reasons"].get("auc", "no rows")
        return f"No verdict: the ROC AUC is undefined {rows} ({reason})."
    sure = metrics["intervals"]["auc"]
    mean = f", the mean of {len(metrics['folds'])} folds," if len(metrics["folds"]) > 1 else ""
    best = compared(metrics).get("best reachable", {}).get("auc")
    simulated = f" The best that any model could reach in this simulated world is {best:.3f}." if best else ""
    unsure = f"No verdict: {sure['reason']}. " if sure["low"] is None else ""
    return f"{unsure}ROC AUC {with_interval(sure)}{mean} {rows}.{simulated}"


def _baseline(parts: Parts) -> tuple[str, str] | None:
    """Return whether the run beats its baseline, and the sentence of the check that says so."""
    found = next((check for check in parts.checks or [] if check["code"] == BEATS_BASELINE), None)
    words = {"ok": "Better", "note": "Not shown to be better", "problem": "Not better"}
    if found is None or found["result"] not in words or parts.metrics is None:
        return None
    rule = "the most recently active lead first" if "recency" in parts.metrics["baselines"] else "the base rate for all"
    return f"{words[found['result']]} than the baseline ({rule}):", found["sentence"]


def _bands_picture(bands: Mapping[str, Any], base_rate: float) -> Picture | None:
    kept = [band for band in bands["bands"] if band["n"]]
    if not kept:
        return None
    return dots(
        Picture(
            "bands",
            "What each band converted",
            f"{sum(band['n'] for band in kept):,} observations",
            " ".join(
                f"Band {band['band']}: {band['rate']:.1%} of {band['n']:,} converted, 95% interval "
                f"{band['low']:.1%} to {band['high']:.1%}."
                for band in kept
            ),
            note="Bars: 95% intervals.",
        ),
        [Dot(f"{band['band']} (n = {band['n']:,})", band["rate"], band["low"], band["high"]) for band in kept],
        "share that converted",
        reference=(base_rate, f"all {base_rate:.1%}"),
        percent=True,
    )
