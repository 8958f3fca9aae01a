"""`leadscore show RUN`: one run on a page, from what it left in its folder."""

import logging
import re
import shlex
import textwrap
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError
from leadscore.record.find import Run, champion_of, open_run
from leadscore.record.repeat import how_to_repeat
from leadscore.record.shelf import CHECKS, CONFIG, FEATURES, METRICS, WINDOWS
from leadscore.verbs.say import say, say_json, say_table
from leadscore.window import left_out

__all__ = ["show_run"]

log = logging.getLogger(__name__)

WIDTH = 120
STRONGEST = 10  # features, for people; --json has them all
HASHES = ("config_hash", "code_hash", "engine_hash", "data_hash", "validation_hash")
MARKS = {"note": "note", "problem": "PROBLEM"}


def show_run(arguments: Namespace) -> int:
    """Show one run, or one of its leads."""
    run = open_run(arguments.names[0], arguments.roots)
    if arguments.lead is not None:
        from leadscore.verbs.show_lead import lead_page, say_lead

        say_lead(lead_page(run, arguments.lead, arguments.as_of), as_json=arguments.json)
        return 0
    facts = _facts(run, arguments.roots)
    if arguments.json:
        say_json(facts)
    else:
        _say(facts)
    return 0


def _facts(run: Run, roots: Sequence[str | Path]) -> dict[str, Any]:
    """Return what is known of a run; None for what it did not reach."""
    config = run.config if _has(run, CONFIG) else None
    return {
        "identity": run.identity,
        "champion": _is_champion(run, roots),
        "notes": config["notes"] if config else None,
        "config": config,
        "windows": run.windows if _has(run, WINDOWS) else None,
        "features": _features(run) if _has(run, FEATURES) else None,
        "metrics": run.metrics if _has(run, METRICS) else None,
        "checks": run.checks["checks"] if _has(run, CHECKS) else None,
        "repeat": _repeat(run, config is not None),
        "folder": str(run.folder),
        "files": sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()),
    }


def _has(run: Run, name: str) -> bool:
    return (run.folder / name).is_file()


def _is_champion(run: Run, roots: Sequence[str | Path]) -> bool | None:
    try:
        champion = champion_of(roots)
    except RecordError as error:  # the run is worth showing also where the history is not readable
        log.warning("%s", error)
        return None
    return champion is not None and champion.run_id == run.run_id


def _features(run: Run) -> list[dict[str, str]]:
    """Return the rows of `features.md` by their headings."""
    lines = (run.folder / FEATURES).read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("| ")
    ]
    return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]


def _repeat(run: Run, has_config: bool) -> dict[str, Any] | None:
    try:
        repeat = how_to_repeat(run)
    except RecordError as error:
        if has_config:
            log.warning("%s", error)
        return None
    return {"command": repeat.command or None, "python": repeat.python or None, "directory": repeat.directory}


def _say(facts: dict[str, Any]) -> None:
    identity = facts["identity"]
    config, metrics = facts["config"], facts["metrics"]
    champion = ", champion" if facts["champion"] else ""
    what = f": {config['model']['name']} on data {config['data']['name']}" if config else ""
    say(f"run {identity['run_id']}{what}, {_status(identity)}{champion}")
    if error := identity.get("error"):
        _wrapped("reason", str(error))
    if facts["notes"]:
        _wrapped("notes", facts["notes"])
    _wrapped("started", f"{str(identity.get('started'))[:19].replace('T', ' ')} UTC")
    say()
    _say_identity(identity)
    if facts["windows"]:
        _say_windows(config, facts["windows"])
    for number, sentence in enumerate(metrics["search"]["sentences"] if metrics and "search" in metrics else []):
        _wrapped("" if number else "search", sentence)
    if metrics:
        _say_metrics(metrics)
    for check in facts["checks"] or []:
        if check["result"] in MARKS:
            _wrapped(MARKS[check["result"]], f"{check['code']} {check['sentence']} {check['action']}")
    for warning in metrics["warnings"] if metrics else []:
        _wrapped("note", warning)
    if facts["features"]:
        _say_features(facts["features"], metrics)
    _say_place(facts)


def _status(identity: Mapping[str, Any]) -> str:
    status = str(identity.get("status"))
    return "running, or killed before it could say so" if status == "running" else status


def _say_identity(identity: Mapping[str, Any]) -> None:
    git = identity.get("git") or {}
    state = {True: "with changes that are not committed", False: "clean", None: ""}[git.get("dirty")]
    environment = identity.get("environment") or {}
    versions = ", ".join(f"{name} {version}" for name, version in environment.get("packages", {}).items() if version)
    parts = ", ".join(f"{name} {_short(value)}" for name, value in (identity.get("parts") or {}).items())
    _wrapped("identity", _short(identity.get("identity")) or "none: its data were not read")
    _wrapped("", ", ".join(f"{name} {_short(identity[name])}" for name in HASHES if identity.get(name)))
    _wrapped("config", f"{parts}; seed {identity.get('seed')}, hash version {identity.get('hash_version')}")
    _wrapped("git", f"{_short(git.get('commit'))} {state}".strip() or "not in a repository")
    _wrapped("made by", f"Python {environment.get('python')}, {environment.get('machine')}; {versions}")
    say()


def _short(value: Any) -> str:
    return str(value or "")[:8]


def _say_windows(config: Mapping[str, Any], windows: Mapping[str, Any]) -> None:
    loaded = ", ".join(f"{n:,} {what}" for what, n in windows["rows"]["load"].items())
    _wrapped("data", f"{loaded}; complete up to {windows['data_end'][:16].replace('T', ' ')} UTC")
    for note in windows["notes"]:
        _wrapped("", note)
    _wrapped("window", _window(config["window"], windows["horizon"]))
    _wrapped("observed", left_out(windows["rows"]["window"]))
    if seal := windows.get("seal"):
        _wrapped("sealed", f"from {seal['start'][:10]}, for leadscore confirm")
    _wrapped("validated", _validation(config["validation"]))
    for line in windows["picture"]:
        say(f"{'':11}{line}")
    for number, fold in enumerate(windows["folds"]):
        rows, positives = fold["rows"], fold["positives"]
        _wrapped(
            f"fold {number}",
            f"train {rows['train']:,} ({positives['train']:,} converted), purged {rows['purged']:,}, "
            f"validate {rows['valid']:,} ({positives['valid']:,} converted)",
        )
    for caveat in windows["caveats"]:
        _wrapped("note", caveat)
    say()


def _window(window: Mapping[str, Any], horizon: str) -> str:
    rule = {
        "delay": "{delay} after creation",
        "snapshots": "every {every}, leads younger than {max_age}",
        "given": "as_of given by the lead table",
    }[window["name"]].format(**window)
    limits = [f"{word} {window[key]}" for key, word in (("start", "from"), ("end", "before")) if window.get(key)]
    floor = [f"moved back to a multiple of {window['floor']}"] if window.get("floor") else []
    return ", ".join([rule, *floor, *limits, f"outcome within {horizon}"])


def _validation(validation: Mapping[str, Any]) -> str:
    others = [f"{key} {value}" for key, value in sorted(validation.items()) if key != "name" and value is not None]
    return f"{validation['name']}: {', '.join(others)}"


def _say_metrics(metrics: Mapping[str, Any]) -> None:
    from leadscore.evaluate import METRICS

    n_folds, sure = len(metrics["folds"]), metrics["intervals"]
    baselines = {name.replace("_", " "): folds for name, folds in metrics["baselines"].items()}
    others = {**baselines, **({"best reachable": best} if (best := metrics["best_reachable"]) else {})}
    first = "metric" + (f" (mean of {n_folds} folds)" if n_folds > 1 else "")
    rows = [
        (
            METRICS[name].title,
            _number(value),
            _interval(sure.get(name)),
            *(_mean(each, name) for each in others.values()),
        )
        for name, value in metrics["metrics"].items()
    ]
    for each in metrics["precision_at_recall"]:
        if each["recall"] != 0.8:  # which has its row above
            title = f"Precision at {each['recall']:.0%} recall"
            rows.append((title, _number(each["value"]), _interval(each), *[""] * len(others)))
    for each in metrics["top"]:
        title = f"Found in the top {each['share']:.0%}"
        rows.append((title, _number(each["found"]["value"]), _interval(each["found"]), *[""] * len(others)))
    headings = (first, "this run", "95% interval", *others)
    say_table(headings, rows, whole=headings, right=("this run", *others))
    for name, reason in metrics["reasons"].items():
        _wrapped("", f"{METRICS[name].title}: {reason}")
    for reason in dict.fromkeys(each["reason"] for each in sure.values() if each["reason"]):
        _wrapped("", f"no interval: {reason}")
    say()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(interval: Mapping[str, Any] | None) -> str:
    if interval is None:
        return ""
    return "none" if interval["low"] is None else f"[{interval['low']:.3f}, {interval['high']:.3f}]"


def _mean(folds: Sequence[Mapping[str, Any] | None], name: str) -> str:
    values = [None if fold is None else fold.get(name) for fold in folds]
    known = [value for value in values if value is not None]
    return _number(sum(known) / len(known) if len(known) == len(values) else None)


def _say_features(features: Iterable[Mapping[str, str]], metrics: Mapping[str, Any] | None) -> None:
    importance = metrics["importance"] if metrics else []
    if importance:
        strongest = [f"{each['feature']} {each['importance']:.3f}" for each in importance[:STRONGEST]]
        more = len(importance) - len(strongest)
        scale = (metrics or {}).get("importance_scale", "log-odds")  # runs of before did not say it
        _wrapped("strongest", ", ".join(strongest) + (f" and {more} more" if more else "") + f" ({scale})")
    sentences = (metrics or {}).get("model_in_words") or []
    for number, sentence in enumerate(sentences[:STRONGEST]):
        _wrapped("" if number else "the model", sentence)
    if len(sentences) > STRONGEST:
        _wrapped("", f"and {len(sentences) - STRONGEST} more columns in metrics.json (model_in_words)")
    for number, each in enumerate(features):
        _wrapped("" if number else "features", f"{each['column']}: {each['meaning']}")
    say()


def _say_place(facts: Mapping[str, Any]) -> None:
    _wrapped("folder", facts["folder"])
    _wrapped("files", ", ".join(name for name in facts["files"] if "/" not in name) or "none")
    repeat = facts["repeat"]
    if repeat is None:
        _wrapped("repeat", "nothing is left that says how")
    elif repeat["command"]:
        _wrapped("repeat", f"in {repeat['directory']}:")
        for line in _command_lines(shlex.split(repeat["command"])):
            say(line)
    else:
        _wrapped("repeat", "it was started by Python code; from the directory where that ran:")
        for line in repeat["python"].splitlines():
            say(f"  {line}".rstrip())


def _command_lines(words: Sequence[str]) -> Iterator[str]:
    """Yield a command over as many lines as it needs, which a shell reads as one."""
    line = " "
    for word in map(shlex.quote, words):
        if len(line) + len(word) + 3 > WIDTH and line.strip():
            yield f"{line} \\"
            line = "   "
        line += f" {word}"
    yield line


def _wrapped(name: str, text: str) -> None:
    """Print a name and a text beside it, over several lines where it is long; words are never broken."""
    lines = textwrap.wrap(text, WIDTH - 11, break_long_words=False, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        say(f"{'' if number else name:10} {line}")
