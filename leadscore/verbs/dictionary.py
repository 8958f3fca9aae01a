"""`leadscore features dictionary`: every column of a run in words, for whoever reads scores and writes no code."""

import os
import re
import secrets
from argparse import Namespace
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.command import quoted_note
from leadscore.config.schema import Config
from leadscore.errors import RecordError
from leadscore.pipeline import compose, plan_run
from leadscore.record.write import dictionary_cells, markdown_row
from leadscore.report.words import length_in_words, name_in_words, sentence
from leadscore.verbs.say import say, say_json

if TYPE_CHECKING:
    from leadscore.features import Feature
    from leadscore.features.plan import Planned

__all__ = ["dictionary"]

TEMPLATE = Path(__file__).with_name("templates") / "dictionary.html.j2"
HEADINGS = {
    "title": "name",
    "meaning": "what it says",
    "window": "looks at",
    "unit": "unit",
    "nothing": "without a value",
    "origin": "comes from",
    "column": "column",
}


def dictionary(arguments: Namespace) -> int:
    """Print or write the dictionary of the composed run."""
    config = compose([quoted_note(override) for override in arguments.overrides], config_dir=arguments.config_dir)
    rows = [_row(step) for step in plan_run(config).column_steps]
    text = {"md": _markdown, "html": _page, "json": lambda *_: ""}[arguments.form](rows, config)
    if arguments.form == "json" and not arguments.out:
        say_json(rows)
    elif arguments.out:
        _write(Path(arguments.out), text or _json(rows))
        say(f"wrote {arguments.out}: {len(rows)} columns")
    else:
        say(text.rstrip("\n"))
    return 0


def _row(step: "Planned") -> dict[str, str]:
    cells = dictionary_cells(step)
    return {
        "title": name_in_words(step.feature.name),
        "meaning": sentence(cells["meaning"]),
        "window": _window(step.feature),
        "unit": cells["unit"],
        "nothing": _nothing(step.feature),
        "origin": _origin(step.feature),
        "column": cells["column"],
    }


def _window(each: "Feature") -> str:
    if each.source == "leads":
        return "what was known when the lead was created"
    if each.lookback is None:
        return "everything before the score"
    if each.lookback == timedelta(days=1):
        return "the 24 hours before the score"
    length = each.window.split(" ", 1)[0]
    return f"the {length_in_words(length)} before the score"


def _nothing(each: "Feature") -> str:
    """Say what stands where there is nothing to compute from."""
    said = []
    if each.no_events is not None:
        value = f"{each.no_events:g}" if isinstance(each.no_events, int | float) else str(each.no_events)
        rows = "such events" if each.event_types else "events"
        said.append(f"{value} for a lead without {rows if each.source == 'events' else 'it'}")
    if each.missing is not None:
        said.append(f"empty: {each.missing}")
    return "; ".join(said) or "it always has one"


def _origin(each: "Feature") -> str:
    columns = ", ".join(each.columns)
    if each.source == "leads":
        return f"the lead table: {columns or 'creation time'}"
    types = ", ".join(each.event_types)
    rows = f"the event log: {types}" if types else "the event log: events of every type"
    return f"{rows} (column {columns})" if columns else rows


def _markdown(rows: list[dict[str, str]], config: Config) -> str:
    lines = [
        f"# What the columns say: {_run_in_words(config)}",
        "",
        "Each window is half-open: it ends just before the score is made.",
        "",
        markdown_row(HEADINGS.values()),
        "|" + "---|" * len(HEADINGS),
        *(_markdown_cells(row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _markdown_cells(row: dict[str, str]) -> str:
    # A meaning is anyone's text: angle brackets would be read as HTML by what shows Markdown.
    cells: Iterable[str] = (re.sub(r"[<>&]", _entity, row[key]) for key in HEADINGS)
    return markdown_row(cells)


def _entity(match: "re.Match[str]") -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[match[0]]


def _page(rows: list[dict[str, str]], config: Config) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    headings = {key: heading for key, heading in HEADINGS.items() if key not in ("title", "meaning")}
    return template.render(rows=rows, run=_run_in_words(config), headings=headings)


def _json(rows: Any) -> str:
    import json

    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _run_in_words(config: Config) -> str:
    sets = "+".join(config.feature_sets) or f"{len(config.features)} features"
    return f"{sets}, data {config.data.name}"


def _write(path: Path, text: str) -> None:
    """Write a whole file by one rename."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise RecordError(f"--out {path}: {error.strerror}") from None
