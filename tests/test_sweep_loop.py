"""Jobs and processes: whoever dies, hangs, grows, shouts or is stopped, the others' results stay."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadscore.config.sweeps import SweepConfig
from leadscore.errors import LeadscoreError
from leadscore.pipeline import compose
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.known import Recorded
from leadscore.sweeps.loop import Loop
from leadscore.sweeps.process import Process
from leadscore.sweeps.progress import Progress
from leadscore.sweeps.worker import SAID, Setup

TESTS = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def config() -> Any:
    return compose(["tracking=none"])


@pytest.fixture
def work(config, tmp_path, monkeypatch):
    """Do jobs, each told by a word, `at_once` at a time."""
    monkeypatch.setattr(sys, "path", [TESTS, *sys.path])

    def do(*words: str, at_once: int = 1, module: str = "sweep_stub", same: bool = False, **settings: Any) -> Loop:
        from dataclasses import replace

        made = replace(config, sweep=SweepConfig(**settings), tracking=replace(config.tracking, root=str(tmp_path)))
        jobs = [
            Job(number, (word,), made, {"config_hash": "same" if same else str(number)})
            for number, word in enumerate(words)
        ]
        recorded = Recorded()

        def ended(job: Job) -> None:
            if job.status == "done":
                job.run_id = f"run{job.number}"
                recorded.add({**job.named, "identity": "i", "run_id": job.run_id})

        processes: list[Process] = []
        with Progress(jobs, {}) as progress:
            loop = Loop(jobs, processes, lambda: Process(setup, 2, module), at_once, recorded, progress, ended)
            try:
                loop.run()
            finally:
                for process in processes:
                    process.close()
        return loop

    setup = Setup(None, None, tmp_path)
    return do


def statuses(loop: Loop) -> list[str]:
    return [job.status for job in loop.jobs]


def said(loop: Loop, number: int) -> str:
    folder = loop.jobs[number].folder
    assert folder is not None
    return (folder / SAID).read_text()


def later(seconds: float, do: Callable[[], object]) -> None:
    threading.Timer(seconds, do).start()


def test_a_process_takes_one_job_after_the_other_with_its_share_of_the_cores(work):
    loop = work("work", "work", "work")
    assert statuses(loop) == ["done"] * 3
    assert [said(loop, n).split(", ")[1] for n in range(3)] == [f"job {n} of this process" for n in (1, 2, 3)]
    assert said(loop, 0).endswith("2 threads\n")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("SIGKILL", "its process was killed by SIGKILL: out of memory, or kill -9"),
        ("SIGSEGV", "its process was killed by SIGSEGV"),
        ("3", "its process left with exit status 3"),
    ],
)
def test_a_killed_process_costs_its_job_and_no_other(work, capsys, how, reason):
    loop = work("work", f"die={how}", "work", "work")
    assert statuses(loop) == ["done", "interrupted", "done", "done"]
    assert loop.jobs[1].reason == reason
    assert f"leadscore: job 1 interrupted: {reason}" in capsys.readouterr().err
    left = json.loads((loop.jobs[1].folder / "identity.json").read_text())
    assert (left["status"], left["error"]) == ("interrupted", reason)


def test_a_process_is_missed_even_if_a_child_of_its_holds_its_connection(work):
    started = time.monotonic()
    loop = work("fork=60", "work")
    assert statuses(loop) == ["interrupted", "done"]
    assert loop.jobs[0].reason == "its process left with exit status 7"
    assert time.monotonic() - started < 20


def test_a_job_that_takes_too_long_or_too_much_is_killed_and_said_to_have_failed(work):
    loop = work("work=30", "grow=300", "work", at_once=3, timeout="1s", memory_gb=0.2)
    assert statuses(loop) == ["failed", "failed", "done"]
    assert loop.jobs[0].reason == "took longer than sweep.timeout=1s"
    assert loop.jobs[1].reason.startswith("took 0.")
    assert loop.jobs[1].reason.endswith("GB, more than sweep.memory_gb=0.2")
    assert json.loads((loop.jobs[0].folder / "identity.json").read_text())["status"] == "failed"


def test_what_a_job_has_started_ends_with_it(work, tmp_path):
    work(f"children={tmp_path / 'pids'}", timeout="2s")
    for pid in (tmp_path / "pids").read_text().split():
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and Path(f"/proc/{pid}/status").exists():
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                break
            time.sleep(0.05)
        else:
            assert not Path(f"/proc/{pid}").exists()


def test_megabytes_and_what_children_say_go_to_the_jobs_own_file(work, capfd):
    loop = work("shout=5")
    assert statuses(loop) == ["done"]
    assert len(said(loop, 0)) > 5_000_000
    assert "a child speaks" in said(loop, 0)
    out, err = capfd.readouterr()
    assert len(out + err) < 200


def test_after_a_failure_the_others_go_on_unless_fail_fast_says_no(work):
    assert statuses(work("fail=why", "work", "work")) == ["failed", "done", "done"]
    assert statuses(work("work", "fail=why", "work", fail_fast=True)) == ["done", "failed", "waiting"]


def test_twins_are_not_run_at_the_same_time_and_the_second_is_known_by_then(work):
    loop = work("work=0.3", "work", at_once=2, same=True)
    assert statuses(loop) == ["done", "known"]
    assert loop.jobs[1].run_id == "run0"
    assert statuses(work("work", "again", same=True, rerun=True)) == ["done", "done"]


def test_ctrl_c_once_lets_the_running_job_end_and_starts_no_other(work, capsys):
    later(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    loop = work("work=2", "work")
    assert statuses(loop) == ["done", "waiting"]
    assert loop.signal == signal.SIGINT
    assert "finishing 1 running; Ctrl-C again stops now" in capsys.readouterr().err


@pytest.mark.parametrize("numbers", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]])
def test_ctrl_c_twice_and_sigterm_stop_now(work, numbers):
    for at, number in enumerate(numbers):
        later(1.0 + 0.3 * at, lambda number=number: os.kill(os.getpid(), number))
    started = time.monotonic()
    loop = work("work=30", "work")
    assert time.monotonic() - started < 10
    assert statuses(loop) == ["cancelled", "waiting"]
    assert json.loads((loop.jobs[0].folder / "identity.json").read_text())["status"] == "cancelled"


def test_a_process_that_cannot_start_ends_the_sweep_and_says_why(work):
    with pytest.raises(LeadscoreError, match=r"exit status 1; it said: (.|\n)*No module named 'absent'"):
        work("work", module="absent")


def test_jobs_of_the_same_data_go_to_the_process_that_has_them(config):
    from dataclasses import replace

    def job(number: int, seed: int, **config_parts: Any) -> Job:
        data = replace(config.data, seed=seed)
        return Job(number, (), replace(config, data=data, **config_parts), {"config_hash": str(number)})

    done, running = job(0, seed=1), job(1, seed=2)
    waiting = [job(2, seed=2), job(3, seed=3), job(4, seed=1)]
    loop = Loop([], [], lambda: None, 2, Recorded(), None, print)  # type: ignore[arg-type, return-value]
    loop.processes = [SimpleNamespace(job=running)]  # type: ignore[list-item]
    choose = lambda last: loop._choose(SimpleNamespace(last=last), waiting).number  # type: ignore[arg-type, union-attr]  # noqa: E731
    assert choose(done) == 4
    assert choose(None) == 3  # nobody is at its data
    waiting.pop(1)
    assert choose(None) == 4
    waiting.pop()
    assert choose(None) == 2
