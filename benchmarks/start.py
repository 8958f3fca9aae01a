"""How long a person waits: CPU seconds of `--help`, of a refused command, and of the demo run.

Goals: help under 0.5; the demo under 4 until its numbers are printed (`report=false` ends there).
"""

import statistics
import sys
import tempfile
from pathlib import Path

from overhead import cpu_seconds

ROUNDS = 5
COMMANDS = {
    "--help": ["--help"],
    "--cfg job": ["--cfg", "job"],
    "demo, numbers printed": ["model=lightgbm", "features=+sessions", "report=false"],
    "demo, with its report": ["model=lightgbm", "features=+sessions"],
}


def main() -> None:
    """Print the median of each command."""
    with tempfile.TemporaryDirectory() as folder:
        measured: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                line = [sys.executable, "-m", "leadscore.train", *arguments]
                measured[name].append(cpu_seconds(line, Path(folder))[0])
    for name, seconds in measured.items():
        print(f"{name:24} median {statistics.median(seconds):.2f} CPU s ({min(seconds):.2f} .. {max(seconds):.2f})")


if __name__ == "__main__":
    main()
