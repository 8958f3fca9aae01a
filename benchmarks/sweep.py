"""What a sweep costs beside what its jobs must cost, and beside plain Hydra around a bare script: CPU seconds.

- 24 jobs of 2 models, 3 feature sets, 2 horizons and 2 seeds over a log read from CSV, against the sum of one
  preparation, one feature build for each horizon, and the 24 fits (each with its metrics, intervals and explanations)
  done in one process. Goal: at most 1.25.
- What one more job costs beside its fit when its features are known: two sweeps of different lengths. Goal: 0.5 s.
- The same fits by plain Hydra around `bare_script.py`, which checks, records and explains nothing.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leadscore import compose
from leadscore.data import load_tables
from leadscore.memory import Memory
from leadscore.pipeline import add_features, walk_to_folds
from leadscore.training import train_model

sys.path.insert(0, str(Path(__file__).parent))
from overhead import CONFIG

HERE = Path(__file__).parent
GRID = ["model=logistic,lightgbm", "features=base,+sessions,+sessions+recency", "window.horizon=30d,60d", "seed=1,2"]
SHORT, LONG, AGAIN = 2, 10, 3  # seeds of a short and of a long sweep, and how often both are measured


def export(folder: Path, leads: int) -> int:
    """Write a simulated log as a company might have it; return its events."""
    tables = load_tables(compose([f"data.n_leads={leads}"]).data)
    tables.leads.to_csv(folder / "leads.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    columns = ["user_id", "timestamp", "event_type", "ingested_at"]
    tables.events[columns].to_csv(folder / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    (folder / "conf" / "data").mkdir(parents=True)
    (folder / "conf" / "data" / "exported.yaml").write_text(CONFIG)
    return len(tables.events)


@contextmanager
def fresh_cache(folder: Path) -> Iterator[None]:
    """Let nothing be known yet."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        os.environ["XDG_CACHE_HOME"] = name
        yield


def cpu_of(line: list[str], cwd: Path) -> float:
    """Run a command to its end; return its CPU seconds, its processes' among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sweep(folder: Path, *words: str) -> float:
    """Return the CPU seconds of a sweep over the exported log, in a directory where nothing is known."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        flags = ["-m", "--config-dir", str(folder / "conf")]
        data = ["data=exported", f"data.dir={folder}"]
        return cpu_of([sys.executable, "-m", "leadscore.train", *flags, *data, *words], Path(home))


def least(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of all that the 24 jobs need, in one process: preparing and features, and the fits."""

    def config(*words: str):
        return compose(["data=exported", f"data.dir={folder}", *words], config_dir=folder / "conf")

    memory, prepared, fits = Memory(), 0.0, 0.0
    for horizon in ("30d", "60d"):
        for features in ("+sessions+recency", "+sessions", "base"):
            started = time.process_time()
            asked = [f"window.horizon={horizon}", f"features={features}"]
            dataset = add_features(walk_to_folds(config(*asked), memory=memory))
            prepared += time.process_time() - started
            for model in ("logistic", "lightgbm"):
                for seed in (1, 2):
                    one = config(*asked, f"model={model}", f"seed={seed}")
                    started = time.process_time()
                    train_model(dataset, one)
                    fits += time.process_time() - started
    return prepared, fits


def fit_of(folder: Path) -> float:
    """Return the CPU seconds of one fit with its metrics, intervals and explanations, warm."""
    asked = ["data=exported", f"data.dir={folder}", "model=lightgbm", "features=+sessions"]
    config = compose(asked, config_dir=folder / "conf")
    dataset = add_features(walk_to_folds(config))
    train_model(dataset, config)
    started = time.process_time()
    train_model(dataset, config)
    return time.process_time() - started


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=18_500, help="54 events each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=[], help="interpreters with MLflow, for a loop that logs to it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = export(folder, arguments.leads)
        print(f"{events:,} events, {arguments.leads:,} leads")
        for number in range(arguments.rounds):
            print(f"round {number + 1}")
            report(folder, arguments.peers)


def report(folder: Path, peers: list[str]) -> None:
    """Measure everything once, one after the other."""
    with fresh_cache(folder):
        prepared, fits = least(folder)
    print(f"  24 jobs need      {prepared + fits:6.1f} CPU s ({prepared:.1f} to prepare and build, {fits:.1f} to fit)")
    for launcher in ("sequential", "parallel"):
        with fresh_cache(folder):
            took = sweep(folder, *GRID, f"hydra/launcher={launcher}")
        print(f"  {launcher:17} {took:6.1f} CPU s, {took / (prepared + fits):.2f} times; goal 1.25")
    with fresh_cache(folder):
        words = ["model=lightgbm", "features=+sessions"]
        sweep(folder, *words, "seed=0")
        beside, longs = [], []
        for _ in range(AGAIN):
            short = sweep(folder, *words, f"seed=range({SHORT})")
            fit = fit_of(folder)
            long = sweep(folder, *words, f"seed=range({LONG})")
            beside.append((long - short) / (LONG - SHORT) - fit)
            longs.append(long)
    long = statistics.median(longs)
    shown = ", ".join(f"{each:.2f}" for each in sorted(beside))
    print(f"  one more job      {statistics.median(beside):6.2f} CPU s beside its fit of {fit:.2f} ({shown}); goal 0.5")
    line = [sys.executable, str(HERE / "hydra_script.py"), "-m", f"folder={folder}", f"seed=range({LONG})"]
    with tempfile.TemporaryDirectory(dir=folder) as home:
        plain = cpu_of(line, Path(home))
    print(
        f"  {LONG} seeds          {long:6.1f} CPU s, {long / plain:.2f} times plain Hydra's with a script, {plain:.1f}"
    )
    for peer in peers:
        with tempfile.TemporaryDirectory(dir=folder) as home:
            took = cpu_of([peer, str(HERE / "mlflow_script.py"), str(folder), str(LONG)], Path(home))
        print(f"  a loop with MLflow {took:5.1f} CPU s: {long / took:.2f} times")


if __name__ == "__main__":
    main()
