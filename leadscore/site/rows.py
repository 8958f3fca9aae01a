"""What the index says of one run, read from its folder once and kept for as long as its files stay as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError
from leadscore.record import Run
from leadscore.record.row import INTERRUPTED
from leadscore.record.shelf import CHECKS, CONFIG, IDENTITY, METRICS, PREDICTIONS, REPORT, WINDOWS, is_at_work
from leadscore.site.version import digest

__all__ = ["DAMAGED", "Listed", "fingerprint", "listed", "stamp"]

DAMAGED = "damaged"
SWEEP = "multirun.yaml"  # Hydra's, in the folder of a sweep
OVERRIDES = Path(".hydra") / "overrides.yaml"
DECIDING = (IDENTITY, CONFIG, WINDOWS, CHECKS, METRICS, PREDICTIONS, str(OVERRIDES))
LONGEST = 240  # characters of a note or a reason; the run's own page has them whole
SPEAKING = ("problem", "note")


@dataclass(frozen=True)
class Listed:
    """A run's line in the index; None, or nothing, for what it did not reach.

    Attributes
    ----------
    run_id, folder : str
        `folder` as it is named from where the site is made.
    sweep : str
        The folder of the sweep that it is a job of, "" for a run of its own.
    overrides : list of str
        Of a sweep's job, as Hydra kept them.
    started, ended, status, reason : str
        `reason` is why it failed.
    model, features, data, notes : str
    config_hash, validation_hash : str
    n, positives : int or None
        Validation rows of all folds.
    auc, low, high : float or None
    speaking : list of (str, str, str)
        Code, result and title of the checks that have something to say.
    has_report : bool
    """

    run_id: str
    folder: str
    sweep: str
    overrides: list[str]
    started: str
    ended: str
    status: str
    reason: str
    model: str
    features: str
    data: str
    notes: str
    config_hash: str
    validation_hash: str
    n: int | None
    positives: int | None
    auc: float | None
    low: float | None
    high: float | None
    speaking: list[list[str]]
    has_report: bool

    @property
    def base_rate(self) -> float | None:
        """The share of the validation rows that converted."""
        return self.positives / self.n if self.n and self.positives is not None else None

    @property
    def is_measured(self) -> bool:
        """Whether it ended well and has an AUC."""
        return self.status == "done" and self.auc is not None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def fingerprint(run: Run) -> str:
    """Return what moves when a file that a page is drawn from does: sizes and times, no content is read."""
    busy = is_at_work(run.folder) if run.identity.get("status") == "running" else False
    has_report = (run.folder / REPORT).is_file()
    return digest(str(run.folder), *(stamp(run.folder / name) for name in DECIDING), f"{busy} {has_report}")


def stamp(path: Path) -> str:
    """Return a file's size and time, "-" where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return "-"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def listed(run: Run) -> Listed:
    """Return a run's line; of one whose files are not as a run leaves them, why that is."""
    identity = run.identity
    known = {
        "run_id": run.run_id,
        "folder": run.folder.as_posix(),
        "sweep": run.folder.parent.as_posix() if (run.folder.parent / SWEEP).is_file() else "",
        "started": str(identity.get("started") or "")[:19],
        "ended": str(identity.get("ended") or "")[:19],
        "status": _status(run),
        "config_hash": str(identity.get("config_hash") or ""),
        "validation_hash": str(identity.get("validation_hash") or ""),
        "features": "+".join(map(str, identity.get("feature_sets") or ())),
        "has_report": (run.folder / REPORT).is_file(),
    }
    blank: dict[str, Any] = {"overrides": [], "model": "", "data": "", "notes": "", "speaking": []}
    blank |= dict.fromkeys(("n", "positives", "auc", "low", "high"))
    reason = str(identity.get("error") or "")
    if known["status"] == INTERRUPTED:
        reason = "the process ended before the run did"
    try:
        read = {**_asked(run), **(_measured(run) if known["status"] == "done" else {})}
    except (RecordError, AttributeError, KeyError, TypeError, ValueError) as error:
        told = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
        read, reason = {"status": DAMAGED}, f"its files are not as a run leaves them ({told})"
    return Listed(**{**blank, "reason": _short(reason), **known, **read})


def _status(run: Run) -> str:
    status = str(run.identity.get("status") or DAMAGED)
    if status == "running" and not is_at_work(run.folder):
        return INTERRUPTED
    return status


def _asked(run: Run) -> dict[str, Any]:
    if not (run.folder / CONFIG).is_file():  # killed before it was written
        return {}
    config = run.config
    said = {
        "model": str(config["model"]["name"]),
        "data": str(config["data"]["name"]),
        "notes": _short(str(config.get("notes") or "")),
        "overrides": _overrides(run.folder),
    }
    return said if run.identity.get("feature_sets") else {**said, "features": f"{len(config['features'])} features"}


def _overrides(folder: Path) -> list[str]:
    import yaml

    try:
        loaded = yaml.safe_load((folder / OVERRIDES).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # it only names the job in its sweep
        return []
    return [str(each) for each in loaded] if isinstance(loaded, Sequence) and not isinstance(loaded, str) else []


def _measured(run: Run) -> dict[str, Any]:
    metrics, checks = run.metrics, run.checks["checks"]
    auc: Mapping[str, Any] = metrics.get("intervals", {}).get("auc") or {}
    return {
        **{name: sum(int(fold[name]) for fold in metrics["folds"]) for name in ("n", "positives")},
        "auc": _number(metrics["metrics"].get("auc")),
        "low": _number(auc.get("low")),
        "high": _number(auc.get("high")),
        "speaking": [
            [str(each["code"]), str(each["result"]), str(each.get("title") or "")]
            for each in checks
            if each["result"] in SPEAKING and not each.get("muted")
        ],
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4].rstrip()} ..."
