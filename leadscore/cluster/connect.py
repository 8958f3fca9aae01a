"""To a cluster in bounded time: one that runs, by its scheduler's address, or one started on this machine."""

import atexit
import importlib.util
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from leadscore.cluster.pool import Cluster
from leadscore.cluster.probe import probed, silent
from leadscore.cluster.worker import differing
from leadscore.config.schema import ComputeConfig, DaskCompute
from leadscore.errors import ComputeError, ConfigError
from leadscore.times import parse_duration

__all__ = ["close_clusters", "cluster_of"]

log = logging.getLogger(__name__)

SPOKEN = ("python", "dask", "distributed", "msgpack", "cloudpickle")  # what both sides of a connection must share
_open: dict[str, Cluster] = {}  # kept open for the next run of this process: a start takes seconds


def cluster_of(compute: ComputeConfig) -> Cluster | None:
    """Return the cluster that a config names, connected; None where the run stays in this process.

    It stays open until this process ends, or `close_clusters`.

    Raises
    ------
    ConfigError
        When the extra `dask` is not installed.
    ComputeError
        When no scheduler answers within `compute.timeout`, it has no workers, or it is of other versions.
    """
    if not isinstance(compute, DaskCompute):
        return None
    if importlib.util.find_spec("distributed") is None:
        raise ConfigError(
            "compute=dask needs Dask, which is not installed: pip install 'leadscore[dask]', or compute=local"
        )
    key = repr((os.getpid(), compute.scheduler, compute.workers, compute.threads, compute.memory_gb))
    if key not in _open or not _open[key].is_alive():
        if key in _open:
            _open.pop(key).close()
        _open[key] = _connected(compute)
    return _open[key]


def close_clusters() -> None:
    """Leave every cluster; those started here end, and their folders are removed."""
    while _open:
        _open.popitem()[1].close()


def _connected(compute: DaskCompute) -> Cluster:
    from distributed import Client

    atexit.unregister(close_clusters)
    atexit.register(close_clusters)  # after Dask's own was registered, and so before it at the end
    spoken = logging.getLogger("distributed")
    spoken.setLevel(max(spoken.level, logging.WARNING))  # each start and end of a connection is no news
    seconds = parse_duration(compute.timeout).total_seconds()
    with ExitStack() as stack:
        address = compute.scheduler or _started(compute, stack)
        _refuse_other_versions(address, probed(address, seconds))
        try:
            client = Client(address, timeout=seconds, set_as_default=False)
        except (OSError, ImportError, TimeoutError) as error:
            raise silent(address, seconds, error) from None
        cluster = Cluster(client, address, seconds)
        stack.callback(cluster.leave)
        cluster.meet()
        cluster.leaving = stack.pop_all()
    return cluster


def _started(compute: DaskCompute, stack: ExitStack) -> str:
    """Start a cluster on this machine, reachable from it alone; what its workers spill goes with it."""
    from distributed import LocalCluster

    folder = tempfile.TemporaryDirectory(prefix="leadscore-dask-", ignore_cleanup_errors=True)
    stack.enter_context(folder)
    try:
        local = LocalCluster(
            n_workers=compute.workers,
            threads_per_worker=compute.threads,
            memory_limit=int(compute.memory_gb * 1e9),
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            local_directory=folder.name,
            preload=["leadscore.cluster.preload"],
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise ComputeError(
            f"compute=dask could not start {compute.workers} processes on this machine ({error}); a script that "
            f'starts them needs `if __name__ == "__main__":` around what it does'
        ) from error
    stack.callback(_closed, local)
    log.info(
        "a Dask cluster on this machine: %s processes, %s threads and at most %s GB of memory each",
        *(compute.workers, compute.threads, f"{compute.memory_gb:g}"),
    )
    return str(local.scheduler_address)


def _closed(local: Any) -> None:
    with suppress(TimeoutError, OSError):
        local.close(timeout=10)


def _refuse_other_versions(address: str, theirs: Mapping[str, Any]) -> None:
    from distributed.versions import get_versions

    ours = get_versions()["packages"]
    if said := differing(theirs, {name: ours[name] for name in SPOKEN}):
        raise ComputeError(f"the scheduler {address} has {said}")
