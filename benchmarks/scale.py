"""What a cluster costs and gains: one machine, one worker, two workers, over the same log.

Each way reads the log from ten Parquet files into an empty cache, builds seventeen declared columns at twelve weekly
snapshots, and is a process of its own. The ways take turns; logs and tables are compared by their sha256 before times
are. CPU seconds are of all processes of a way; peak memory, mapped files included, is of the driver and of the largest
worker; `sent` and `received` are the bytes of what workers were handed and gave back.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from feature_ways import log as logs
from feature_ways.ours import SPECS

from leadscore.cluster import close_clusters, cluster_of
from leadscore.config.schema import ComputeConfig, DaskCompute, FilesData, TableConfig
from leadscore.features import make_plan
from leadscore.preparing import load_checked, model_table
from leadscore.store import open_store

WAYS = {"local": 0, "1 worker": 1, "2 workers": 2}
FILES = 10
MB = 1e6


def dataset(folder: Path, n_events: int) -> Path:
    """Simulate a log, and write it as a folder of several files, as exports are; return the folder."""
    place = folder / f"{n_events}"
    logs.simulate(place, n_events)
    if not (place / "log").is_dir():
        (place / "unfinished").mkdir(exist_ok=True)
        table, size = pq.read_table(place / "events.parquet"), -(-n_events // FILES)
        for number in range(FILES):
            part = table.slice(number * size, size)
            pq.write_table(part, place / "unfinished" / f"{number:02}.parquet", row_group_size=1 << 18)
        (place / "unfinished").rename(place / "log")
    return place


def measure(way: str, place: str, cache: str, memory_gb: float) -> dict[str, Any]:
    """Return what one way took, in this process and its workers."""
    n = WAYS[way]
    compute = DaskCompute(workers=n, memory_gb=memory_gb) if n else ComputeConfig(name="local")
    compute.cache_dir, compute.cache_limit_gb = cache, 100.0
    data = FilesData(name="scale", dir=place, leads=TableConfig(path="leads.parquet"), events=TableConfig(path="log"))
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}
    cluster = None

    def everybody() -> list[dict[str, float]]:
        return [usage(), *(cluster.client.run(usage).values() if cluster is not None else [])]

    @contextmanager
    def watch(what: str) -> Iterator[None]:
        at, spent = time.perf_counter(), sum(each["cpu"] for each in everybody())
        yield
        seconds[what] = time.perf_counter() - at
        cpu[what] = sum(each["cpu"] for each in everybody()) - spent

    with watch("start"):
        cluster = cluster_of(compute)
    with watch("read"):
        tables = load_checked(data, open_store(compute), lambda said: None, cluster)
    after_read = usage()["peak"]
    asked, plan = snapshots(tables), make_plan(SPECS, {}, {})
    with watch("features"):
        X = model_table(plan, tables, asked, cluster=cluster, step=lambda said: None).X
    found: dict[str, Any] = {"seconds": seconds, "cpu": cpu, "rows": len(X), "after_read": after_read}
    found |= {"digest": digest(X), "content": tables.log.content, "everybody": everybody()}
    if cluster is not None:
        found |= {"sent": cluster.sent, "received": cluster.received}
    close_clusters()
    return found


def usage() -> dict[str, float]:
    """Return this process's CPU seconds and peak memory."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}


def snapshots(tables: Any) -> pd.DataFrame:
    """Return every lead at twelve weekly instants from its creation on."""
    created = tables.leads["created_at"]
    frames = []
    for instant in logs.as_of_of_snapshots():
        as_of = pd.Timestamp(instant, unit="us", tz="UTC").as_unit("us")
        rows = created.index[created <= as_of]
        frames.append(pd.DataFrame({"user_id": tables.leads["user_id"].loc[rows], "as_of": as_of, "lead_row": rows}))
    return pd.concat(frames, ignore_index=True)


def digest(X: pd.DataFrame) -> str:
    """Return a hash of a table's bytes, its columns in order."""
    whole = hashlib.sha256()
    for name in X:
        whole.update(name.encode() + X[name].to_numpy().tobytes())
    return whole.hexdigest()


def run(way: str, place: Path, folder: Path, memory_gb: float) -> dict[str, Any]:
    """Measure a way in a process and an empty cache of its own."""
    cache = tempfile.mkdtemp(prefix="cache-", dir=folder)
    try:
        line = [sys.executable, __file__, "--one", json.dumps([way, str(place), cache, memory_gb])]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{way}: {done.stderr}")
        return dict(json.loads(done.stdout.splitlines()[-1]))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def middle(values: Sequence[float]) -> str:
    """Return a median, with its range where there are several."""
    among = f" ({min(values):.2f}..{max(values):.2f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.2f}{among}"


def show(rounds: list[dict[str, dict[str, Any]]], n_events: int) -> None:
    """Print each way's seconds, CPU, memory and bytes, and the ratios to one machine."""
    first = rounds[0]["local"]
    for each in rounds:
        for way, found in each.items():
            if (found["digest"], found["content"]) != (first["digest"], first["content"]):
                sys.exit(f"WRONG: {way} gives another table or log than local")
    print(f"{n_events:,} events, {first['rows']:,} observations, {os.cpu_count()} cores, {len(rounds)} rounds")
    for way, n_workers in WAYS.items():
        mine = [each[way] for each in rounds]
        said = [
            f"{what} {middle([each['seconds'][what] for each in mine])} s, "
            f"CPU {middle([each['cpu'][what] for each in mine])} s"
            for what in mine[0]["seconds"]
        ]
        print(f"{way:10}", *said, sep="  ")
        peaks = {"driver after reading": [each["after_read"] for each in mine]}
        peaks["driver"] = [each["everybody"][0]["peak"] for each in mine]
        if n_workers:
            peaks["worker"] = [part["peak"] for each in mine for part in each["everybody"][1:]]
        said = [f"{name} {max(values) / MB:,.0f} MB" for name, values in peaks.items()]
        if n_workers:
            said += [f"{word} {mine[0][word] / MB:,.0f} MB" for word in ("sent", "received")]
        print(" " * 10, "peaks:", *said, sep="  ")
    for kind in ("seconds", "cpu"):
        for what in ("read", "features"):
            for way, other in (("1 worker", "local"), ("2 workers", "local"), ("2 workers", "1 worker")):
                ratios = [each[way][kind][what] / each[other][kind][what] for each in rounds]
                print(f"{what}, {kind}: {way} / {other} {middle(ratios)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=float, default=1e7)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--memory-gb", type=float, default=2.0, help="of each worker")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "leadscore-scale")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    if wanted.one:
        print(json.dumps(measure(*json.loads(wanted.one))))
        return
    wanted.folder.mkdir(parents=True, exist_ok=True)
    place = dataset(wanted.folder, int(wanted.events))
    rounds = [{way: run(way, place, wanted.folder, wanted.memory_gb) for way in WAYS} for _ in range(wanted.rounds)]
    show(rounds, int(wanted.events))


if __name__ == "__main__":
    main()
