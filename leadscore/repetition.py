"""A recorded run, run again: its config read back, and `verify`, which asks a fresh process for the same numbers."""

import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import ComputeConfig, Config, DaskCompute
from leadscore.errors import RecordError

if TYPE_CHECKING:
    from leadscore.features import Plan
    from leadscore.record import Run

__all__ = ["Verification", "commit_of", "compare_predictions", "config_of", "moved_code", "verify_run"]

log = logging.getLogger(__name__)

NAMED = ("config_hash", "code_hash", "engine_hash", "data_hash", "environment", "seed")  # what `identity` is made of
ROW = ["user_id", "as_of", "fold", "seed"]
REPEAT = "from leadscore.repetition import repeat; repeat()"


@dataclass(frozen=True)
class Verification:
    """What a run's repetition gave.

    Attributes
    ----------
    same : bool
        Whether every prediction is the same bit for bit, on the same rows with the same labels.
    rows : int
        Predictions of the recorded run.
    differing : int
        How many are not the same, rows that only one of the two has among them.
    largest : float or None
        The largest difference of two probabilities; None where no row is in both.
    moved : list of str
        The parts of the identity that are not the recorded ones, with both values.
    """

    same: bool
    rows: int
    differing: int
    largest: float | None
    moved: list[str]


def config_of(
    run: "Run",
    plugins: Sequence[str] = (),
    data_dir: str | Path | None = None,
    tracking_root: str | Path | None = None,
) -> Config:
    """Return a run's own config, with the folders of today.

    Parameters
    ----------
    run : Run
    plugins : sequence of str
        Modules that register what the run used; a record's own list is never imported.
    data_dir, tracking_root : path, optional
        Default: as recorded.

    Raises
    ------
    RecordError
        When the run used a module that `plugins` does not name.
    ConfigError
        When this leadscore does not know a key of the config.
    """
    from leadscore.config.recorded import recorded_config
    from leadscore.model.registry import registration_of
    from leadscore.pipeline import load_plugins

    missing = [name for name in run.config.get("plugins", []) if name not in plugins]
    if missing:
        raise RecordError(
            f"run {run.run_id} used {', '.join(missing)}: modules of a record are never imported unasked; add "
            f"{' '.join(f'--plugin {name}' for name in missing)}"
        )
    load_plugins(plugins)
    plain = dict(run.config)
    if data_dir is not None:
        plain["data"] = {**plain["data"], "dir": str(data_dir)}
    if tracking_root is not None:
        plain["tracking"] = {**plain["tracking"], "root": str(tracking_root)}
    config = recorded_config(plain, lambda name: registration_of(name).config)
    return replace(config, compute=_here(config))


def _here(config: Config) -> ComputeConfig:
    """Return this machine: no scheduler that a record names is spoken to, and every number is the same."""
    kept = {each.name: getattr(config.compute, each.name) for each in fields(ComputeConfig) if each.name != "name"}
    machines = getattr(config.model, "machines", 1)
    if machines > 1:
        return DaskCompute(**{**kept, "workers": machines})
    return ComputeConfig(**{**kept, "name": "local"})


def moved_code(run: "Run", config: Config, plan: "Plan") -> dict[str, str]:
    """Return what of a run's code or config is not as it was, in words by the identity's key."""
    from leadscore.identity.run import begin, code_of
    from leadscore.model.registry import parts_of, registration_of

    models = [registration_of(part.name).cls for part in parts_of(config.model).values()]
    now = begin(config, plan, code_of(plan, *models))
    what = {"code_hash": "feature or model code", "engine_hash": "leadscore's own code", "config_hash": "the config"}
    return {
        key: f"{words} ({str(run.identity.get(key))[:8]}, now {now[key][:8]})"
        for key, words in what.items()
        if now[key] != run.identity.get(key)
    }


def commit_of(run: "Run") -> str:
    """Return where a run's code lies, in words."""
    commit = (run.identity.get("git") or {}).get("commit")
    return f"commit {str(commit)[:8]}" if commit else "the code of that day"


def verify_run(run: "Run", *, plugins: Sequence[str] = (), data_dir: str | Path | None = None) -> Verification:
    """Run a recorded run again in a fresh process, from its record and without the cache, and compare.

    Nothing of it is kept: no folder, no row in the log or the ledger.

    Parameters
    ----------
    run : Run
        Done; from `open_run`.
    plugins, data_dir
        As for `config_of`.

    Raises
    ------
    RecordError
        When the run left no predictions, or its repetition failed; with what the repetition said.
    """
    recorded = run.predictions
    with tempfile.TemporaryDirectory(prefix="leadscore-verify-") as folder:
        command = [sys.executable, "-c", REPEAT, str(run.folder.resolve()), folder, str(data_dir or ""), *plugins]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip() or f"exit status {done.returncode}"
            raise RecordError(f"run {run.run_id} could not be run again: {said}")
        again = _read(Path(folder) / "again")
        return Verification(
            *compare_predictions(recorded, again.predictions), moved=list(_moved(run.identity, again.identity))
        )


def repeat() -> None:
    """Run a recorded run again into another folder, as `verify_run` asks; a refusal has no traceback."""
    from leadscore.errors import LeadscoreError
    from leadscore.pipeline import run

    recorded, into, data_dir, *plugins = sys.argv[1:]
    logging.disable(logging.WARNING)
    try:
        config = config_of(_read(Path(recorded)), plugins, data_dir or None)
        seals = Path(config.tracking.root) / "seals.json"  # frozen for the data set, before or by this run
        if seals.is_file():
            shutil.copy(seals, into)
        config.tracking.name, config.tracking.root = "none", into
        config.report, config.audit, config.compute.cache = False, "off", False
        run(config, Path(into) / "again")
    except LeadscoreError as error:
        sys.exit(str(error))


def _read(folder: Path) -> "Run":
    from leadscore.record import open_run

    return open_run(folder)


def compare_predictions(recorded: Any, again: Any) -> tuple[bool, int, int, float | None]:
    """Compare two runs' predictions bit for bit; what is returned are the first fields of a `Verification`."""
    import numpy as np

    both = recorded.merge(again, on=ROW, how="outer", suffixes=("", "_again"), indicator=True)
    alone = both["_merge"] != "both"
    bits = [both[name].to_numpy(dtype=np.float64).view("int64") for name in ("probability", "probability_again")]
    differs = alone | (bits[0] != bits[1]) | (both["label"] != both["label_again"])
    distance = (both["probability"] - both["probability_again"]).abs()[~alone]
    n = int(differs.sum())
    return n == 0, len(recorded), n, float(distance.max()) if len(distance) else None


def _moved(recorded: dict[str, Any], again: dict[str, Any]) -> "list[str]":
    moved = []
    for part in NAMED:
        before, after = recorded.get(part), again.get(part)
        if isinstance(before, dict) and isinstance(after, dict):
            moved += [f"{part} {key}: {_short(old)}, now {_short(new)}" for key, old, new in _different(before, after)]
        elif before != after:
            moved.append(f"{part}: {_short(before)}, now {_short(after)}")
    return moved


def _different(before: dict[str, Any], after: dict[str, Any]) -> "list[tuple[str, Any, Any]]":
    found = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _different(old, new)
        elif old != new:
            found.append((key, old, new))
    return found


def _short(value: Any) -> str:
    return value[:8] if isinstance(value, str) and len(value) == 64 else str(value)
