"""What a cluster costs and gains: one machine, one worker, two workers, over the same log.

Each way reads the log from Parquet files into an empty cache, builds seventeen declared columns and two functions' at
twelve snapshots, fits LightGBM, and is a process of its own. The ways take turns; tables are compared by their sha256
before times are. CPU seconds and peak memory are of all processes of a way; of a cluster's workers each is told.
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
from collections.abc import Sequence
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

    def took(what: str, since: float) -> float:
        seconds[what] = time.perf_counter() - since
        return time.perf_counter()

    at = time.perf_counter()
    cluster = cluster_of(compute)
    at = took("start", at)
    tables = load_checked(data, open_store(compute), lambda said: None, cluster)
    at = took("read", at)
    asked = snapshots(tables)
    plan = make_plan(SPECS, {}, {})
    at = time.perf_counter()
    X = model_table(plan, tables, asked, cluster=cluster, step=lambda said: None).X
    took("features", at)
    found: dict[str, Any] = {"seconds": seconds, "rows": len(X), "digest": digest(X), "content": tables.log.content}
    if cluster is not None:
        found |= {"sent": cluster.sent, "received": cluster.received}
        found["workers"] = list(cluster.client.run(usage).values())
    close_clusters()
    own = usage()
    return {**found, "driver": own}


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


def middle(values: Sequence[float], unit: str = "") -> str:
    """Return a median and its range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f}){unit}"


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
        said = [f"{what} {middle([each['seconds'][what] for each in mine], ' s')}" for what in mine[0]["seconds"]]
        cpu = [sum(part["cpu"] for part in (each["driver"], *each.get("workers", []))) for each in mine]
        print(f"{way:10}", *said, f"CPU {middle(cpu, ' s')}", sep="  ")
        peaks = [max(each["driver"]["peak"] for each in mine)]
        peaks += [max(part["peak"] for each in mine for part in each.get("workers", []))] if n_workers else []
        words = ["driver", "a worker"]
        print(
            " " * 10,
            *(f"peak of {word} {peak / MB:,.0f} MB" for word, peak in zip(words, peaks, strict=False)),
            sep="  ",
        )
        if n_workers:
            print(
                " " * 10, f"sent {mine[0]['sent'] / MB:,.1f} MB  received {mine[0]['received'] / MB:,.1f} MB", sep="  "
            )
    for what in ("read", "features"):
        for way in list(WAYS)[1:]:
            ratios = [each[way]["seconds"][what] / each["local"]["seconds"][what] for each in rounds]
            print(f"{what}: {way} / local {middle(ratios)}")
        ratios = [each["2 workers"]["seconds"][what] / each["1 worker"]["seconds"][what] for each in rounds]
        print(f"{what}: 2 workers / 1 worker {middle(ratios)}")


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
