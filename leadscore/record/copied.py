"""What a copy of a run tells: everything is read from the run's folder, so it can be told at any later time."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from leadscore.errors import RecordError
from leadscore.record.curves import CURVES, curve_rows
from leadscore.record.find import open_run
from leadscore.record.shelf import FEATURES, MODEL, REPORT

__all__ = ["IDS_KEY", "Copied", "File", "Table", "copied", "hashed_ids", "ids_key"]

IDS_KEY = "ids.key"
KEY_BYTES = 32
SHORT = 8


class Table(NamedTuple):
    """A small table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class File(NamedTuple):
    """A file or a folder of the run, told as an artifact."""

    name: str
    kind: str
    path: Path
    aliases: Sequence[str]
    content: bytes | None = None  # told instead of what the file holds


@dataclass(frozen=True)
class Copied:
    """A run as it is told elsewhere.

    Attributes
    ----------
    run_id, identity, name : str
        The name is the short config hash, as tables show it.
    group : str or None
        The sweep's folder.
    notes : str
    config : dict
        The composed config as a nested dict, and under `identity` what `identity.json` says.
    summary : dict
        Metrics with their intervals, what they are compared with, and how many checks speak.
    tables : dict of str to Table
    curves : dict of str to Table
        Under the names of `CURVES`.
    files : list of File
    """

    run_id: str
    identity: str
    name: str
    group: str | None
    notes: str
    config: dict[str, Any]
    summary: dict[str, Any]
    tables: dict[str, Table] = field(default_factory=dict)
    curves: dict[str, Table] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)


def copied(folder: Path, *, predictions: bool = False, ids: bytes | None = None) -> Copied:
    """Read a finished run's folder.

    Parameters
    ----------
    folder : Path
    predictions : bool
        Tell each lead's prediction too.
    ids : bytes, optional
        The key that ids are hashed with; without it they are told as they are.

    Raises
    ------
    RecordError
        When a file that every finished run has is missing.
    """
    run = open_run(folder)
    identity, metrics, checks = run.identity, run.metrics, run.checks["checks"]
    tables = {"metrics": _metrics(metrics), "checks": _table(checks, "code", "result", "title", "sentence", "action")}
    if predictions:
        tables["predictions"] = _predictions(run.predictions, ids)
    return Copied(
        run_id=run.run_id,
        identity=identity["identity"],
        name=identity["config_hash"][:SHORT],
        group=_sweep(folder),
        notes=str(run.config.get("notes") or ""),
        config=_shown({**run.config, "identity": identity}),
        summary={**_summary(metrics), **_spoken(checks)},
        tables=tables,
        curves={
            name: Table((CURVES[name].x, CURVES[name].y, "fold"), rows)
            for name, rows in curve_rows(run.predictions).items()
            if rows
        },
        files=list(_files(folder, str(run.config["data"]["name"]), identity["config_hash"][:SHORT])),
    )


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with empty mappings as text: wandb drops them, and a feature without parameters is one."""
    return {
        key: (_shown(value) if value else "{}") if isinstance(value, dict) else value for key, value in config.items()
    }


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the means over the folds, the interval beside them where one fold has one, and the baselines' means."""
    told = dict(metrics["metrics"])
    folds = metrics["folds"]
    if len(folds) == 1:
        for name, interval in folds[0]["intervals"].items():
            told[f"{name}_low"], told[f"{name}_high"] = interval["low"], interval["high"]
    for rule, measured in _rules(metrics):
        for name in measured[0]:
            values = [fold[name] for fold in measured if fold.get(name) is not None]
            told[f"{rule}/{name}"] = sum(values) / len(values) if values else None
    told["validation_rows"] = sum(fold["n"] for fold in folds)
    told["validation_conversions"] = sum(fold["positives"] for fold in folds)
    return {name: value for name, value in told.items() if value is not None}


def _rules(metrics: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield from metrics["baselines"].items()
    if metrics["best_reachable"] is not None:
        yield "best_reachable", metrics["best_reachable"]


def _spoken(checks: list[dict[str, Any]]) -> dict[str, int]:
    results = [check["result"] for check in checks]
    return {"checks/problems": results.count("problem"), "checks/notes": results.count("note")}


def _metrics(metrics: dict[str, Any]) -> Table:
    """Return one row for each fold, each measured thing and each metric."""
    rows: list[tuple[Any, ...]] = []
    for number, fold in enumerate(metrics["folds"]):
        for name, value in fold["metrics"].items():
            interval = fold["intervals"].get(name, {})
            rows.append((str(number), "this run", name, value, interval.get("low"), interval.get("high")))
    for rule, measured in _rules(metrics):
        for number, fold in enumerate(measured):
            rows += [(str(number), rule, name, value, None, None) for name, value in fold.items()]
    return Table(("fold", "of", "metric", "value", "low", "high"), rows)


def _table(records: Iterable[dict[str, Any]], *columns: str) -> Table:
    return Table(columns, [[record.get(column) for column in columns] for record in records])


def _predictions(frame: Any, ids: bytes | None) -> Table:
    told = frame.assign(as_of=frame["as_of"].map(lambda instant: instant.isoformat()))
    if ids is not None:
        told["user_id"] = hashed_ids(frame["user_id"], ids)
    return Table(list(told.columns), told.to_numpy(dtype=object).tolist())


def _sweep(folder: Path) -> str | None:
    """Return the name of the folder that a sweep's jobs share; None for a run of its own."""
    hydra = folder / ".hydra" / "hydra.yaml"
    if not hydra.is_file():
        return None
    swept = re.search(r"^  mode: MULTIRUN$", hydra.read_text(encoding="utf-8"), re.MULTILINE)
    return folder.resolve().parent.name if swept else None


def _files(folder: Path, data: str, short: str) -> Iterator[File]:
    stem = re.sub(r"[^\w.-]", "-", data, flags=re.ASCII)
    for kind, name in (("model", MODEL), ("features", FEATURES), ("report", REPORT)):
        if (folder / name).exists():  # a report is drawn only where the config asks for one
            content = _without_leads((folder / name).read_bytes()) if name == REPORT else None
            yield File(f"{stem}-{kind}", kind, folder / name, (short, "latest"), content)


def _without_leads(page: bytes) -> bytes:
    """Return a report without its example leads: no lead leaves the house in it.

    Examples
    --------
    >>> _without_leads(b"<p>AUC</p><!--leads-->L001 converted<!--/leads--><p>data</p>")
    b'<p>AUC</p><p>data</p>'
    """
    return re.sub(rb"<!--leads-->.*?<!--/leads-->", b"", page, flags=re.DOTALL)


# --- ids --------------------------------------------------------------------------------------------------


def hashed_ids(ids: Iterable[str], key: bytes) -> list[str]:
    """Return each id's HMAC-SHA256 under `key`, 32 hex.

    A hash without a key hides nothing: who has a list of e-mail addresses hashes them all and looks them up.

    Examples
    --------
    >>> hashed_ids(["a", "a"], b"k" * 32) == hashed_ids(["a"], b"k" * 32) * 2 != hashed_ids(["a", "a"], b"x" * 32)
    True
    """
    return [hmac.new(key, each.encode(), hashlib.sha256).hexdigest()[:32] for each in ids]


def ids_key(root: Path) -> bytes:
    """Return the root's own key for ids, drawn at its first use; it never leaves this folder.

    Raises
    ------
    RecordError
        When it cannot be read or made.
    """
    path = root / IDS_KEY
    try:
        if not path.exists():
            _draw_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read or made: {error.strerror}; tracking.root decides") from None
    if len(key) != KEY_BYTES:
        raise RecordError(f"{path} has {len(key)} bytes, not {KEY_BYTES}: it is no key; ids are not hashed with it")
    return key


def _draw_key(path: Path) -> None:
    """Write a key for its owner alone; where another run was faster, its key stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
