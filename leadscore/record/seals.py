"""Which period of a data set is sealed, frozen at its first use, and who has looked at it since.

`seals.json` has one date a data set; `looks.jsonl` one row a look, appended before its numbers are shown. Both lie
under `tracking.root`, beside the runs that they bind.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.config.schema import DataConfig, DemoData
from leadscore.errors import ConfigError, RecordError
from leadscore.record.lines import LOCK_SECONDS, append_json, appending, read_json_rows, write_whole
from leadscore.times import format_duration, parse_duration, parse_instant

__all__ = ["LOOKS", "SEALS", "FrozenSeal", "data_set", "find_seal", "freeze_seal", "looks_at", "record_look"]

SEALS, LOOKS = "seals.json", "looks.jsonl"


@dataclass(frozen=True)
class FrozenSeal:
    """A sealed period as it was frozen: `start` (UTC) and `length`."""

    start: datetime
    length: timedelta


def data_set(data: DataConfig) -> str:
    """Return what names the data set: it stays the same while the tables grow.

    Examples
    --------
    >>> data_set(DemoData(name="demo"))
    'demo (n_leads 6000, seed 23)'
    """
    return f"{data.name} (n_leads {data.n_leads}, seed {data.seed})" if isinstance(data, DemoData) else data.name


def find_seal(root: Path, name: str, length: timedelta) -> FrozenSeal | None:
    """Return the seal of a data set; None when none was frozen.

    Raises
    ------
    ConfigError
        When another length was frozen.
    RecordError
        When the file is damaged.
    """
    entry = _read(root / SEALS).get(name)
    return None if entry is None else _held_to(root / SEALS, name, entry, length)


def freeze_seal(root: Path, name: str, seal: FrozenSeal, run_id: str) -> FrozenSeal:
    """Freeze a data set's seal, unless it is frozen already, and return the frozen one.

    Raises
    ------
    ConfigError
        When another length was frozen.
    RecordError
        When the file is damaged, or cannot be locked or written.
    """
    path = root / SEALS
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
            seals = _read(path)
            if name not in seals:
                seals[name] = {
                    "start": seal.start.isoformat(),
                    "length": format_duration(seal.length),
                    "frozen": datetime.now(UTC).isoformat(timespec="seconds"),
                    "run_id": run_id,
                }
                _write(path, seals)
    except Timeout:
        raise RecordError(f"{path} stayed locked by another run for {LOCK_SECONDS} s") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}; tracking.root decides") from None
    return _held_to(path, name, seals[name], seal.length)


def _held_to(path: Path, name: str, entry: Mapping[str, str], length: timedelta) -> FrozenSeal:
    try:
        frozen = FrozenSeal(parse_instant(entry["start"]), parse_duration(entry["length"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: the seal of '{name}' cannot be read ({error})") from None
    if frozen.length != length:
        raise ConfigError(
            f"validation.seal {format_duration(length)}: data set '{name}' is sealed for "
            f"{format_duration(frozen.length)} from {frozen.start:%Y-%m-%d} since {entry.get('frozen')} ({path}); "
            f"keep validation.seal={format_duration(frozen.length)}"
        )
    return frozen


def record_look(root: Path, name: str, start: datetime, look: Mapping[str, Any]) -> int:
    """Append a look at a seal and return which one it is, from 1.

    Parameters
    ----------
    root : Path
    name : str
        The data set.
    start : datetime
        Of the seal.
    look : mapping
        Who looked and what was seen; JSON values.

    Raises
    ------
    RecordError
        When it cannot be written; then nothing may be shown.
    """
    with appending(root / LOOKS) as file:
        number = len(looks_at(root, name, start)) + 1
        when = datetime.now(UTC).isoformat(timespec="seconds")
        append_json(file, {"time": when, "data_set": name, "seal": start.isoformat(), "look": number, **look})
    return number


def looks_at(root: Path, name: str, start: datetime) -> list[dict[str, Any]]:
    """Return the looks at a seal so far, oldest first."""
    rows = read_json_rows(root / LOOKS)
    return [row for row in rows if (row.get("data_set"), row.get("seal")) == (name, start.isoformat())]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        seals = json.loads(path.read_text(encoding="utf-8"))["seals"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        # Nothing is frozen anew over it: a new date would open what was sealed.
        raise RecordError(f"{path} cannot be read ({error}): it says what is sealed, so no run goes on") from None
    if not isinstance(seals, dict):
        raise RecordError(f"{path} cannot be read (seals is no mapping): it says what is sealed, so no run goes on")
    return seals


def _write(path: Path, seals: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps({"version": 1, "seals": seals}, indent=2, ensure_ascii=False) + "\n").encode())
