"""`leadscore promote`, `rollback`, `champion`: which run is in charge, who decided that, and on what evidence."""

import logging
from argparse import Namespace
from pathlib import Path
from typing import Any

from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.champion import HISTORY, Entry, champion_at, history, no_champion
from leadscore.record.champion import rollback as roll_back
from leadscore.record.find import Run, open_run, run_of
from leadscore.verbs.say import say, say_json, say_pairs, say_table

__all__ = ["champion", "promote", "rollback"]

log = logging.getLogger(__name__)


def promote(arguments: Namespace) -> int:
    """Make a run champion, when the gate lets it."""
    from leadscore import promotion

    run = open_run(arguments.names[0], arguments.roots)
    entry = promotion.promote(
        run,
        arguments.why,
        root=arguments.tracking_root,
        force=arguments.force,
        plugins=arguments.plugin or (),
        data_dir=arguments.data_dir,
    )
    _say_change(entry, arguments)
    return 0


def rollback(arguments: Namespace) -> int:
    """Make the champion of before champion again."""
    _say_change(roll_back(arguments.tracking_root, arguments.why or ""), arguments)
    return 0


def champion(arguments: Namespace) -> int:
    """Show the champion of now or of an instant, or all there were."""
    root = Path(arguments.tracking_root)
    if arguments.history:
        entries = history(root)
        if arguments.json:
            say_json([entry.to_json() for entry in entries])
        else:
            _say_history(entries, root)
        return 0
    entry = champion_at(root, arguments.at)
    if entry is None:
        raise _none_then(root, arguments)
    run = _run_of(entry)
    if arguments.json:
        say_json({**entry.to_json(), **_figures(run)})
    else:
        _say(entry, run)
    return 0


def _none_then(root: Path, arguments: Namespace) -> RecordError:
    entries = history(root)
    if not entries:
        return no_champion([root])
    first = entries[0]
    return RecordError(
        f"there was no champion at {_minute(arguments.at)}: the first one, {first.run_id}, was promoted at "
        f"{_minute(first.time)}"
    )


def _run_of(entry: Entry) -> Run | None:
    """Return the champion's run; when its folder is gone the history still has something to say."""
    try:
        return run_of(entry)
    except RecordError as error:
        log.warning("%s", error)
        return None


def _figures(run: Run | None) -> dict[str, Any]:
    """Return model, features and the main metrics of a run; {} where they cannot be read."""
    if run is None:
        return {}
    try:
        return {
            "model": run.config["model"]["name"],
            "features": sorted(run.config["features"]),
            "metrics": run.metrics["metrics"],
            "intervals": run.metrics.get("intervals", {}),
        }
    except (LeadscoreError, ValueError, KeyError) as error:
        log.warning("run %s: its figures cannot be read (%s)", run.run_id, error)
        return {}


def _say(entry: Entry, run: Run | None) -> None:
    facts = _figures(run)
    features = facts.get("features", [])
    say_pairs(
        [
            ("champion", entry.run_id),
            ("config", str(entry.config_hash or "")[:8]),
            ("identity", str(entry.identity or "")[:8]),
            ("folder", entry.folder if run is not None else f"{entry.folder}, where it is no more"),
            ("model", facts.get("model")),
            ("features", f"{len(features)}: {', '.join(features)}" if features else ""),
            *_metrics(facts),
            ("since", f"{_minute(entry.time)}, {_by(entry)}"),
            ("why", entry.why),
            ("replaced", entry.replaces or "nothing: it was the first"),
            *_evidence(entry),
        ]
    )


def _metrics(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the ROC AUC, and what else is measured, with intervals."""
    from leadscore.evaluate import METRICS

    values, sure = facts.get("metrics", {}), facts.get("intervals", {})
    return [
        (metric.title, f"{values[name]:.3f} {_interval(sure.get(name))}".rstrip())
        for name, metric in METRICS.items()
        if values.get(name) is not None
    ]


def _interval(interval: dict[str, Any] | None) -> str:
    if not interval or interval.get("low") is None:
        return ""
    return f"[{interval['low']:.3f}, {interval['high']:.3f}]"


def _evidence(entry: Entry) -> list[tuple[str, str]]:
    forced = [outcome for outcome in entry.gate if not outcome["passed"]] if entry.forced else []
    return [
        ("verdict", entry.verdict["sentence"] if entry.verdict else ""),
        ("forced past", "\n".join(f"{outcome['condition']}: {outcome['sentence']}" for outcome in forced)),
    ]


def _say_change(entry: Entry, arguments: Namespace) -> None:
    if arguments.json:
        say_json(entry.to_json())
        return
    done = {"promote": "promoted", "rollback": "rolled back to"}[entry.action]
    gate = [f"{'ok' if each['passed'] else 'FAILED':7} {each['condition']}: {each['sentence']}" for each in entry.gate]
    say_pairs(
        [
            (done, entry.run_id),
            ("replaces", entry.replaces or "nothing: it is the first champion"),
            ("gate", "\n".join(gate)),
            ("forced", "yes, and recorded so" if entry.forced else ""),
            ("why", entry.why),
            ("by", entry.who),
            ("recorded", Path(arguments.tracking_root) / HISTORY),
        ]
    )


def _say_history(entries: list[Entry], root: Path) -> None:
    if not entries:
        say(f"no run was ever champion ({root / HISTORY})")
        return
    headings = ("since", "action", "run_id", "config_hash", "by", "verdict", "why")
    rows = [
        (
            _minute(entry.time),
            entry.action + (" (forced)" if entry.forced else ""),
            entry.run_id,
            str(entry.config_hash or "")[:8],
            entry.who,
            entry.verdict["answer"] if entry.verdict else "",
            " ".join(entry.why.split()),
        )
        for entry in entries
    ]
    say_table(headings, rows, whole=headings[:4])


def _by(entry: Entry) -> str:
    how = {"promote": "promoted", "rollback": "by a rollback"}[entry.action]
    return f"{how}{' by force' if entry.forced else ''}, by {entry.who}"


def _minute(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
