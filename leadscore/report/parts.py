"""What a run left in its folder, as far as it got: the report is drawn from nothing else."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.find import Run
from leadscore.record.repeat import Repeat, how_to_repeat
from leadscore.record.shelf import (
    CHAMPION,
    CHECKS,
    CODE,
    CONFIG,
    METRICS,
    MODEL,
    PREDICTIONS,
    VALUES,
    WINDOWS,
)

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.serving import Serving

__all__ = ["Parts", "read_parts"]


@dataclass(frozen=True)
class Parts:
    """A run's files; None where it did not get that far, or keeps none.

    Attributes
    ----------
    run : Run
    config, windows, metrics, code, champion : dict or None
    checks : list of dict or None
    predictions : DataFrame or None
        Of the run's own seed: refits are left out.
    features : DataFrame or None
        Of the validation rows.
    serving : Serving or None
    repeat : Repeat or None
    """

    run: Run
    config: dict[str, Any] | None
    windows: dict[str, Any] | None
    metrics: dict[str, Any] | None
    code: dict[str, Any] | None
    champion: dict[str, Any] | None
    checks: list[dict[str, Any]] | None
    predictions: "pd.DataFrame | None"
    features: "pd.DataFrame | None"
    serving: "Serving | None"
    repeat: Repeat | None

    @cached_property
    def last_fold(self) -> "pd.DataFrame":
        """The predictions of the last fold, whose model is kept, the highest first."""
        predictions = self.predictions
        assert predictions is not None
        last = predictions[predictions["fold"] == predictions["fold"].max()]
        return last.sort_values(["probability", "user_id", "as_of"], ascending=[False, True, True], ignore_index=True)


def read_parts(run: Run) -> Parts:
    """Read a run's folder.

    Raises
    ------
    RecordError
        When a file is there and cannot be read.
    """

    def there(name: str) -> bool:
        return (run.folder / name).exists()

    predictions = run.predictions if there(PREDICTIONS) else None
    if predictions is not None:
        predictions = predictions[predictions["seed"] == predictions["seed"].min()]
    return Parts(
        run=run,
        config=run.config if there(CONFIG) else None,
        windows=run.windows if there(WINDOWS) else None,
        metrics=run.metrics if there(METRICS) else None,
        code=run.code if there(CODE) else None,
        champion=run.against_champion if there(CHAMPION) else None,
        checks=run.checks["checks"] if there(CHECKS) else None,
        predictions=predictions,
        features=run.features if there(VALUES) else None,
        serving=_serving(run) if there(MODEL) else None,
        repeat=_repeat(run) if there(CONFIG) else None,
    )


def _serving(run: Run) -> "Serving | None":
    try:
        return run.serving  # type: ignore[no-any-return]
    except LeadscoreError:  # a run that was stopped while its model was written
        return None


def _repeat(run: Run) -> Repeat | None:
    try:
        return how_to_repeat(run, called=run.run_id)  # wherever its folder is moved to
    except RecordError:
        return None
