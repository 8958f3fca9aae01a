"""Is run B better than run A: the verdict, with all that was tried on the same rows counted against it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from leadscore.errors import ConfigError, did_you_mean
from leadscore.record import Run, read_rows
from leadscore.record.ledger import family
from leadscore.record.log import LOG

if TYPE_CHECKING:
    from leadscore.compare import Verdict

__all__ = ["judge"]

A_SWEEP = 3  # runs on the same rows, from which on the best of them is a winner


def judge(a: Run, b: Run, *, metric: str = "auc", root: Path | None = None) -> "Verdict":
    """Return the verdict on B against A.

    Parameters
    ----------
    a, b : Run
        From `open_run`; both done.
    metric : str
        A name in `leadscore.compare.STATISTICS`.
    root : Path, optional
        The folder with the ledger and the log; default: B's `tracking.root`, from the current directory.

    Raises
    ------
    ConfigError
        When the metric is unknown.
    RecordError
        When one of the runs has no predictions.
    """
    from leadscore.compare import STATISTICS, Scores, verdict

    if metric not in STATISTICS:
        raise ConfigError(f"--metric {metric}: {did_you_mean(metric, STATISTICS, 'Metrics')}")
    root = root or Path(str(b.config.get("tracking", {}).get("root", "outputs")))
    runs = family(root, str(b.identity.get("validation_hash")))
    scores = [Scores(run.predictions, run.windows["horizon"], name=run.run_id) for run in (a, b)]
    return verdict(
        *scores,
        metric=metric,
        family=max(runs - 1, 1) if runs else None,  # comparisons with this one, not runs
        best_of=runs if runs >= A_SWEEP and _is_best(b, metric, root) else None,
    )


def _is_best(run: Run, metric: str, root: Path) -> bool:
    """Whether no run that the log has on the same rows measured better."""
    from leadscore.compare import STATISTICS

    sign = 1 if STATISTICS[metric].direction == "higher" else -1
    own, validation = run.metrics["metrics"].get(metric), run.identity.get("validation_hash")
    same = [row for row in read_rows(root / LOG) if row["validation_hash"] == validation]
    others = [sign * value for row in same if (value := _logged(row, metric)) is not None]
    return own is not None and bool(others) and sign * own >= max(others)


def _logged(row: Mapping[str, str], metric: str) -> float | None:
    try:
        value = row.get(metric) or json.loads(row["metrics_json"]).get(metric)
        return None if value is None else float(value)
    except ValueError:
        return None
