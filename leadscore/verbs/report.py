"""`leadscore report`: a static site over all runs, or one run's page drawn anew."""

from argparse import Namespace
from pathlib import Path

from leadscore.errors import ConfigError, RecordError
from leadscore.record import open_run
from leadscore.site import NEWEST, Built, build_site
from leadscore.verbs.say import say, say_json, say_pairs
from leadscore.verbs.write_files import write_all

__all__ = ["report"]

SITE = "site"
NAMED = 10  # pages of a kind


def report(arguments: Namespace) -> int:
    """Make the site or draw one page; 1 when a page could not be drawn."""
    if arguments.plugin:
        from leadscore.pipeline import load_plugins

        load_plugins(arguments.plugin)
    if arguments.names:
        return _one(arguments)
    newest = NEWEST if arguments.newest is None else arguments.newest
    if newest < 0:
        raise ConfigError(f"--newest {newest}: a number of runs, 0 to draw nothing")
    tell = (lambda text: None) if arguments.json else say
    built = build_site(arguments.roots, arguments.out or SITE, newest=newest, tell=tell)
    if arguments.json:
        say_json(
            {
                "index": str(built.index),
                "runs": built.runs,
                **{name: getattr(built, name) for name in ("written", "removed", "spared", "failed", "notes")},
            }
        )
    else:
        _say(built)
    return 1 if built.failed else 0


def _one(arguments: Namespace) -> int:
    """Draw a run's page into its folder, or where `--out` says."""
    from jinja2 import TemplateError

    from leadscore.record.shelf import REPORT
    from leadscore.report import render_run

    if arguments.newest is not None:
        raise ConfigError("--newest is for the site over all runs: leave RUN away")
    run = open_run(arguments.names[0], arguments.roots)
    path = Path(arguments.out) if arguments.out else run.folder / REPORT
    if path.is_dir():
        path /= f"{run.run_id}.html"
    try:
        page = render_run(run)
    except (AttributeError, KeyError, TypeError, ValueError, TemplateError) as error:
        said = f"{type(error).__name__}: {error}"
        raise RecordError(f"{run.folder}: its files are not as a run leaves them ({said})") from None
    write_all({path: page})
    if arguments.json:
        say_json({"run_id": run.run_id, "page": str(path)})
    else:
        say(f"wrote {path}")
    return 0


def _say(built: Built) -> None:
    say(f"{built.index}: {built.runs:,} {'run' if built.runs == 1 else 'runs'}")
    say_pairs(
        [
            ("written", f"{len(built.written):,}" if built.written else "nothing: all is as it was"),
            ("removed", _named(built.removed)),
            ("left", _named(built.spared, "no longer wanted, but somebody has changed them: ")),
            ("failed", "\n".join(f"{place}: {said}" for place, said in built.failed.items())),
            ("note", "\n".join(built.notes)),
        ]
    )


def _named(places: list[str], what: str = "") -> str:
    if not places:
        return ""
    more = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
    return f"{len(places):,} {'page' if len(places) == 1 else 'pages'}, {what}{', '.join(places[:NAMED])}{more}"
