"""A copy of a run at Weights & Biases. The folder stays the truth; a copy that fails is written down and made later.

wandb runs in a process of its own (`record.wandb_push`), for no longer than `tracking.timeout`: its prompts, prints,
signals and service cannot reach the run, and what hangs is ended.
"""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadscore.config.schema import WandbTracking
from leadscore.errors import RecordError, did_you_mean
from leadscore.record.find import Run
from leadscore.record.shelf import CONFIG, MIRRORS, write_json
from leadscore.times import parse_duration

__all__ = ["WANDB", "Mirrored", "copy_to_wandb", "mirror", "mode_of", "settings_of", "told_of", "waits"]

log = logging.getLogger(__name__)

WANDB = "wandb"  # the tracker's name, and its key in mirrors.json
MODES = {
    "online": "online",
    "offline": "offline",
    "disabled": "disabled",
    "run": "online",  # what older wandb called them
    "shared": "online",
    "dryrun": "offline",
}
WANTED = ("offline", "disabled")  # reasons for no copy that are no failure
LONGEST_REASON = 300
# Of a process that may have run in this one's place: they would lead the copy into another run.
NOT_HANDED_ON = ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_SERVICE", "WANDB_RUN_DIR", "WANDB_CONSOLE")
SECRETS = ("WANDB_API_KEY",)


@dataclass(frozen=True)
class Mirrored:
    """What became of one copy, as `mirrors.json` has it.

    Attributes
    ----------
    synced : bool
        Whether the copy is there.
    mode : str
        online, offline or disabled.
    reason : str or None
        Why it is not there; the mode, where that is what was asked for.
    attempts : int
    time : str
    url : str or None
    of_run : bool
        The reason lies in this run's folder: another run's copy may succeed.
    """

    synced: bool
    mode: str
    reason: str | None
    attempts: int
    time: str
    url: str | None = None
    of_run: bool = False

    @property
    def failed(self) -> bool:
        """Whether a copy was wanted and is not there."""
        return not self.synced and self.reason not in WANTED


def mode_of(settings: WandbTracking) -> str:
    """Return online, offline or disabled: what the config says, else WANDB_MODE, else online.

    Raises
    ------
    RecordError
        When WANDB_MODE is none of wandb's words.
    """
    if settings.mode is not None:
        return settings.mode
    word = os.environ.get("WANDB_MODE") or "online"
    if word not in MODES:
        raise RecordError(f"WANDB_MODE={word} is no mode of wandb. {did_you_mean(word, MODES)}")
    return MODES[word]


def settings_of(run: Run) -> WandbTracking:
    """Return the settings that a run recorded; keys that came later have their defaults."""
    recorded = run.config.get("tracking", {})
    known = {each.name for each in fields(WandbTracking)}
    return WandbTracking(**{key: value for key, value in recorded.items() if key in known})


def copy_to_wandb(folder: Path, settings: WandbTracking) -> None:
    """Copy a finished run, the last act of its command; a failure is one warning.

    Raises
    ------
    RecordError
        When the copy fails and `tracking.required` makes it a must. Everything of the run is written by then.
    """
    done = mirror(folder, settings)
    if done.failed:
        waiting = sum(waits(each.parent) for each in folder.parent.glob(f"*/{MIRRORS}"))
        these = "1 run" if waiting == 1 else f"{waiting} runs"
        sentence = (
            f"Weights & Biases has no copy of this run: {done.reason}. The run itself is complete; {these} in "
            f"{folder.parent} without a copy: leadscore runs sync --root {folder.parent}"
        )
        if settings.required:
            raise RecordError(f"{sentence} (tracking.required=true makes this an error)")
        log.warning("%s", sentence)
    elif done.synced:
        log.info("copied to %s", done.url)
    else:
        log.info("no copy at Weights & Biases: %s", done.mode)


def mirror(folder: Path, settings: WandbTracking, *, mode: str | None = None) -> Mirrored:
    """Copy a finished run from its folder, and write into `mirrors.json` what became of it. Never raises for wandb.

    Parameters
    ----------
    folder : Path
        Complete. Copying it twice makes one copy: the copy's id is the run's.
    settings : WandbTracking
    mode : str, optional
        Instead of the settings'.
    """
    mode = mode or mode_of(settings)
    answer = {"error": "disabled"} if mode == "disabled" else _pushed(folder.absolute(), settings, mode)
    if mode == "offline" and "error" not in answer:
        answer = {"error": "offline"}
    done = Mirrored(
        synced="error" not in answer,
        mode=mode,
        reason=None if "error" not in answer else _plain(answer["error"]),
        attempts=(told_of(folder) or {}).get("attempts", 0) + 1,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        url=answer.get("url"),
        of_run=bool(answer.get("of_run")),
    )
    told = {key: value for key, value in asdict(done).items() if key != "of_run"}
    try:
        write_json(folder / MIRRORS, {**_mirrors(folder), WANDB: told})
    except RecordError as error:
        log.warning("%s", error)
    return done


def told_of(folder: Path) -> dict[str, Any] | None:
    """Return what `mirrors.json` says of the copy at Weights & Biases; None when nothing was tried."""
    told = _mirrors(folder).get(WANDB)
    return told if isinstance(told, dict) else None


def waits(folder: Path) -> bool:
    """Whether a run's folder wants a copy and has none: it failed, is only offline, or was killed before it."""
    told = told_of(folder)
    if told is not None:
        return not told.get("synced") and told.get("mode") != "disabled"
    return any(re.search(r"^  name: wandb$", text, re.MULTILINE) for text in _texts(folder / CONFIG))


def _texts(path: Path) -> Iterator[str]:
    with suppress(OSError):
        yield path.read_text(encoding="utf-8")


def _mirrors(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / MIRRORS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or damaged: the copy is made again, under the same id
        return {}
    return told if isinstance(told, dict) else {}


# --- the process ------------------------------------------------------------------------------------------


def _pushed(folder: Path, settings: WandbTracking, mode: str) -> dict[str, Any]:
    """Return the other process's answer, or an `error` when it gave none in time."""
    seconds = parse_duration(settings.timeout).total_seconds()
    try:
        with tempfile.TemporaryDirectory(prefix="leadscore-wandb-", ignore_cleanup_errors=True) as scratch:
            asked = {
                "folder": str(folder),
                "answer": str(Path(scratch, "answer.json")),
                "root": str(Path(settings.root).absolute()),
                "mode": mode,
                "init_timeout": 0.7 * seconds,  # so that it says what it waited for, before it is ended
                "patience": 0.3 * seconds,
                **{name: getattr(settings, name) for name in ("project", "entity", "tags", "predictions", "hash_ids")},
            }
            request = Path(scratch, "asked.json")
            request.write_text(json.dumps(asked), encoding="utf-8")
            line = [sys.executable, "-P", "-m", "leadscore.record.wandb_push", str(request)]
            said = Path(scratch, "said")
            ended = _run(line, _environment(folder, Path(scratch), mode), said, seconds)
            if Path(asked["answer"]).is_file():
                answer: dict[str, Any] = json.loads(Path(asked["answer"]).read_text(encoding="utf-8"))
                return answer
            if ended is None:
                return {"error": f"no answer within {settings.timeout} (tracking.timeout decides)"}
            last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            return {"error": f"its process ended with status {ended}" + (f": {last[0]}" if last else "")}
    except (OSError, ValueError) as error:
        return {"error": f"its process cannot be started: {error}"}


def _run(line: list[str], environment: Mapping[str, str], said: Path, seconds: float) -> int | None:
    """Run a command without a terminal to ask at, and end it with all that it started; None when it was not done."""
    with said.open("wb") as output:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # nor does Ctrl-C at the run's terminal reach it unordered
        )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its children; wandb's service sits in a session of its own and also leaves by itself."""
    children: list[int] = []
    with suppress(OSError):  # only Linux tells
        told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        children = [int(pid) for pid in told.split()]
    for pid in (process.pid, *children):
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    process.wait()


def _environment(folder: Path, scratch: Path, mode: str) -> dict[str, str]:
    """Return the user's variables, and for wandb's own files the run's folder (offline) or one that goes (online)."""
    given = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    if mode == "offline":
        given = {name: value for name, value in given.items() if name not in SECRETS}
    kept = folder if mode == "offline" else scratch
    ours = {
        "WANDB_DIR": str(kept),
        "WANDB_DATA_DIR": str(kept / WANDB / "data"),
        "WANDB_CACHE_DIR": str(scratch / "cache"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
    }
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [package, given.get("PYTHONPATH", "")]))
    return {**ours, **given, "PYTHONPATH": paths}


def _plain(reason: str) -> str:
    """Return a reason on one line, without what it may quote of a key or of a password in an address."""
    text = " ".join(reason.split())
    for value in filter(None, (os.environ.get(name) for name in SECRETS)):
        text = text.replace(value, "***")
    text = re.sub(r"//[^/@\s]+@", "//***@", text)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."
