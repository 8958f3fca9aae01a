"""`leadscore runs rebuild`: the log, made anew from the run folders."""

from argparse import Namespace
from dataclasses import asdict

from leadscore.errors import examples
from leadscore.record.rebuild import Rebuilt
from leadscore.record.rebuild import rebuild as rebuild_log
from leadscore.verbs.say import say, say_json, say_pairs

__all__ = ["rebuild"]


def rebuild(arguments: Namespace) -> int:
    """Rebuild the first root's log; 1 when a folder could not be read."""
    done = rebuild_log(arguments.roots, drop_missing=arguments.drop_missing)
    if arguments.json:
        say_json({**asdict(done), "log": str(done.log), "before": None if done.before is None else str(done.before)})
    else:
        _say(done, arguments.drop_missing)
    return 1 if done.damaged else 0


def _say(done: Rebuilt, drop_missing: bool) -> None:
    say(f"{done.log}: {done.rows:,} {'row' if done.rows == 1 else 'rows'}")
    say_pairs(
        [
            ("added", _counted(done.added)),
            ("changed", _counted(done.changed)),
            ("without folder", _counted(done.kept, " kept as they were (--drop-missing drops them)")),
            ("dropped", _counted(done.dropped, " without a folder")),
            ("interrupted", _counted(len(done.interrupted), f" ({examples(done.interrupted)})")),
            ("at work", _counted(len(done.at_work), ", left to write their own rows")),
            ("damaged", "\n".join(done.damaged)),
            ("old log", done.before),
        ]
    )
    if drop_missing and done.damaged:
        say("nothing was dropped: a row without a folder may be that of a damaged one")


def _counted(n: int, what: str = "") -> str:
    return f"{n:,}{what}" if n else ""
