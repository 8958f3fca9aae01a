"""How far a sweep has come: one living line on a terminal, a line a job elsewhere."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column

from leadscore.sweeps.jobs import ENDED, Job
from leadscore.sweeps.outcome import Measured, grouped

__all__ = ["Progress", "interval"]


class Progress:
    """Tells of a sweep on stderr.

    Parameters
    ----------
    jobs : sequence of Job
        Of the sweep, earlier batches among them.
    results : mapping of int to Measured
        The numbers of the jobs that have them, by job number. Both are read whenever there is something to tell.
    """

    def __init__(self, jobs: Sequence[Job], results: Mapping[int, Measured]) -> None:
        self._jobs, self._results = jobs, results
        text = TextColumn("{task.description}", table_column=Column(overflow="fold", ratio=1))
        columns = (BarColumn(bar_width=10), text, TimeElapsedColumn())
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        is_terminal = sys.stderr.isatty()
        self._bar = Bar(*columns, console=self._console, transient=True, expand=True, disable=not is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._best = ""

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, sentence: str) -> None:
        """Print a line of its own."""
        self._console.print(f"leadscore: {sentence}")

    def show(self) -> None:
        """Bring the living line up to date."""
        counts = {word: sum(job.status == word for job in self._jobs) for word in (*ENDED, "running", "waiting")}
        failed = counts["failed"] + counts["interrupted"] + counts["cancelled"]
        parts = [f"done {counts['done']}", f"known {counts['known']}" if counts["known"] else ""]
        parts += [f"failed {failed}", f"running {counts['running']}", f"left {counts['waiting']}"]
        text = ", ".join(filter(None, parts)) + (f"; best {self._best}" if self._best else "")
        completed = len(self._jobs) - counts["running"] - counts["waiting"]
        self._bar.update(self._task, description=text, total=len(self._jobs), completed=completed)

    def tell(self, job: Job) -> None:
        """Say how a job has ended; on a terminal only where that is no success."""
        by_number = {each.number: each for each in self._jobs}
        groups = grouped([(by_number[number], found) for number, found in self._results.items()])
        self._best = "; ".join(_best(*group.best) for group in groups if group.best[1].auc is not None)
        ended = sum(each.status in ENDED for each in self._jobs)
        if not job.worked:
            self.say(f"job {job.number} {job.status}: {job.reason}")
        elif self._bar.disable:
            found = self._results.get(job.number)
            numbers = "" if found is None or found.auc is None else f", AUC {interval(found)}"
            known = f", run {job.run_id}" if job.status == "known" else ""
            self.say(f"job {job.number} {job.status} ({ended} of {len(self._jobs)}){known}{numbers}")


def interval(found: Measured) -> str:
    """Return an AUC and its interval."""
    if found.auc is None:
        return "-"
    sure = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.auc:.3f}{sure}"


def _best(job: Job, found: Measured) -> Any:
    return f"AUC {interval(found)} of job {job.number} ({found.horizon})"
