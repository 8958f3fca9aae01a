"""Whether a job has been run before: the same identity stands in the log, or in the sweep's own folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leadscore.config.schema import Config
from leadscore.errors import RecordError
from leadscore.identity.run import identity_of, named
from leadscore.memory import Memory
from leadscore.preparing import code_once, content_once, load_once
from leadscore.record import read_rows
from leadscore.record.find import read_run, run_folders
from leadscore.record.log import LOG

__all__ = ["Recorded", "find_known", "known_auc", "named_of"]


class Recorded:
    """The runs that are done, by what they asked.

    Parameters
    ----------
    folder : Path, optional
        Of the sweep: what lies in it counts as recorded, even if it was killed before it came to its row.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own: dict[str, dict[str, str]] = {}
        self._of_root: dict[str, dict[str, dict[str, str]]] = {}
        self.folders: dict[str, Path] = {}  # by run_id
        self.has_looked = False  # for folders elsewhere
        for path in run_folders(folder) if folder is not None else ():
            try:
                run = read_run(path)
            except RecordError:
                continue
            self.folders[run.run_id] = path
            if run.identity.get("status") == "done":
                self.add(run.identity)

    def add(self, identity: Mapping[str, Any]) -> None:
        """Take in a run that is done."""
        self._own.setdefault(str(identity["config_hash"]), {})[str(identity["identity"])] = str(identity["run_id"])

    def candidates(self, root: str, config_hash: str) -> dict[str, str]:
        """Return the runs that asked the same, identity to run_id; whether the data were the same is not known yet."""
        if root not in self._of_root:
            found: dict[str, dict[str, str]] = {}
            for row in read_rows(Path(root) / LOG):
                if row["status"] == "done":
                    found.setdefault(row["config_hash"], {})[row["identity"]] = row["run_id"]
            self._of_root[root] = found
        return {**self._of_root[root].get(config_hash, {}), **self._own.get(config_hash, {})}


def named_of(config: Config, memory: Memory) -> dict[str, Any]:
    """Return what of a run's identity is known before its data are read."""
    from leadscore.pipeline import plan_run

    plan = plan_run(config)
    return named(config, plan, code_once(config, plan, memory))


def find_known(config: Config, candidates: Mapping[str, str], memory: Memory) -> str | None:
    """Return the run_id of a candidate that is the very same run; the data are read where there are candidates."""
    if not candidates:
        return None
    _, tables = load_once(config, memory)
    return candidates.get(identity_of(named_of(config, memory), content_once(config, tables, memory)))


def known_auc(config: Config) -> tuple[str, float | None] | None:
    """Return the run_id and the AUC of a recorded run that is the very same as `config` asks for."""
    if config.sweep.rerun:
        return None
    memory, root = Memory(), config.tracking.root
    config_hash = named_of(config, memory)["config_hash"]
    run_id = find_known(config, Recorded().candidates(root, config_hash), memory)
    if run_id is None:
        return None
    aucs = [row["auc"] for row in read_rows(Path(root) / LOG) if row["run_id"] == run_id]
    return run_id, float(aucs[-1]) if aucs and aucs[-1] else None
