"""What a recorded, checked run costs beside a bare script: CPU seconds, interleaved, as a ratio.

The demo leads are written to CSV once; both then read the same files, make the same thirteen columns, fit the
same trees and measure. Goal: at most 1.3.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from leadscore import compose
from leadscore.data import load_tables

ROUNDS = 7
HERE = Path(__file__).parent
CONFIG = """\
defaults: [/schema/data/files@_here_, _self_]
name: exported
timezone: UTC
statuses: {trial: open, paid: converted, canceled: closed, expired: closed, declined: closed}
known_at_creation: {country: category, source: category, plan: category, company_size: number}
leads: {path: leads.csv}
events: {path: events.csv, columns: {user_id: user_id}}
"""


def export(folder: Path) -> None:
    """Write the demo's tables as a company might have them."""
    tables = load_tables(compose().data)
    tables.leads.to_csv(folder / "leads.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    columns = ["user_id", "timestamp", "event_type", "ingested_at"]
    tables.events[columns].to_csv(folder / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    (folder / "conf" / "data").mkdir(parents=True)
    (folder / "conf" / "data" / "exported.yaml").write_text(CONFIG)


def cpu_seconds(line: list[str], cwd: Path) -> tuple[float, str]:
    """Run a process to its end; return its CPU seconds, user and system, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> None:
    """Print both medians and the ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(folder)
        run = [sys.executable, "-m", "leadscore.train", "--config-dir", "conf", "data=exported", f"data.dir={folder}"]
        run += ["model=lightgbm", "features=+sessions", "report=false"]
        bare = [sys.executable, str(HERE / "bare_script.py"), str(folder)]
        _, said = cpu_seconds(bare, folder)
        cpu_seconds(run, folder)
        (metrics,) = folder.glob("outputs/*/*/metrics.json")
        recorded = json.loads(metrics.read_text())
        print("bare script:", said.strip().replace("\n", "; "))
        print("leadscore:  ", recorded["rows"], {name: round(value, 4) for name, value in recorded["metrics"].items()})
        pairs = [(cpu_seconds(run, folder)[0], cpu_seconds(bare, folder)[0]) for _ in range(ROUNDS)]
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        for label, column in (("leadscore", 0), ("bare script", 1)):
            seconds = [pair[column] for pair in pairs]
            print(
                f"{label:12} median {statistics.median(seconds):.2f} CPU s ({min(seconds):.2f} .. {max(seconds):.2f})"
            )
        print(f"ratio        median {statistics.median(ratios):.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f}), goal 1.3")


if __name__ == "__main__":
    main()
