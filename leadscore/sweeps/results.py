"""What the jobs of a sweep left, read as each of them ends."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError
from leadscore.record.find import read_run, run_folders
from leadscore.record.shelf import IDENTITY
from leadscore.sweeps.folder import SweepFolder
from leadscore.sweeps.jobs import Job, listed
from leadscore.sweeps.known import Recorded
from leadscore.sweeps.outcome import Measured, measured, measured_in_log

__all__ = ["Results"]

WHERE = ("outputs", "multirun")  # runs lie there unless somebody says otherwise
CODE = "feature or model code was edited meanwhile"
DATA = "the data are not what they were when the sweep was started before"


class Results:
    """The numbers of a sweep's jobs.

    Attributes
    ----------
    measured : dict of int to Measured
        By job number, of those that have a result.
    """

    def __init__(self) -> None:
        self.measured: dict[int, Measured] = {}
        self._moved: dict[str, set[int]] = {}

    @property
    def notes(self) -> list[str]:
        """What was run on something else than the command meant, or than before: a sentence each."""
        return [f"{what}: {listed(numbers)}" for what, numbers in self._moved.items()]

    def read(self, job: Job, folder: SweepFolder, recorded: Recorded) -> None:
        """Take in a job that has ended; what is done joins what is recorded."""
        try:
            if job.status == "known":
                job.folder = _folder_of(job, folder, recorded)
            if job.worked:
                root = Path(job.config.tracking.root)
                found = measured_in_log(root, str(job.run_id)) if job.folder is None else measured(job.folder)
                self.measured[job.number], job.value = found, found.auc
            if job.folder is not None and (job.folder / IDENTITY).exists():
                identity = read_run(job.folder).identity
                job.run_id = str(identity["run_id"])
                if job.status == "done":
                    recorded.add(identity)
                    recorded.folders[job.run_id] = job.folder
                self._compare(job, identity, folder.entries.get(job.number, {}))
        except RecordError as error:
            job.reason = job.reason or str(error)

    def _compare(self, job: Job, identity: Mapping[str, Any], then: Mapping[str, Any]) -> None:
        """See whether a job was run on what the command meant when it started, and when it was started before."""
        if identity.get("code_hash") != job.named["code_hash"]:
            self._moved.setdefault(CODE, set()).add(job.number)
        data = (then.get("measured") or {}).get("data_hash")
        if data and identity.get("data_hash") not in (None, data):
            self._moved.setdefault(DATA, set()).add(job.number)


def _folder_of(job: Job, folder: SweepFolder, recorded: Recorded) -> Path | None:
    """Return the folder of a known run, wherever runs lie; None where its row alone is left."""
    if str(job.run_id) not in recorded.folders and not recorded.has_looked:
        recorded.has_looked = True
        roots = {Path(root).absolute() for root in (*WHERE, job.config.tracking.root, folder.path.parent)}
        for path in (path for root in sorted(roots) for path in run_folders(root)):
            with suppress(RecordError):
                recorded.folders.setdefault(read_run(path).run_id, path)
    return recorded.folders.get(str(job.run_id))
