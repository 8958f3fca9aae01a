"""A process for a sweep's jobs that trains nothing: each override says what a job does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from leadscore.sweeps import worker


class Stub:
    def __init__(self, setup: worker.Setup, connection: Any) -> None:
        self.setup, self.connection, self.done = setup, connection, 0

    def do(self, order: worker.Order) -> tuple[str, float | None, str]:
        what, _, value = order.overrides[0].partition("=")
        if order.candidates and what != "again":
            return "known", None, next(iter(order.candidates.values()))
        folder = worker.claim(self.setup.folder, str(order.number))
        identity = {"run_id": f"run{order.number}", "status": "running", "started": "2024-05-01T00:00:00+00:00"}
        (folder / "identity.json").write_text(json.dumps(identity))
        self.connection.send(("started", folder))
        self.done += 1
        with worker.said_into(folder / worker.SAID):
            print(f"pid {os.getpid()}, job {self.done} of this process, {os.environ.get('OMP_NUM_THREADS')} threads")  # noqa: T201
            return getattr(self, what)(value)

    def work(self, seconds: str) -> tuple[str, float | None, str]:
        time.sleep(float(seconds or 0))
        return "done", 0.5, ""

    def fail(self, reason: str) -> tuple[str, float | None, str]:
        return "failed", None, reason

    def die(self, how: str) -> tuple[str, float | None, str]:
        if how.isdigit():
            os._exit(int(how))
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(30)
        return "done", None, ""

    def shout(self, megabytes: str) -> tuple[str, float | None, str]:
        for _ in range(int(megabytes)):
            print("x" * 1_000_000)  # noqa: T201
        subprocess.run(["echo", "a child speaks"], check=True)
        return "done", None, ""

    def grow(self, megabytes: str) -> tuple[str, float | None, str]:
        held = b"x" * (int(megabytes) * 1_000_000)
        time.sleep(30)
        return "done", float(len(held)), ""

    def children(self, file: str) -> tuple[str, float | None, str]:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(file).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(30)
        return "done", None, ""

    def fork(self, seconds: str) -> tuple[str, float | None, str]:
        if os.fork() == 0:  # it holds all that this process has open
            time.sleep(float(seconds))
            os._exit(0)
        os._exit(7)

    again = work


def main() -> None:
    worker.main(Stub)
