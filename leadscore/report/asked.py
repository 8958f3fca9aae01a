"""What a run was asked, who it is, and how it comes again."""

from collections.abc import Mapping
from typing import Any

from leadscore.report.parts import Parts
from leadscore.report.picture import Picture
from leadscore.report.plots.time import shares, timeline
from leadscore.report.words import window_said

__all__ = ["hashes", "questions", "rows_in_and_out", "stopped_at", "windows_picture"]

NAMES = {"valid": "validate"}
HASHES = ("identity", "config_hash", "code_hash", "engine_hash", "data_hash", "validation_hash")


def questions(parts: Parts) -> list[tuple[str, str]]:
    """Return what was asked, by heading."""
    config = parts.config
    if config is None:
        return []
    horizon = str(config["window"].get("horizon"))
    said = [
        ("data", str(config["data"]["name"])),
        ("window", window_said(config["window"], parts.windows["horizon"] if parts.windows else horizon)),
        ("features", _features(config)),
        ("model", _settings(config["model"])),
        ("validation", _settings(config["validation"])),
    ]
    if config.get("definitions"):
        said.append(("definitions", ", ".join(f"{key} = {value}" for key, value in config["definitions"].items())))
    if config.get("notes"):
        said.append(("notes", str(config["notes"])))
    return said


def _features(config: Mapping[str, Any]) -> str:
    names = list(config["features"])
    shown = ", ".join(names[:12])
    return f"{len(names)}: {shown}{f' and {len(names) - 12} more' if len(names) > 12 else ''}"


def _settings(node: Mapping[str, Any]) -> str:
    others = [f"{key} {_short(value)}" for key, value in sorted(node.items()) if key != "name" and _says(value)]
    return str(node["name"]) + (f" ({', '.join(others)})" if others else "")


def _says(value: Any) -> bool:
    return value is not None and value not in ([], {})


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def windows_picture(parts: Parts) -> Picture | None:
    """Return the windows as a picture; None where the folds were not laid."""
    windows = parts.windows
    if windows is None or not windows["folds"]:
        return None
    return timeline(windows) if all("train_start" in fold for fold in windows["folds"]) else shares(windows)


def hashes(identity: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the parts of the identity that are known, by name."""
    named = [("run_id", identity.get("run_id")), *((name, identity.get(name)) for name in HASHES)]
    parts = [(f"config: {name}", value) for name, value in (identity.get("parts") or {}).items()]
    commit = (identity.get("git") or {}).get("commit")
    return [(name, str(value)) for name, value in [*named, *parts, ("git commit", commit)] if value]


def rows_in_and_out(parts: Parts) -> list[tuple[str, str, str]]:
    """Return room, what and how many, in the order of the walk."""
    if parts.windows is None:
        return []
    counted = parts.windows["rows"]
    rows = [("load", what, f"{n:,}") for what, n in counted["load"].items()]
    rows += [("window", what, f"{n:,}") for what, n in counted["window"].items() if n]
    for number, fold in enumerate(parts.windows["folds"]):
        name = f"split, fold {number}" if len(parts.windows["folds"]) > 1 else "split"
        positives = fold["positives"]
        for what, n in fold["rows"].items():
            converted = f", {positives[what]:,} of them converted" if what in positives else ""
            rows.append((name, f"{NAMES.get(what, what)}{converted}", f"{n:,}"))
    if parts.metrics is not None:
        made = parts.metrics["rows"]
        rows.append(("features", f"in a table of {made['columns']:,} columns", f"{made['features']:,}"))
    return rows


def stopped_at(parts: Parts) -> str:
    """Return how far a run came that is not done, judged by what it left."""
    folder = parts.run.folder
    if parts.metrics is not None:
        return "when all was measured, while recording"
    if (folder / "features.md").exists():
        return "after the features were built, while fitting, measuring or explaining"
    if parts.windows is not None:
        return "after the folds were laid, while auditing or building the features"
    if parts.config is not None:
        return "before the folds were laid: while loading, checking or observing the data"
    return "before anything was read"
