"""What a log that loses nothing costs: many processes append rows of 20 kB, and 100,000 rows are listed.

Ways take turns; each process is at its mark before the clock starts. Beside `append_row`, which locks, mends, writes
once and waits for the disk, stand plain appends that do neither, and plain ones that wait for the disk. The rows are
counted first: none lost, torn or doubled, one header. Goals: an append to 100,000 rows 50 ms, listing them 2 s.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leadscore.record import append_row, read_rows
from leadscore.record.log import cells_of, content_of

GOAL_APPEND, GOAL_LIST = 0.05, 2.0
MEASURED = {"n": 82, "positives": 9, "brier": 0.1, "log_loss": 0.3, "reasons": {}, "checks": {"note": 3, "problem": 1}}


def row(name: str, size: int = 0) -> dict[str, Any]:
    """Return a row; `size` is that of its note."""
    hashes = dict.fromkeys(("config_hash", "identity", "validation_hash"), "e" * 64)
    words = {"status": "done", "model": "lightgbm", "features": "base+sessions", "notes": "x" * size}
    numbers = {"auc": 0.7138508371385084, "precision_at_0_8_recall": 0.18181818181818182}
    start = {"run_id": name, "timestamp": "2026-05-01T10:00:00+00:00", "metrics_json": json.dumps(MEASURED)}
    return {**hashes, **words, **numbers, **start}


def _locked(log: Path, each: dict[str, Any]) -> None:
    append_row(log, each)


def _plain(log: Path, each: dict[str, Any]) -> None:
    with log.open("ab") as file:
        file.write(content_of([cells_of(each)]).split(b"\n", 1)[1])


def _plain_synced(log: Path, each: dict[str, Any]) -> None:
    with log.open("ab") as file:
        file.write(content_of([cells_of(each)]).split(b"\n", 1)[1])
        file.flush()
        os.fsync(file.fileno())


WAYS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "append_row": _locked,
    "plain, waiting for the disk": _plain_synced,
    "plain": _plain,
}


def _write(way: str, log: Path, writer: int, rows: int, size: int, ready: Any) -> None:
    append = WAYS[way]
    ready.wait()
    for number in range(rows):
        append(log, row(f"{writer}-{number}", size))


def seconds(way: str, log: Path, writers: int, rows: int, size: int) -> float:
    """Return the time from the start of all writers to the end of the last; check what they left."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(writers + 1)
    jobs = [spawn.Process(target=_write, args=(way, log, each, rows, size, ready)) for each in range(writers)]
    for job in jobs:
        job.start()
    ready.wait()
    started = time.perf_counter()
    for job in jobs:
        job.join()
    took = time.perf_counter() - started
    if way == "append_row":
        found = sorted(each["run_id"] for each in read_rows(log))
        if found != sorted(f"{writer}-{number}" for writer in range(writers) for number in range(rows)):
            sys.exit(f"WRONG: {len(found)} rows of {writers * rows}, or not those that were written")
        if log.read_bytes().count(b"timestamp,config_hash") != 1:
            sys.exit("WRONG: the header is not there once")
    return took


def show(name: str, measured: Sequence[float], what: str = "") -> None:
    """Print a median and its range."""
    print(f"{name:40} median {statistics.median(measured):6.3f} s ({min(measured):.3f} .. {max(measured):.3f}){what}")


def measure_appends(folder: Path, rounds: int, writers: int, rows: int, size: int) -> None:
    """Print what the writers took by each way, and the ratios to plain appends, round by round."""
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            took[way].append(seconds(way, folder / f"{way} {number}.csv", writers, rows, size))
            (folder / f"{way} {number}.csv").unlink()
    print(f"{writers} processes x {rows} rows of {size:,} bytes")
    for way, measured in took.items():
        show(way, measured, f", {writers * rows / statistics.median(measured):,.0f} rows a second")
    for way in list(WAYS)[1:]:
        ratios = [ours / plain for ours, plain in zip(took["append_row"], took[way], strict=True)]
        middle = statistics.median(ratios)
        print(f"{f'append_row / {way}':40} median {middle:6.2f} ({min(ratios):.2f} .. {max(ratios):.2f})")


def measure_long_log(folder: Path, rounds: int, rows: int) -> None:
    """Print what an append to a long log takes, and listing it by the command."""
    log = folder / "outputs" / "experiments.csv"
    log.parent.mkdir()
    log.write_bytes(content_of(cells_of(row(f"r{number}")) for number in range(rows)))
    lines = {"leadscore runs": [], "--sort-by auc": ["--sort-by", "auc"], "--sort-by brier": ["--sort-by", "brier"]}
    lines |= {"--limit 0": ["--limit", "0"], "--csv": ["--csv"], "--json": ["--json"]}
    appended: list[float] = []
    listed: dict[str, list[float]] = {name: [] for name in lines}
    for number in range(rounds):
        started = time.perf_counter()
        append_row(log, row(f"new {number}"))
        appended.append(time.perf_counter() - started)
        for name, words in lines.items():
            started = time.perf_counter()
            line = [sys.executable, "-m", "leadscore", "runs", *words]
            subprocess.run(line, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            listed[name].append(time.perf_counter() - started)
    print(f"a log of {rows:,} rows, {log.stat().st_size / 1e6:,.0f} MB")
    show("one append", appended, f", goal {GOAL_APPEND}")
    for name, measured in listed.items():
        show(name, measured, f", goal {GOAL_LIST:g}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--rows", type=int, default=200, help="a writer")
    parser.add_argument("--size", type=int, default=20_000, help="bytes of a note")
    parser.add_argument("--long", type=int, default=100_000, help="rows of the long log")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        measure_appends(Path(name), wanted.rounds, wanted.writers, wanted.rows, wanted.size)
        measure_long_log(Path(name), wanted.rounds, wanted.long)


if __name__ == "__main__":
    main()
