"""Finding a run again by any of its names, and reading what it left."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError, examples
from leadscore.record.champion import Entry, champion_at, no_champion
from leadscore.record.shelf import CHAMPION as AGAINST
from leadscore.record.shelf import (
    CHECKS,
    CODE,
    CONFIG,
    DATA,
    IDENTITY,
    METRICS,
    MODEL,
    PREDICTIONS,
    SEARCH,
    VALUES,
    WINDOWS,
)

__all__ = ["Run", "all_runs", "champion_of", "open_run", "read_run", "run_folders", "run_of"]

log = logging.getLogger(__name__)

CHAMPION = "champion"
MOST_VALUES = 100_000  # of a config
_LATEST = re.compile(r"latest(?:~(\d{1,9}))?")
_PREFIX = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")


@dataclass(frozen=True)
class Run:
    """A run on disk; each part is read when it is asked for.

    Attributes
    ----------
    folder : Path
    identity : dict
        As in `identity.json`.
    promoted : str or None
        The sha256 of the model's manifest as it was when the run became champion; None where it was not opened so.
    any_version : bool
        Read the model although another major version of leadscore or of its library saved it.
    """

    folder: Path
    identity: dict[str, Any]
    promoted: str | None = None
    any_version: bool = False

    @property
    def run_id(self) -> str:
        """When it started and 8 random hex."""
        return str(self.identity["run_id"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed config, as plain values."""
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # LibYAML's, ten times as fast, where PyYAML has it

        def parse(content: bytes) -> Any:
            return _bounded(yaml.load(content, Loader=loader))  # noqa: S506 - one of the two safe ones

        return self._mapping(CONFIG, parse, yaml.YAMLError)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        return self._json(METRICS)

    @cached_property
    def search(self) -> dict[str, Any]:
        """As in `search.json`, of a run that searched."""
        return self._json(SEARCH)

    @cached_property
    def checks(self) -> dict[str, Any]:
        """As in `checks.json`."""
        return self._json(CHECKS)

    @cached_property
    def windows(self) -> dict[str, Any]:
        """As in `windows.json`."""
        return self._json(WINDOWS)

    @cached_property
    def against_champion(self) -> dict[str, Any]:
        """As in `champion.json`: the verdict against the champion when it was trained."""
        return self._json(AGAINST)

    @cached_property
    def code(self) -> dict[str, Any]:
        """As in `code.json`."""
        return self._json(CODE)

    @cached_property
    def data(self) -> dict[str, Any]:
        """As in `data.json`."""
        return self._json(DATA)

    @cached_property
    def features(self) -> Any:
        """The features of the validation rows: a DataFrame of user_id, as_of and a column each."""
        import pandas as pd

        return pd.read_parquet(self._file(VALUES))

    @cached_property
    def predictions(self) -> Any:
        """The validation predictions: a DataFrame of user_id, as_of, fold, seed, label, probability."""
        import pandas as pd

        return pd.read_parquet(self._file(PREDICTIONS))

    @cached_property
    def model(self) -> Any:
        """The saved model, checked to the last byte before it is parsed."""
        from leadscore.model import load_model

        return load_model(self.folder / MODEL, sha256=self._model_sha256, any_version=self.any_version)

    @cached_property
    def serving(self) -> Any:
        """A `Serving`: what the saved model knows of its training; checked as `model` is."""
        from leadscore.model import load_serving

        return load_serving(self.folder / MODEL, sha256=self._model_sha256)

    @property
    def _model_sha256(self) -> str | None:
        """Of the model's manifest, as it was recorded elsewhere; None of runs that did not record it yet."""
        return self.promoted or self.identity.get("model_sha256")

    def _json(self, name: str) -> dict[str, Any]:
        return self._mapping(name, json.loads)

    def _mapping(self, name: str, parse: Callable[[bytes], Any], *faults: type[Exception]) -> dict[str, Any]:
        path = self._file(name)
        expected: tuple[type[Exception], ...] = (OSError, ValueError, RecursionError, *faults)
        try:
            loaded = parse(path.read_bytes())
        except expected as error:
            raise RecordError(f"{path} cannot be read: {error}") from None
        if not isinstance(loaded, dict):
            raise RecordError(f"{path} cannot be read: it holds no mapping")
        return loaded

    def _file(self, name: str) -> Path:
        path = self.folder / name
        _refuse_link(path)
        if not path.is_file():
            raise RecordError(f"run {self.run_id} has no {name} in {self.folder}: it did not get that far")
        return path


def open_run(name: str | Path, roots: Sequence[str | Path] = ("outputs", "multirun")) -> Run:
    """Open a run by `champion`, `latest` or `latest~1`, its folder, or a prefix of its run_id, identity or config_hash.

    Parameters
    ----------
    name : str or Path
        A `config_hash` may have several runs; the latest is opened. A folder that is called `latest` or `champion` is
        named `./latest` or by a Path. A name that is no run's folder is only compared, never used as a path.
    roots : sequence of path
        Folders under which runs lie, relative to the current directory or absolute.

    Raises
    ------
    RecordError
        When no run has the name, or when different runs share the prefix.
    """
    if name == CHAMPION:
        champion = champion_of(roots)
        if champion is None:
            raise no_champion([Path(root) for root in roots])
        return run_of(champion)
    where = ", ".join(str(root) for root in roots)
    if not (isinstance(name, str) and _LATEST.fullmatch(name)):
        if _is_run(Path(name)):
            return read_run(Path(name))
        if not _PREFIX.fullmatch(str(name)):
            shown = str(name)[:80].encode(errors="backslashreplace").decode()
            raise RecordError(
                f"no run under {where} is named {shown!r}: a name is a run's folder, {CHAMPION}, latest, latest~1, or "
                f"the first letters and digits of a run_id, identity or config_hash"
            )
    runs = all_runs(roots)
    if not runs:
        raise RecordError(f"no run lies under {where}")
    if match := _LATEST.fullmatch(str(name)):
        back = int(match[1] or 0)
        if back >= len(runs):
            raise RecordError(f"{name}: only {len(runs)} runs lie under {where}")
        return runs[-1 - back]
    return _by_prefix(str(name), runs, where)


def champion_of(roots: Sequence[str | Path]) -> Entry | None:
    """Return the entry of the one champion that the histories of `roots` know, None when there is none.

    Raises
    ------
    RecordError
        When several roots have one each.
    """
    found = {entry.run_id: (root, entry) for root in roots if (entry := champion_at(root)) is not None}
    if len(found) > 1:
        each = ", ".join(f"{run_id} under {root}" for run_id, (root, _) in found.items())
        raise RecordError(f"{CHAMPION} is ambiguous: {each}; --root names the one that is meant")
    return next((entry for _, entry in found.values()), None)


def run_of(entry: Entry) -> Run:
    """Open the run of an entry of the history.

    Raises
    ------
    RecordError
        When its folder is gone, or another run lies there.
    """
    if not _is_run(entry.folder):
        raise RecordError(
            f"run {entry.run_id}, champion since {entry.time:%Y-%m-%d %H:%M} UTC, should lie in {entry.folder}, and no "
            f"run is there; bring the folder back, or go back with leadscore rollback"
        )
    run = read_run(entry.folder)
    if run.run_id != entry.run_id:
        raise RecordError(f"{entry.folder} should hold run {entry.run_id}, and holds {run.run_id}")
    return replace(run, promoted=entry.model_sha256)


def all_runs(roots: Sequence[str | Path] = ("outputs", "multirun")) -> list[Run]:
    """Return every run under `roots`, oldest first.

    What cannot be read, and what a link leads to outside its root, is passed over with a warning.
    """
    return sorted(_runs(roots), key=lambda run: (str(run.identity.get("started")), run.run_id))


def run_folders(root: Path) -> Iterator[Path]:
    """Yield every folder below `root` that holds a run; no link is followed, and hidden folders are none of ours.

    A link that leads out of the root is said.
    """
    inside = os.path.realpath(root)
    for path, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in (*folders, *({IDENTITY} & set(files))) if Path(path, name).is_symlink()]
        for name in links:
            if not Path(os.path.realpath(Path(path, name))).is_relative_to(inside):
                log.warning("%s is a link out of %s; passed over", Path(path, name), root)
        if IDENTITY in files and IDENTITY not in links:
            yield Path(path)


def _is_run(folder: Path) -> bool:
    try:
        return (folder / IDENTITY).is_file()
    except (OSError, ValueError):  # longer than a file system allows, or with a NUL in it
        return False


def _by_prefix(name: str, runs: list[Run], where: str) -> Run:
    for key in ("run_id", "identity", "config_hash"):
        found = [run for run in runs if name and str(run.identity.get(key) or "").startswith(name)]
        values = {run.identity[key] for run in found}
        if len(values) > 1:
            raise RecordError(
                f"'{name}' is ambiguous: {len(values)} values of {key} start with it ({examples(sorted(values))})"
            )
        if len(found) > 1:
            log.warning("%d runs have the %s '%s'; the latest, %s, is opened", len(found), key, name, found[-1].run_id)
        if found:
            return found[-1]
    known = examples([run.run_id for run in reversed(runs)])
    raise RecordError(
        f"no run under {where} is named '{name}' (by run_id, identity, config_hash or folder); latest: {known}"
    )


def _runs(roots: Sequence[str | Path]) -> Iterator[Run]:
    for root in roots:
        for folder in run_folders(Path(root)):
            try:
                yield read_run(folder)
            except RecordError as error:  # one damaged folder must not hide all others
                log.warning("%s; passed over", error)


def read_run(folder: Path) -> Run:
    """Return the run in a folder.

    Raises
    ------
    RecordError
        When its `identity.json` is missing or damaged, or the folder or that file is a link.
    """
    path = folder / IDENTITY
    _refuse_link(folder)
    _refuse_link(path)
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None
    if not isinstance(identity, dict) or "run_id" not in identity:
        raise RecordError(f"{path} is no run's identity: it has no run_id")
    return Run(folder, identity)


def _bounded(loaded: Any) -> Any:
    """Refuse what a few lines of YAML, each naming the one before it ten times, can stand for."""
    waiting, seen = [loaded], 0
    while waiting:
        seen += 1
        if seen > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES:,} values")
        each = waiting.pop()
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return loaded


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise RecordError(
            f"{path} is a link, to {os.path.realpath(path)}: name the run's own folder; no link is followed"
        )
