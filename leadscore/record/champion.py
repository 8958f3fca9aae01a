"""`champion.jsonl`: which run is champion, which was it when, and who put it there, why and on what evidence.

One row a promotion or rollback, under `tracking.root`, only ever appended: the last whole row is the champion, so the
pointer and its history cannot disagree. What a killed writer left of a row was never a promotion. A damaged line is
passed over with a warning where the answer does not depend on it, and refused where it does.
"""

import getpass
import json
import logging
import os
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leadscore.errors import RecordError
from leadscore.record.lines import append_json, appending
from leadscore.record.shelf import IDENTITY, MODEL
from leadscore.times import parse_instant

if TYPE_CHECKING:
    from leadscore.record.find import Run

__all__ = ["HISTORY", "Entry", "champion_at", "enter_promotion", "history", "no_champion", "rollback"]

log = logging.getLogger(__name__)

HISTORY = "champion.jsonl"


@dataclass(frozen=True)
class Entry:
    """A run became champion.

    Attributes
    ----------
    time : datetime
        UTC, later than that of every earlier entry.
    action : {"promote", "rollback"}
    run_id : str
        The champion from then on.
    folder : Path
        Where it lies. Kept relative to the root where it lies in the same project, so that a project can be moved.
    config_hash, identity : str or None
    who : str
        The user of the operating system, "unknown" where it knows none.
    why : str
    replaces : str or None
        The run_id of the champion before.
    previous : datetime or None
        The time of the entry that a rollback goes back to; None when there is none.
    verdict : dict or None
        `answer` and `sentence` of the comparison with the champion before; None for the first champion, for a
        rollback, and when they could not be compared at all.
    gate : list of dict
        `condition`, `passed` and `sentence` of each condition of a promotion.
    forced : bool
        Whether it was promoted although a condition failed.
    model_sha256 : str or None
        Of the manifest of its model at that time: what scores as champion is what was promoted. None where it could
        not be read, and in entries older than this field.
    """

    time: datetime
    action: Literal["promote", "rollback"]
    run_id: str
    folder: Path
    config_hash: str | None
    identity: str | None
    who: str
    why: str
    replaces: str | None
    previous: datetime | None
    verdict: dict[str, Any] | None
    gate: list[dict[str, Any]]
    forced: bool
    model_sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        previous = None if self.previous is None else _text(self.previous)
        return {**asdict(self), "time": _text(self.time), "folder": str(self.folder), "previous": previous}


def history(root: str | Path) -> list[Entry]:
    """Return the entries of a root, oldest first; a damaged line is passed over with a warning.

    Examples
    --------
    >>> history("no such folder")
    []
    """
    lines = _read(Path(root))
    for number, entry in lines:
        if entry is None:
            log.warning("%s, line %d is damaged; passed over", Path(root) / HISTORY, number)
    return [entry for _, entry in lines if entry is not None]


def champion_at(root: str | Path, instant: str | datetime | None = None) -> Entry | None:
    """Return the entry of the run that was champion at an instant, and None when no run was.

    Parameters
    ----------
    root : path
        The `tracking.root` under which it was promoted.
    instant : str or datetime, optional
        With a zone; a date alone is its first moment in UTC. Default: now.

    Raises
    ------
    RecordError
        When the line that would tell is damaged.

    Examples
    --------
    >>> champion_at("no such folder", "2026-05-01") is None
    True
    """
    at = parse_instant(instant) if isinstance(instant, str) else instant
    found = None
    damaged = 0
    for number, entry in _read(Path(root)):
        if entry is None:
            damaged = number
        elif at is None or entry.time <= at:
            found, damaged = entry, 0
        else:
            break
    if damaged:
        raise RecordError(
            f"{Path(root) / HISTORY}, line {damaged} is damaged, and it may say which run is asked for: nothing is "
            f"guessed. Bring the line back from a copy; or take it out, and the champion is the one of the line before"
        )
    return found


def rollback(root: str | Path = "outputs", why: str = "") -> Entry:
    """Make the champion of before champion again.

    Each rollback goes one champion further back and never forth again: after promoting a, b and c, the first makes b
    champion, the second a, and a third is refused. A run promoted after a rollback stands on the champion of then:
    after a, b, rollback and d, a rollback goes to a. Nothing is compared and no data are read.

    Parameters
    ----------
    root : path
        The `tracking.root` under which it was promoted.
    why : str

    Returns
    -------
    Entry
        The new last one.

    Raises
    ------
    RecordError
        When there was no champion before, its folder is gone, or the history is damaged or cannot be written.
    """
    root = Path(root)
    path = root / HISTORY
    if champion_at(root) is None:  # asked before a lock leaves its file in a folder that never had a champion
        raise no_champion([root])
    with appending(path) as file:
        now = champion_at(root)
        assert now is not None
        if now.previous is None:
            raise RecordError(f"run {now.run_id} is the first champion of {path}: there is none to go back to")
        target = next((entry for _, entry in _read(root) if entry is not None and entry.time == now.previous), None)
        if target is None:
            raise RecordError(
                f"{path}: the entry of {_text(now.previous)}, to which a rollback goes, is damaged or gone; "
                f"leadscore champion --history lists the others, and leadscore promote takes any run"
            )
        _check_there(target)
        entry = replace(
            target,
            time=_later_than(now),
            action="rollback",
            who=_who(),
            why=_clean(why),
            replaces=now.run_id,
            verdict=None,
            gate=[],
            forced=False,
        )
        append_json(file, _row(entry, root))
    return entry


def enter_promotion(
    root: Path,
    run: "Run",
    before: Entry | None,
    *,
    why: str,
    verdict: dict[str, Any] | None,
    gate: list[dict[str, Any]],
    forced: bool,
    model_sha256: str | None = None,
) -> Entry | None:
    """Append a promotion, unless another entry came after `before`; then return None, for it was judged on that.

    Raises
    ------
    RecordError
        When the history is damaged at its end, or cannot be locked or written.
    """
    with appending(root / HISTORY) as file:
        if champion_at(root) != before:
            return None
        entry = Entry(
            time=_later_than(before),
            action="promote",
            run_id=run.run_id,
            folder=run.folder,
            config_hash=run.identity.get("config_hash"),
            identity=run.identity.get("identity"),
            who=_who(),
            why=_clean(why),
            replaces=None if before is None else before.run_id,
            previous=None if before is None else before.time,
            verdict=verdict,
            gate=gate,
            forced=forced,
            model_sha256=model_sha256,
        )
        append_json(file, _row(entry, root))
    return entry


def no_champion(roots: "list[Path]") -> RecordError:
    """Return the error that there is none, and how there will be one."""
    where = ", ".join(str(root / HISTORY) for root in roots)
    return RecordError(f'there is no champion yet ({where}); leadscore promote RUN --why "..." makes a run champion')


def _read(root: Path) -> list[tuple[int, Entry | None]]:
    """Return each line's number and entry, None where it is damaged; what a writer has not finished is no line."""
    path = root / HISTORY
    try:
        *lines, unfinished = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None
    if _entry(unfinished, root) is not None:  # whole, and an editor took its newline away
        lines.append(unfinished)
    return [(number, _entry(line, root)) for number, line in enumerate(lines, 1) if line.strip()]


def _entry(line: bytes, root: Path) -> Entry | None:
    try:
        row = json.loads(line)
        texts = all(isinstance(row[name], str) for name in ("run_id", "who", "why"))
        if row["action"] not in ("promote", "rollback") or not texts:
            return None
        row["gate"] = [{name: each[name] for name in ("condition", "passed", "sentence")} for each in row["gate"]]
        row["verdict"] = row["verdict"] and {name: row["verdict"][name] for name in ("answer", "sentence")}
        row.setdefault("model_sha256", None)
        known = {field.name: row[field.name] for field in fields(Entry)}  # a later leadscore may write more
        known["time"] = parse_instant(row["time"])
        known["previous"] = None if row["previous"] is None else parse_instant(row["previous"])
        return Entry(**{**known, "folder": Path(os.path.normpath(root / row["folder"]))})
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _row(entry: Entry, root: Path) -> dict[str, Any]:
    """Return the line's values; a folder of the same project is written as seen from the root."""
    folder = Path(os.path.abspath(entry.folder))
    inside = folder.is_relative_to(Path(os.path.abspath(root)).parent)
    return {**entry.to_json(), "folder": os.path.relpath(folder, root) if inside else str(folder)}


def _check_there(entry: Entry) -> None:
    for needed in (Path(IDENTITY), Path(MODEL) / "manifest.json"):
        if not (entry.folder / needed).is_file():
            raise RecordError(
                f"run {entry.run_id}, to which a rollback goes, should lie in {entry.folder}, and there is no {needed} "
                f"there; bring the folder back, or promote another run"
            )


def _later_than(before: Entry | None) -> datetime:
    """Return the time now, or just after `before` where a clock was set back: order is what the history is for."""
    now = datetime.now(UTC)
    return now if before is None else max(now, before.time + timedelta(microseconds=1))


def _who() -> str:
    try:
        return _clean(getpass.getuser()) or "unknown"
    except (OSError, KeyError, ImportError):  # a container's user needs no name
        return "unknown"


def _clean(text: str) -> str:
    # Bytes of an argument that are no UTF-8 arrive as lone surrogates, which cannot be written.
    return text.strip().encode(errors="backslashreplace").decode()


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
