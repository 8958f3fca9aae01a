"""A Dask cluster as a `Pool`: few units in flight, each done again when its worker is lost."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.cluster import worker
from leadscore.cluster.probe import answers
from leadscore.cluster.together import work_together
from leadscore.errors import ComputeError, LeadscoreError

if TYPE_CHECKING:
    from leadscore.features import Plan

__all__ = ["Cluster"]

log = logging.getLogger(__name__)
IN_FLIGHT = 2  # units a thread: the next is there when one is done, and a log is never sent whole


class Cluster:
    """The workers of a scheduler.

    Parameters
    ----------
    client : distributed.Client
    address : str
        The scheduler's.
    seconds : float
        How long an answer is waited for.

    Attributes
    ----------
    sent, received : int
        Bytes of the units that went to workers, and of the results that came back.
    """

    def __init__(self, client: Any, address: str, seconds: float) -> None:
        self.client, self.address, self.seconds = client, address, seconds
        self.leaving = ExitStack()
        self.sent = self.received = 0
        self.needs = b""
        self._plan: Plan | None = None
        self._seen: dict[Path, bool] = {}

    @property
    def n_workers(self) -> int:
        """Threads of all workers."""
        return sum(self.asked(self.client.nthreads).values())

    def meet(self, plan: "Plan | None" = None) -> None:
        """Wait for a worker, and refuse workers that would compute something else.

        Parameters
        ----------
        plan : Plan, optional
            What will be computed: each worker must have its functions' modules, and the same code in them.

        Raises
        ------
        ComputeError
        """
        import cloudpickle

        if self.needs and plan is self._plan:
            return
        needs = worker.Needs(worker.versions())
        if plan is not None:
            needs = replace(needs, plan=cloudpickle.dumps(plan), code=worker.code_of_plan(plan))
        pickled = cloudpickle.dumps(needs)
        try:
            self.client.wait_for_workers(1, timeout=self.seconds)
        except TimeoutError:
            raise ComputeError(
                f"the scheduler {self.address} has no workers, and none came within {self.seconds:g} s "
                f"(compute.timeout): start some with `dask worker {self.address}`"
            ) from None
        for address, said in self._everywhere(worker.meet, pickled).items():
            if isinstance(said, LeadscoreError):
                raise ComputeError(f"the worker {address}: {said}")
            if isinstance(said, BaseException):
                raise ComputeError(f"the worker {address} cannot run leadscore: {type(said).__name__}: {said}")
        self.needs, self._plan = pickled, plan

    def together(self, function: Callable[..., Any], shares: Sequence[Iterable[Any]], rest: Any) -> list[Any]:
        """Return `function(seat, pieces, rest)` of each share's pieces, all at the same time; see `work_together`."""
        return work_together(self, function, shares, rest)

    def sees(self, folder: Path) -> bool:
        """Whether each worker finds in a folder what this process finds there."""
        if folder not in self._seen:
            ours = worker.stamps(folder)
            self._seen[folder] = all(theirs == ours for theirs in self._everywhere(worker.stamps, folder).values())
        return self._seen[folder]

    def _everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Return what each worker answers, or the exception that it raises; one that is just lost has no say."""
        answers = self.asked(lambda: self.client.run(function, *arguments, on_error="return"))
        return {address: said for address, said in answers.items() if not isinstance(said, OSError)}

    def asked(self, question: Callable[[], Any]) -> Any:
        """Return an answer of the scheduler."""
        try:
            return question()
        except (OSError, TimeoutError) as error:
            raise self._lost(error) from None

    def map(self, function: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
        """Yield `function(unit)` for each unit, in the order in which they are done.

        Raises
        ------
        ComputeError
            When the scheduler stops answering, no worker is left, or a unit takes down each worker that tries it.
        Exception
            What the function raises.
        """
        import cloudpickle

        limit = IN_FLIGHT * max(1, self.n_workers)
        waiting: set[Any] = set()
        try:
            for unit in units:
                payload = cloudpickle.dumps((function, unit))
                self.sent += len(payload)
                waiting.add(self.client.submit(worker.call, self.needs, payload, pure=False))
                if len(waiting) >= limit:
                    yield from self._finished(waiting)
            while waiting:
                yield from self._finished(waiting)
        finally:
            if waiting:
                with suppress(Exception):  # a scheduler that is gone has nothing to cancel
                    self.client.cancel(list(waiting), force=True)

    def _finished(self, waiting: set[Any]) -> Iterator[Any]:
        """Wait for some of the futures, take them out, and yield their results."""
        from dask.sizeof import sizeof
        from distributed import wait

        with self.client.as_current():
            done = self._patiently(lambda: wait(waiting, timeout=self.seconds, return_when="FIRST_COMPLETED").done)
        for future in list(done):
            waiting.discard(future)
            # Long enough to fetch it; when its worker is lost meanwhile, it is computed again first.
            result = self._patiently(partial(future.result, timeout=4 * self.seconds))
            future.release()
            self.received += sizeof(result)
            yield result

    def _patiently(self, answer: Callable[[], Any]) -> Any:
        """Wait for an answer for as long as the scheduler has workers that may be at it."""
        alone_since = None
        while True:
            try:
                return answer()
            except TimeoutError:
                alone_since = self._look(alone_since)
            except Exception as error:
                raise self._said(error) from error

    def _look(self, alone_since: float | None) -> float | None:
        """Refuse to wait for a scheduler that is silent, or that has had no worker since it was last looked at."""
        if not self.is_alive():
            raise self._lost(TimeoutError())
        if self.client.scheduler_info(n_workers=0)["n_workers"]:
            return None
        if alone_since is not None:
            raise ComputeError(
                f"the scheduler {self.address} has lost its last worker, and no other came within {self.seconds:g} s "
                f"(compute.timeout)"
            )
        return time.monotonic()

    def is_alive(self) -> bool:
        """Whether the scheduler answers."""
        return self.client.status == "running" and answers(self.address, self.seconds)

    def _said(self, error: Exception) -> Exception:
        """Return a worker's exception as it is, and that of the cluster in words."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return ComputeError(
                f"a part of the work stopped each of the {error.allowed_failures + 1} workers of {self.address} that "
                f"tried it, the last {error.last_worker.address}: mostly because it needs more memory than a worker "
                f"may take (compute.memory_gb of a cluster on this machine, --memory-limit of a `dask worker`)"
            )
        if isinstance(error, CancelledError | OSError) and not isinstance(error, LeadscoreError):
            return self._lost(error)
        return error

    def _lost(self, error: BaseException) -> ComputeError:
        return ComputeError(
            f"the scheduler {self.address} stopped answering during the run ({type(error).__name__}): start it again, "
            f"or compute=local, which needs none"
        )

    def leave(self) -> None:
        """Close the connection, without waiting for a scheduler that does not answer."""
        spoken = logging.getLogger("distributed.client")
        level = spoken.level
        spoken.setLevel(logging.CRITICAL)  # what is lost has been told
        with suppress(Exception):
            self.client.close(timeout=2)
        spoken.setLevel(level)

    def close(self) -> None:
        """Leave, and end what was started for this cluster."""
        self.leaving.close()
