"""One way, one log, one scenario, one process: `python -m feature_ways.process JOB` prints what it measured as JSON."""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_ways import COLUMNS, WAYS

__all__ = ["Job", "Watch", "measure"]


@dataclass(frozen=True)
class Job:
    """What a process is asked to do.

    Attributes
    ----------
    way : str
    log : str
        The folder with the two Parquet files.
    scenario : {'snapshots', 'own'}
    store : str
        A folder for leadscore's cache; a way that starts cold is given an empty one.
    out : str or None
        Where to leave the result for a comparison cell by cell.
    options : mapping
        Of `--scaling` and `--audit`.
    """

    way: str
    log: str
    scenario: str = "snapshots"
    store: str = ""
    out: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def leads(self) -> str:
        """The lead table."""
        return str(Path(self.log) / "leads.parquet")

    @property
    def events(self) -> str:
        """The event table."""
        return str(Path(self.log) / "events.parquet")

    def dumps(self) -> str:
        """Return the job as a command line argument."""
        return json.dumps(asdict(self))


class Watch:
    """Seconds by step (`read`, `prepare`, `compute`) and what else a way wants to say."""

    def __init__(self) -> None:
        self.seconds = {"read": 0.0, "prepare": 0.0, "compute": 0.0}
        self.cpu = 0.0
        self.said: dict[str, Any] = {}
        self.peak = 0.0

    @contextmanager
    def __call__(self, step: str, times: float = 1.0) -> Iterator[None]:
        """Add the time inside to a step, `times` as much where it stands for more of the same."""
        started, worked = time.perf_counter(), time.process_time()
        yield
        self.seconds[step] += times * (time.perf_counter() - started)
        self.cpu += times * (time.process_time() - worked)
        self.peak = max(self.peak, _peak())  # before the result is looked at, which costs memory of its own


def _peak() -> float:
    """Return the GiB that this process and the processes it has started had in memory at their peaks, added up."""
    pids = [os.getpid()]
    with suppress(OSError):
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                total += int(line.split()[1]) if line.startswith("VmHWM") else 0
    if not total:  # not Linux; there, a process's own figure begins with what its parent had
        total = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        total //= 1024 if sys.platform == "darwin" else 1
    return total / 2**20


def measure(job: Job) -> dict[str, Any]:
    """Run a job and return what was measured."""
    watch = Watch()
    module = WAYS[job.way].module if job.way in WAYS else job.way  # the other modules are of --scaling and --audit
    result = importlib.import_module(f"feature_ways.{module}").run(job, watch)
    said = {"seconds": watch.seconds, "cpu": watch.cpu, "peak": watch.peak, **watch.said}
    if result is None:
        return said
    table = result if isinstance(result, pa.Table) else pa.Table.from_pandas(result, preserve_index=False)
    if job.out is not None:
        pq.write_table(_comparable(table), job.out)
    return {**said, "rows": table.num_rows, "sums": {name: _sum(table, name) for name in COLUMNS}}


def _numbers(table: pa.Table, name: str) -> Any:
    return table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)


def _sum(table: pa.Table, name: str) -> list[float]:
    values = _numbers(table, name)
    return [float(np.nansum(values)), int(np.isnan(values).sum())]


def _comparable(table: pa.Table) -> pa.Table:
    as_of = table["as_of"].cast(pa.int64()).to_numpy()
    numbers = {name: pa.array(_numbers(table, name)) for name in COLUMNS}
    return pa.table({"user_id": table["user_id"].cast(pa.string()), "as_of": as_of, **numbers})


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
