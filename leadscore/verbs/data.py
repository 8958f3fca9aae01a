"""`leadscore data cache`: what is kept on disk of prepared data, how large it is, and throwing it away."""

import re
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadscore.config.command import quoted_note
from leadscore.errors import ConfigError, did_you_mean, raise_all
from leadscore.pipeline import compose
from leadscore.store import open_store
from leadscore.times import parse_duration
from leadscore.verbs.say import say, say_json, say_table

if TYPE_CHECKING:
    from leadscore.store import Entry, Store

__all__ = ["cache", "parse_size", "spoken_size"]

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
ORDER = ("TB", "GB", "MB", "KB")


def cache(arguments: Namespace) -> int:
    """List or prune the cache."""
    config = compose([quoted_note(override) for override in arguments.overrides], config_dir=arguments.config_dir)
    wanted = _wanted(arguments)
    store = open_store(config.compute)
    if store is None or store.root is None:
        if arguments.json:
            say_json({"folder": None, "limit": None, "entries": [], "size": 0})
        else:
            say("nothing is kept: compute.cache=false" if store is None else store.notes[-1])
        return 0
    if arguments.prune:
        return _prune(store, wanted, arguments)
    entries = [entry for entry in store.entries() if arguments.kind in (None, entry.kind)]
    if arguments.json:
        say_json(
            {
                "folder": str(store.root),
                "limit": store.limit,
                "size": sum(entry.size for entry in entries),
                "entries": [_json(entry) for entry in entries],
            }
        )
        return 0
    if not entries:
        say(f"nothing is kept{f' of the kind {arguments.kind}' if arguments.kind else ''} in {store.root}")
        return 0
    _table(entries)
    say()
    size = spoken_size(sum(entry.size for entry in entries))
    limit = f"at most {spoken_size(store.limit)} (compute.cache_limit_gb)"
    say(f"{_counted(len(entries))}, {size} of {limit}, in {store.root}")
    return 0


def _prune(store: "Store", wanted: dict[str, Any], arguments: Namespace) -> int:
    kinds = {entry.kind for entry in store.entries()}
    if arguments.kind is not None and kinds and arguments.kind not in kinds:
        raise ConfigError(
            f"--kind {arguments.kind}: nothing of it is kept. {did_you_mean(arguments.kind, kinds, 'Kept')}"
        )
    gone = store.prune(**wanted)
    left = store.entries()
    if arguments.json:
        say_json(
            {
                "folder": str(store.root),
                "removed": [_json(entry) for entry in gone],
                "freed": sum(entry.size for entry in gone),
                "size": sum(entry.size for entry in left),
            }
        )
        return 0
    if gone:
        _table(gone)
        say()
    freed, rest = spoken_size(sum(entry.size for entry in gone)), spoken_size(sum(entry.size for entry in left))
    say(f"removed {_counted(len(gone))}, {freed}; {_counted(len(left))}, {rest}, left in {store.root}")
    return 0


def _wanted(arguments: Namespace) -> dict[str, Any]:
    """Return what to prune, as the store takes it."""
    wanted: dict[str, Any] = {}
    chosen = [flag for flag in ("older_than", "limit", "all") if getattr(arguments, flag)]
    problems = []
    if chosen and not arguments.prune:
        problems.append(f"--{chosen[0].replace('_', '-')}: says what to remove, so it needs --prune")
    if arguments.prune and not chosen and not arguments.kind:
        problems.append("--prune: of what? --older-than 30d, --limit 5GB, --kind KIND or --all")
    if arguments.all and (len(chosen) > 1 or arguments.kind):
        problems.append("--all: removes everything, so nothing else can be said beside it")
    if arguments.older_than:
        try:
            wanted["unused_for"] = parse_duration(arguments.older_than)
        except ValueError as error:
            problems.append(f"--older-than: {error}")
    if arguments.limit:
        try:
            wanted["limit"] = parse_size(arguments.limit)
        except ValueError as error:
            problems.append(f"--limit: {error}")
    if arguments.kind:
        wanted["kind"] = arguments.kind
    raise_all(ConfigError, problems)
    return wanted


def parse_size(text: str) -> int:
    """Return the number of bytes that a text names, in powers of a thousand.

    Examples
    --------
    >>> parse_size("5GB"), parse_size("1.5 MB"), parse_size("0")
    (5000000000, 1500000, 0)
    >>> parse_size("5 apples")
    Traceback (most recent call last):
    ValueError: '5 apples' is not a size: write a number and a unit (B, KB, MB, GB, TB), as in 5GB
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", text.strip().upper())
    if match is None:
        raise ValueError(f"{text!r} is not a size: write a number and a unit (B, KB, MB, GB, TB), as in 5GB")
    return int(float(match[1]) * UNITS[match[2] or "B"])


def spoken_size(size: int) -> str:
    """Return a number of bytes as people say it.

    Examples
    --------
    >>> spoken_size(999), spoken_size(1_500_000), spoken_size(20_000_000_000)
    ('999 B', '1.5 MB', '20 GB')
    """
    for unit in ORDER:
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:.3g} {unit}"
    return f"{size} B"


def _table(entries: "list[Entry]") -> None:
    now = datetime.now(UTC)
    say_table(
        ("what", "kind", "size", "last used", "key"),
        [
            (entry.what or "-", entry.kind, spoken_size(entry.size), _ago(now - entry.used), entry.key[:8])
            for entry in entries
        ],
        whole=("kind", "size", "last used", "key"),
        right=("size",),
    )


def _ago(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            n = int(seconds // size)
            return f"{n:,} {unit}{'s' if n > 1 else ''} ago"
    return "just now"


def _counted(n: int) -> str:
    return f"{n:,} {'entry' if n == 1 else 'entries'}"


def _json(entry: "Entry") -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "key": entry.key,
        "what": entry.what,
        "size": entry.size,
        "used": entry.used.isoformat(),
        "made": entry.made.isoformat(),
    }
