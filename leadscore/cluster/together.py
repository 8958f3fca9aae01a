"""Several workers at one piece of work that they do together, each on its share of the rows."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from leadscore.cluster import worker
from leadscore.errors import ComputeError
from leadscore.pools import Seat

if TYPE_CHECKING:
    from leadscore.cluster.pool import Cluster

__all__ = ["work_together"]

log = logging.getLogger(__name__)
TRIES = 4
LOOK_SECONDS = 2.0  # how often it is asked whether all of them are still there


class _LostError(Exception):
    """A worker has gone, and the others wait for it."""


def work_together(
    cluster: "Cluster",
    function: Callable[[Seat, list[Any], Any], Any],
    shares: Sequence[Iterable[Any]],
    rest: Any,
) -> list[Any]:
    """Return `function(seat, pieces, rest)` of each share's pieces, each on a worker of its own, at the same time.

    The shares decide the result, not which worker has which: a start anew gives the same.

    Parameters
    ----------
    cluster : Cluster
    function : callable
    shares : sequence of iterable
        The pieces of each; iterated again at each start.
    rest : object
        What all of them get.

    Raises
    ------
    ComputeError
        When there are fewer workers than shares, or some are lost again and again.
    Exception
        What the function raises.
    """
    for _ in range(TRIES):
        try:
            return _once(cluster, function, shares, rest)
        except _LostError:
            log.warning("a worker was lost while %s worked together: they start anew", len(shares))
    raise ComputeError(
        f"{TRIES} times a worker of {cluster.address} was lost while {len(shares)} worked together: mostly because "
        f"they need more memory than they may take (compute.memory_gb of a cluster on this machine); more machines "
        f"take smaller shares (model.machines)"
    )


def _once(cluster: "Cluster", function: Any, shares: Sequence[Iterable[Any]], rest: Any) -> list[Any]:
    import cloudpickle

    client = cluster.client
    picked = _picked(cluster, len(shares))
    ports: list[Any] = []
    tasks: list[Any] = []
    pieces: list[list[Any]] = [[] for _ in shares]
    try:
        ports += [client.submit(worker.free_port, number, workers=[at], pure=False) for number, at in enumerate(picked)]
        _finished(cluster, ports, picked)
        machines = tuple(f"{urlparse(at).hostname}:{port.result()}" for at, port in zip(picked, ports, strict=True))
        for at, share, mine in zip(picked, shares, pieces, strict=True):
            mine += [_sent(cluster, piece, at) for piece in share]
        for number, at in enumerate(picked):
            payload = cloudpickle.dumps((function, (Seat(number, machines, picked[at]), rest)))
            call = (worker.call_with, cluster.needs, payload, pieces[number])
            tasks.append(client.submit(*call, workers=[at], allow_other_workers=False, pure=False))
        _finished(cluster, tasks, picked)
        return [task.result() for task in tasks]
    except BaseException:
        with suppress(Exception):  # who waits for the others may do so for minutes
            client.cancel(tasks, force=True)
            client.restart_workers([at for at in picked if at in _there(cluster)], timeout=cluster.seconds)
        raise
    finally:
        for future in (*tasks, *(each for mine in pieces for each in mine), *ports):
            future.release()  # or a worker that is lost later would have it done again, alone


def _there(cluster: "Cluster") -> dict[str, int]:
    """Return the workers that are there, each with its threads."""
    found = cluster.asked(lambda: cluster.client.scheduler_info(n_workers=-1)["workers"])
    return {at: int(each["nthreads"]) for at, each in found.items()}


def _picked(cluster: "Cluster", n: int) -> dict[str, int]:
    """Return as many workers as there are shares, on as many hosts as possible."""
    with suppress(TimeoutError):
        cluster.client.wait_for_workers(n, timeout=cluster.seconds)
    there = _there(cluster)
    if len(there) < n:
        raise ComputeError(
            f"{n} workers are needed (model.machines), and the scheduler {cluster.address} has {len(there)}: each "
            f"grows trees on its own share of the rows"
        )
    seen: dict[str | None, int] = {}
    turns = []
    for at in sorted(there):
        host = urlparse(at).hostname
        seen[host] = seen.get(host, 0) + 1
        turns.append((seen[host], at))
    return {at: there[at] for _, at in sorted(turns)[:n]}


def _sent(cluster: "Cluster", piece: Any, at: str) -> Any:
    from dask.sizeof import sizeof

    cluster.sent += sizeof(piece)
    return cluster.client.scatter(piece, workers=[at], hash=False)


def _finished(cluster: "Cluster", tasks: list[Any], picked: dict[str, int]) -> None:
    """Wait for all tasks for as long as all workers are there."""
    from distributed import wait

    left = set(tasks)
    while left:
        try:
            with cluster.client.as_current():
                left -= wait(left, timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED").done
        except CancelledError:  # what lay on a worker has gone with it
            raise _LostError from None
        except TimeoutError:
            pass
        failed = [task for task in tasks if task.status not in ("pending", "finished")]
        if failed:
            time.sleep(LOOK_SECONDS)  # one that is left alone fails before the other is missed
        if picked.keys() - _there(cluster).keys():
            raise _LostError
        if failed:
            error = failed[0].exception() if failed[0].status == "error" else None
            raise error or _LostError()
