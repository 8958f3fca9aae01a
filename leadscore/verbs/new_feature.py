"""`leadscore features new`: a feature, its entry in a set and its test, which work as they are written."""

import ast
import json
import keyword
import re
import shlex
from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from string import Template

from leadscore.config.command import named_plugins, quoted_note
from leadscore.config.paths import CONF
from leadscore.config.plus import BASE
from leadscore.errors import ConfigError, FeatureError, raise_all
from leadscore.pipeline import compose
from leadscore.times import format_duration, parse_duration
from leadscore.verbs.kinds import AMOUNTS, KINDS, WORDS, Kind
from leadscore.verbs.write_files import appended_entry, appended_function, write_all

__all__ = ["new"]

TEMPLATES = Path(__file__).with_name("templates")
NOW = datetime(2024, 3, 15)  # noqa: DTZ001 - written into a test, which gives it its zone
STEPS = [timedelta(days=1), timedelta(hours=6), timedelta(hours=1), timedelta(minutes=5), timedelta(seconds=5)]
OWN_COLUMNS = ("user_id", "timestamp", "event_type")
TAKEN = ("feature", "pd", "assert_point_in_time", "events_df", "now")
_PLAIN = re.compile(r"[^\"'\\{}$\x00-\x1f]+")


@dataclass(frozen=True)
class _Wanted:
    """What was asked for, checked."""

    name: str
    kind: Kind
    event_type: str | None
    column: str | None
    lookback: timedelta | None
    set_name: str
    module: str
    into: Path
    conf: Path

    @property
    def meaning(self) -> str:
        events = f"{self.event_type} events" if self.event_type else "events"
        when = f"in the {_spoken(self.lookback)} before the score is made" if self.lookback else "so far"
        return self.kind.meaning.format(events=events, column=self.column, when=when)


def new(arguments: Namespace) -> int:
    """Write the three files, or refuse before any of them is touched."""
    wanted = _wanted(arguments)
    _refuse_known_names(wanted, arguments.overrides)
    module_file = wanted.into / Path(*wanted.module.split(".")).with_suffix(".py")
    set_file = wanted.conf / "features" / f"{wanted.set_name}.yaml"
    test_file = wanted.into / f"test_{wanted.name}.py"
    if test_file.exists():
        raise FeatureError(f"{test_file} is there already, and nothing is overwritten: choose another name")
    texts = {
        module_file: appended_function(module_file, wanted.name, _function(wanted), _template("module.py.txt")),
        set_file: appended_entry(set_file, wanted.name, _template("set.yaml.txt", meaning=wanted.meaning)),
        test_file: _test(wanted),
    }
    existed = {path for path in texts if path.exists()}
    write_all(texts)
    for path in texts:
        print(f"{'added to' if path in existed else 'wrote':9} {_near(path, Path.cwd())}")  # noqa: T201
    print("\nnext:")  # noqa: T201
    for command in _commands(wanted, arguments.overrides, test_file):
        print(f"  {command}")  # noqa: T201
    return 0


def _wanted(arguments: Namespace) -> _Wanted:
    (name,) = arguments.names
    kind = KINDS[arguments.kind]
    column = arguments.column or _usual_column(kind, arguments.event_type)
    set_name = arguments.set or name
    into = Path(arguments.into)
    lookback, problem = _lookback(arguments.lookback)
    problems = [
        *_name_problems(name),
        *(_set_problems(set_name) if arguments.set or name.isidentifier() else []),
        *([problem] if problem else []),
        *(
            f"{option} {value!r}: only printable text without quotes, braces, $ and backslashes"
            for option, value in (("--event-type", arguments.event_type), ("--column", column))
            if value is not None and not _PLAIN.fullmatch(value)
        ),
    ]
    if arguments.column and not kind.column:
        problems.append(f"--column {arguments.column}: the kind {arguments.kind} reads no column")
    if kind.column and column is None:
        problems.append(f"--kind {arguments.kind}: of events of one type, it needs a --column to read")
    if kind.column == "number" and column in OWN_COLUMNS:
        problems.append(f"--column {column}: the kind {arguments.kind} reads a column of numbers, such as amount")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in arguments.module.split(".")):
        problems.append(f"--module {arguments.module}: not a module's name, as in my_features or my_team.features")
    if into.exists() and not into.is_dir():
        problems.append(f"--into {into}: not a folder")
    problems += [
        f"{override}: this verb says itself what features= is; leave it out"
        for override in arguments.overrides
        if override.lstrip("+").startswith("features=")
    ]
    raise_all(ConfigError, problems)
    conf = Path(arguments.config_dir) if arguments.config_dir else into / "my_conf"
    return _Wanted(name, kind, arguments.event_type, column, lookback, set_name, arguments.module, into, conf)


def _usual_column(kind: Kind, event_type: str | None) -> str | None:
    if kind.column == "number":
        return "amount"
    return "event_type" if kind.column and event_type is None else None


def _name_problems(name: str) -> list[str]:
    import yaml

    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        spelt = re.sub(r"\W+", "_", name).strip("_").lower()
        hint = f" Did you mean '{spelt}'?" if spelt.isidentifier() and not keyword.iskeyword(spelt) else ""
        return [f"'{name}' cannot be a feature's name, which is a Python function's.{hint}"]
    if name in TAKEN or name.startswith("test_"):
        return [f"'{name}' cannot be a feature's name here: the files use that word themselves"]
    if yaml.safe_load(f"{name}: {{}}") != {name: {}}:
        return [f"'{name}' cannot be a feature's name: YAML reads it as {yaml.safe_load(name)!r}"]
    return []


def _set_problems(name: str) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        return [f"--set {name}: letters, digits and _ only, so that features=+{name} can be written"]
    if name == BASE or (CONF / "features" / f"{name}.yaml").exists():
        return [f"--set {name}: leadscore ships a set of that name, and yours would be ignored; choose another"]
    return []


def _lookback(text: str | None) -> tuple[timedelta | None, str]:
    if text == "all":
        return None, ""
    try:
        length = parse_duration(text or "14d")
    except ValueError as error:
        return None, f"--lookback: {error}, or all"
    return length, "" if length else f"--lookback {text}: an empty window"


def _refuse_known_names(wanted: _Wanted, overrides: list[str]) -> None:
    """Refuse a name that a feature, a concept or a column of the composed run has."""
    from leadscore.features import DEFINITIONS, FEATURES

    asked = [quoted_note(override) for override in overrides]
    config = compose(asked, config_dir=wanted.conf if wanted.conf.is_dir() else None)
    if wanted.name in FEATURES:
        raise FeatureError(
            f"'{wanted.name}' is a registered feature already (leadscore features show {wanted.name}): "
            f"choose another name"
        )
    if wanted.name in DEFINITIONS or any(wanted.name in known for known in DEFINITIONS.values()):
        raise FeatureError(f"'{wanted.name}' is a business concept or definition already: choose another name")
    if wanted.name in config.data.known_at_creation:
        raise FeatureError(f"'{wanted.name}' is a lead attribute (data.known_at_creation) already: choose another name")


def _template(file: str, /, **values: str) -> str:
    text = (TEMPLATES / file).read_text(encoding="utf-8")
    return Template(text).substitute(values) if values else text


def _function(wanted: _Wanted) -> str:
    kind, column = wanted.kind, wanted.column
    events = f"{wanted.event_type} events" if wanted.event_type else "events"
    said = [
        'source="events"',
        f"event_type={_quoted(wanted.event_type)}" if wanted.event_type else "",
        f"columns=[{_quoted(column)}]" if column and column not in OWN_COLUMNS else "",
        f"lookback={_quoted(format_duration(wanted.lookback))}" if wanted.lookback else "",
        kind.declared,
        f"unit={_quoted(kind.unit.format(events=events, column=column))}" if kind.unit else "",
        'dtype="category"' if kind.dtype == "category" else "",
    ]
    parts = [part for part in said if part]
    line = ", ".join(parts)
    if len(line) > 100:
        line = "\n" + "".join(f"    {part},\n" for part in parts)
    body = kind.body.format(column=column)
    return _template("function.py.txt", declaration=line, name=wanted.name, meaning=wanted.meaning, body=body)


def _test(wanted: _Wanted) -> str:
    step = next((each for each in STEPS if wanted.lookback is None or 3 * each < wanted.lookback), STEPS[-1])
    types = (wanted.event_type,) * 3 if wanted.event_type else ("session", "login", "session")
    words = types if wanted.column == "event_type" else WORDS
    columns = [*OWN_COLUMNS]
    rows: list[list[object]] = [
        [user_id, str(NOW - ago * step), event_type]
        for user_id, ago, event_type in zip("aab", (3, 1, 2), types, strict=True)
    ]
    if wanted.column and wanted.column not in OWN_COLUMNS:
        columns.append(wanted.column)
        values = AMOUNTS if wanted.kind.column == "number" else WORDS
        rows = [[*row, value] for row, value in zip(rows, values, strict=True)]
    a, b = wanted.kind.expected(step, words)
    return _template(
        "test.py.txt",
        name=wanted.name,
        module=wanted.module,
        now=str(NOW),
        rows="\n".join(f"            ({', '.join(map(_quoted, row))})," for row in rows),
        columns=", ".join(map(_quoted, columns)),
        expected=f'"a": {_quoted(a)}, "b": {_quoted(b)}',
    )


def _commands(wanted: _Wanted, overrides: list[str], test_file: Path) -> list[str]:
    plugins = [*dict.fromkeys([*named_plugins(overrides), wanted.module])]
    others = [override for override in overrides if not override.startswith("plugins=")]
    composed = [
        *("--config-dir", _near(wanted.conf, wanted.into)),
        f"plugins=[{','.join(plugins)}]",
        f"features=+{wanted.set_name}",
        *others,
    ]
    line = " ".join(f'"{word}"' if word.startswith("plugins=[") else shlex.quote(word) for word in composed)
    elsewhere = wanted.into.resolve() != Path.cwd().resolve()
    return [
        *([f"cd {shlex.quote(str(wanted.into))}"] if elsewhere else []),
        f"python -m pytest {test_file.name}",
        f"leadscore features check {wanted.name} {line}",
        f"python -m leadscore.train {line}",
    ]


def _near(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _spoken(length: timedelta) -> str:
    days = length / timedelta(days=1)
    if days.is_integer():
        return "24 hours" if days == 1 else f"{days:.0f} days"
    hours = length / timedelta(hours=1)
    return ("hour" if hours == 1 else f"{hours:.0f} hours") if hours.is_integer() else format_duration(length)


def _quoted(value: object) -> str:
    """Return a literal as our formatter writes it."""
    assert value is None or ast.literal_eval(repr(value)) == value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
