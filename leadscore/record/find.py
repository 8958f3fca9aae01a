"""Finding a run again by any of its names, and reading what it left."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError, examples
from leadscore.record.shelf import CHECKS, CODE, CONFIG, DATA, IDENTITY, METRICS, MODEL, PREDICTIONS, VALUES, WINDOWS

__all__ = ["Run", "all_runs", "open_run"]

log = logging.getLogger(__name__)

_LATEST = re.compile(r"latest(?:~(\d+))?")


@dataclass(frozen=True)
class Run:
    """A run on disk; each part is read when it is asked for.

    Attributes
    ----------
    folder : Path
    identity : dict
        As in `identity.json`.
    """

    folder: Path
    identity: dict[str, Any]

    @property
    def run_id(self) -> str:
        """When it started and 8 random hex."""
        return str(self.identity["run_id"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed config, as plain values."""
        from omegaconf import OmegaConf

        loaded = OmegaConf.to_container(OmegaConf.load(self._file(CONFIG)))
        assert isinstance(loaded, dict)
        return {str(key): value for key, value in loaded.items()}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """As in `metrics.json`."""
        return self._json(METRICS)

    @cached_property
    def checks(self) -> dict[str, Any]:
        """As in `checks.json`."""
        return self._json(CHECKS)

    @cached_property
    def windows(self) -> dict[str, Any]:
        """As in `windows.json`."""
        return self._json(WINDOWS)

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

        return load_model(self.folder / MODEL)

    @cached_property
    def serving(self) -> Any:
        """A `Serving`: what the saved model knows of its training; checked as `model` is."""
        from leadscore.model import load_serving

        return load_serving(self.folder / MODEL)

    def _json(self, name: str) -> dict[str, Any]:
        loaded = json.loads(self._file(name).read_text(encoding="utf-8"))
        assert isinstance(loaded, dict)
        return loaded

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise RecordError(f"run {self.run_id} has no {name} in {self.folder}: it did not get that far")
        return path


def open_run(name: str | Path, roots: Sequence[str | Path] = ("outputs", "multirun")) -> Run:
    """Open a run by its folder, by `latest` or `latest~1`, or by a prefix of its run_id, identity or config_hash.

    Parameters
    ----------
    name : str or Path
        A `config_hash` may have several runs; the latest is opened.
    roots : sequence of path
        Folders under which runs lie, relative to the current directory or absolute.

    Raises
    ------
    RecordError
        When no run has the name, or when different runs share the prefix.
    """
    folder = Path(name)
    if (folder / IDENTITY).is_file():
        return _read(folder / IDENTITY)
    runs = all_runs(roots)
    where = ", ".join(str(root) for root in roots)
    if not runs:
        raise RecordError(f"no run lies under {where}")
    if match := _LATEST.fullmatch(str(name)):
        back = int(match[1] or 0)
        if back >= len(runs):
            raise RecordError(f"{name}: only {len(runs)} runs lie under {where}")
        return runs[-1 - back]
    return _by_prefix(str(name), runs, where)


def all_runs(roots: Sequence[str | Path] = ("outputs", "multirun")) -> list[Run]:
    """Return every run under `roots`, oldest first; a folder that cannot be read is passed over with a warning."""
    return sorted(_runs(roots), key=lambda run: (str(run.identity.get("started")), run.run_id))


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
        for path in Path(root).rglob(IDENTITY):
            try:
                yield _read(path)
            except RecordError as error:  # one damaged folder must not hide all others
                log.warning("%s; passed over", error)


def _read(path: Path) -> Run:
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None
    if not isinstance(identity, dict) or "run_id" not in identity:
        raise RecordError(f"{path} is no run's identity: it has no run_id")
    return Run(path.parent, identity)
