"""`report.html`: one self-contained page a run, in the order of a reader's questions.

No script, no font, no request: it opens from disk, from a CI artifact and in a mail.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from leadscore.record.shelf import REPORT, Shelf
from leadscore.record.write import config_yaml, metrics_of
from leadscore.results import TrainedRun
from leadscore.split import draw_folds, legend

__all__ = ["render_report", "write_report"]

TEMPLATE = Path(__file__).with_name("templates") / "run_old.html.j2"


def write_report(shelf: Shelf, identity: Mapping[str, Any], run: TrainedRun) -> None:
    """Draw the run's report onto its shelf."""
    shelf.text(REPORT, render_report(identity, run))


def render_report(identity: Mapping[str, Any], run: TrainedRun) -> str:
    """Return the page; every text that a user may have written is escaped."""
    from leadscore.evaluate import METRICS

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    dataset, last = run.dataset, run.folds[-1]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        identity=identity,
        config=run.config,
        config_yaml=config_yaml(run.config),
        sets="+".join(run.config.feature_sets) or "custom",
        tables=dataset.tables,
        counts=dataset.observations.counts,
        picture=draw_folds(dataset.folds),
        legend=legend(dataset.folds),
        folds=run.folds,
        declared=METRICS,
        compared=run.compared,
        metrics=metrics_of(run),
        columns=dataset.plan.column_steps,
        importance=run.importance.head(15).to_dict("records"),
        strongest=float(run.importance["importance"].max() or 1.0) if len(run.importance) else 1.0,
        least=run.bands.least,
        checks=run.checks,
        warnings=run.warnings,
        seal=dataset.seal,
        baselines=list(last.baselines),
    )
