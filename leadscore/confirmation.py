"""The look at sealed observations: a saved model, scored on a period that nothing was trained or chosen on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config
from leadscore.errors import RecordError
from leadscore.pipeline import Step, add_features, plan_run, walk_to_folds
from leadscore.repetition import commit_of, config_of, moved_code
from leadscore.results import Windows

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.evaluate import Evaluation
    from leadscore.record import Run

__all__ = ["Confirmation", "confirm_run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Confirmation:
    """What a saved model did on the sealed observations, and the how manieth look it was.

    Attributes
    ----------
    data_set : str
    start, end : Timestamp
        Of the seal, half-open in `as_of`.
    look : int
        1 for the first look at this seal, by whatever run.
    earlier : list of dict
        The earlier looks: time, run_id, metrics.
    evaluation : Evaluation
    leads : int
    predictions : DataFrame (n, 4)
        `user_id`, `as_of`, `label`, `probability`.
    notes : list of str
    """

    data_set: str
    start: Any
    end: Any
    look: int
    earlier: list[dict[str, Any]]
    evaluation: "Evaluation"
    leads: int
    predictions: "pd.DataFrame"
    notes: list[str]


def confirm_run(
    run: "Run",
    *,
    plugins: Sequence[str] = (),
    data_dir: str | Path | None = None,
    tracking_root: str | Path | None = None,
    step: Step = log.info,
) -> Confirmation:
    """Score a run's saved model on its sealed observations, and record the look before returning it.

    Parameters
    ----------
    run : Run
        Trained with `validation.seal`; from `open_run`.
    plugins : sequence of str
        Modules that register what the run used; a record's own list is never imported.
    data_dir : path, optional
        Where the data lie now; default: as recorded, from the current directory.
    tracking_root : path, optional
        The folder with `seals.json`; default: the run's `tracking.root`, from the current directory.
    step : callable, optional
        Told what is being done.

    Raises
    ------
    RecordError
        When the run has no seal, or code or data are not those it was trained with. Data may have grown.
    """
    from leadscore.evaluate import evaluate
    from leadscore.identity.content import data_hash, validation_hash
    from leadscore.record.ledger import check_ledger, enter
    from leadscore.record.seals import data_set, find_seal, looks_at, record_look
    from leadscore.times import parse_duration

    config = replace(config_of(run, plugins, data_dir, tracking_root), audit="off")
    if config.validation.seal is None:
        raise RecordError(
            f"run {run.run_id} was trained without a seal, so no period was kept away from it and there is nothing to "
            f"confirm it on; train with validation.seal=30d"
        )
    sealed, name, root = run.windows.get("seal") or {}, data_set(config.data), Path(config.tracking.root)
    frozen = find_seal(root, name, parse_duration(config.validation.seal))
    if frozen is None or frozen.start.isoformat() != sealed.get("start"):
        found = "there is none" if frozen is None else f"there it starts on {frozen.start:%Y-%m-%d}"
        raise RecordError(
            f"run {run.run_id} keeps off a seal of data set '{name}' from {str(sealed.get('start'))[:10]}, and {found} "
            f"in {root / 'seals.json'}: confirm it from the directory where it was trained, or name the folder with "
            f"--tracking-root"
        )
    if run.identity.get("status") != "done":
        raise RecordError(f"run {run.run_id} is {run.identity.get('status')}: only a finished run can be confirmed")
    check_ledger(root)
    _same_code(run, config)
    windows = walk_to_folds(config, step)
    assert windows.sealed is not None
    assert windows.seal is not None
    notes = []
    if data_hash(windows.tables) != run.identity["data_hash"]:
        _only_grew(run, windows, step)
        notes.append("the data have grown since the run; its own validation rows, labels and scores are as they were")
    if not len(windows.sealed.frame):
        raise RecordError(f"no sealed observation has a known outcome: {_counted(windows)}")
    probability, label = _score(run, windows, windows.sealed.frame, step)
    evaluation = evaluate(label, probability)
    earlier = looks_at(root, name, windows.seal.start)
    rows = validation_hash(windows.sealed.frame, windows.sealed.horizon)
    enter(root, run.identity, rows, "confirmed")
    seen = {"run_id": run.run_id, "identity": run.identity["identity"], "validation_hash": rows, **evaluation.to_json()}
    look = record_look(root, name, windows.seal.start, seen)
    predictions = probability.rename("probability").reset_index()
    predictions.insert(2, "label", label.to_numpy())
    leads = int(windows.sealed.frame["user_id"].nunique())
    return Confirmation(
        name, windows.seal.start, windows.seal.end, look, earlier, evaluation, leads, predictions, notes
    )


def _same_code(run: "Run", config: Config) -> None:
    """Refuse code that is not the run's: what it would score is another model's table."""
    moved = moved_code(run, config, plan_run(config))
    if moved:
        raise RecordError(
            f"run {run.run_id} was trained with other code: {', '.join(moved.values())}. A look cannot be "
            f"taken back, so it is taken only with what was trained; check out {commit_of(run)}, or train again"
        )


def _only_grew(run: "Run", windows: Windows, step: Step) -> None:
    """Refuse data in which the run's own validation rows, their labels or their scores are not what they were."""
    from leadscore.identity.run import with_content

    now = with_content({**run.identity}, windows)
    if now["validation_hash"] != run.identity["validation_hash"]:
        raise RecordError(
            f"the data are not those of run {run.run_id} with more added: its validation rows or their labels differ "
            f"(validation_hash {run.identity['validation_hash'][:8]}, now {now['validation_hash'][:8]})"
        )
    step("scoring the validation rows again")
    last = windows.folds[-1]
    frame = windows.observations.frame
    probability, _ = _score(run, windows, frame[last.valid(frame)].reset_index(drop=True), step)
    told = run.predictions
    told = told[(told["fold"] == told["fold"].max()) & (told["seed"] == run.identity["seed"])]
    moved = probability[told.set_index(["user_id", "as_of"]).index].to_numpy() != told["probability"].to_numpy()
    if moved.any():
        first = told[moved].iloc[0]
        raise RecordError(
            f"the data are not those of run {run.run_id} with more added: {int(moved.sum()):,} of {len(told):,} of its "
            f"validation scores moved (user_id '{first['user_id']}' at {first['as_of']:%Y-%m-%d %H:%M}), so events or "
            f"attributes from before them were changed"
        )


def _score(run: "Run", windows: Windows, frame: "pd.DataFrame", step: Step) -> "tuple[pd.Series, pd.Series]":
    """Build the features of exactly these observations and let the saved model score them."""
    observations = replace(windows.observations, frame=frame)
    dataset = add_features(replace(windows, observations=observations, folds=[]), step)
    return run.model.predict_proba(dataset.X), dataset.y


def _counted(windows: Windows) -> str:
    from leadscore.window import left_out

    return left_out(windows.observations.counts)
