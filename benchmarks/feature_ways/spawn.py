"""Start a measurement in a fresh process, and say what it measured."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from feature_ways import WAYS
from feature_ways.log import simulate
from feature_ways.process import Job

__all__ = ["Place", "python_for"]

HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Place:
    """A folder with simulated logs and leadscore's cache, and the interpreters that may run a way."""

    folder: Path
    peers: tuple[str, ...] = ()
    patience: float | None = None  # seconds that a process may take

    def log(self, n_events: int) -> Path:
        """Return the folder of a log, simulated when it is not there."""
        folder = self.folder / f"events-{n_events}"
        simulate(folder, n_events)
        return folder

    def n_leads(self, n_events: int) -> int:
        """Return how many leads a log has."""
        return int(pq.read_metadata(self.log(n_events) / "leads.parquet").num_rows)

    def job(self, way: str, n_events: int, scenario: str = "snapshots", **options: Any) -> Job:
        """Return the job of running a way on a log."""
        return Job(way, str(self.log(n_events)), scenario, str(self.folder / "store"), options=options)

    def run(self, job: Job) -> dict[str, Any]:
        """Run a job and return what it printed; `{"failed": why}` when it did not end well."""
        way = WAYS.get(job.way)
        if way is not None and not (way.kept or way.needs):
            cold = tempfile.mkdtemp(dir=self.folder)
            try:
                return self._run(replace(job, store=cold))
            finally:
                shutil.rmtree(cold, ignore_errors=True)
        return self._run(job)

    def _run(self, job: Job) -> dict[str, Any]:
        way = WAYS.get(job.way)
        python = sys.executable if way is None or way.needs is None else python_for(way.needs, self.peers)
        if python is None:
            return {"failed": "not installed"}
        line = [python, "-m", "feature_ways.process", job.dumps()]
        try:
            done = subprocess.run(
                line, cwd=HERE, env=_environment(), capture_output=True, text=True, check=False, timeout=self.patience
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"more than {self.patience:g} s"}
        if done.returncode:
            return {"failed": (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]}
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said


def _environment() -> dict[str, str]:
    """Return what also the processes that a way starts shall have; printing warnings would cost some ways dear."""
    return {**os.environ, "PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"}


@cache
def python_for(package: str, peers: tuple[str, ...]) -> str | None:
    """Return the first interpreter that has a package and what the measurement itself needs."""
    for python in peers:
        line = [python, "-c", f"import numpy, pyarrow, {package}"]
        if not subprocess.run(line, capture_output=True, check=False).returncode:
            return python
    return None
