"""The fewest overrides that turn one run into another, found by composing, not by guessing."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from leadscore.changes.config import ABSENT, asked
from leadscore.config.schema import HASHED_GROUPS
from leadscore.errors import LeadscoreError
from leadscore.record import Run

__all__ = ["Override", "config_dir_of", "fewest_overrides", "hydra_value"]

OURS = {"hydra", "main", "leadscore", "schema"}  # providers of config that are not the user's
TRIED = 12  # overrides; more are not minimised one by one
_PLAIN_WORD = re.compile(r"[A-Za-z_/][\w./:+-]*|\d+[a-z]+")  # a word, a path; a duration
_NOT_WORDS = {"null", "true", "false", "nan", "inf", "none"}

Compose = Callable[[Sequence[str]], dict[str, Any]]


@dataclass(frozen=True)
class Override:
    """The fewest overrides that turn run A into run B.

    Attributes
    ----------
    added : list of str
        To be appended to A's own command line, in Hydra's grammar.
    dropped : list of str
        Overrides of A's own that have to go.
    tried : bool
        Whether composing A's command with them gave B's config; else they were read off the two configs.
    """

    added: list[str]
    dropped: list[str]
    tried: bool

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)


def fewest_overrides(a: Run, b: Run) -> Override:
    """Return the fewest overrides that turn A's command into one that asks what B asks."""
    written = _written(asked(a.config), asked(b.config))
    own, choices = _hydra_said(a), _choices(b)
    if own is None or not written:
        return Override(written, [], tried=not written)
    with _composer(a) as compose:
        target = asked(b.config)
        if _asks(compose, own) != asked(a.config):
            return Override(written, [], tried=False)
        groups = [f"{group}={choice}" for group, choice in choices.items() if _choices(a).get(group) != choice]
        moved = {each.partition("=")[0] for each in groups}
        kept = [each for each in own if not _is_under(each, moved)]  # of two choices for a group the later one holds
        plans = []
        for start, chosen in ((kept, groups), (own, [])):
            line = _completed(compose, start, chosen, target)
            if line is not None:
                plans.append(Override(line, [each for each in own if each not in start], tried=True))
                if len(line) == 1 and start == own:
                    break  # there is nothing shorter
    if not plans:
        return Override(written, [], tried=False)
    return min(plans, key=lambda plan: (len(plan.added) + len(plan.dropped), len(" ".join(plan.added))))


def _completed(compose: Compose, own: list[str], groups: list[str], target: dict[str, Any]) -> list[str] | None:
    """Return the fewest overrides that, after A's, compose the target, chosen groups first; None when none do."""
    now = _asks(compose, [*own, *groups])
    if now is None:
        return None
    line = [*groups, *_written(now, target)]
    if _asks(compose, [*own, *line]) != target:
        return None
    for each in line[:TRIED] if len(line) > 1 else ():
        fewer = [other for other in line if other != each]
        if _asks(compose, [*own, *fewer]) == target:
            line = fewer
    return line


def _asks(compose: Compose, overrides: Sequence[str]) -> dict[str, Any] | None:
    try:
        return asked(compose(overrides))
    except LeadscoreError:
        return None


@contextmanager
def _composer(run: Run) -> Iterator[Compose]:
    """Compose with today's configs and the run's own folder of them; no module that the run names is imported."""
    from leadscore.config.checks import check_job
    from leadscore.config.compose import config_loader

    with config_loader(config_dir_of(run)) as loader:

        @cache
        def compose(overrides: tuple[str, ...]) -> dict[str, Any]:
            return dataclasses.asdict(check_job(list(overrides), loader))

        yield lambda overrides: compose(tuple(overrides))


def _is_under(override: str, groups: set[str]) -> bool:
    key = override.lstrip("+~").partition("=")[0]
    return any(key.startswith(f"{group}.") for group in groups)


def _hydra_said(run: Run) -> list[str] | None:
    """Return the overrides of the run's own command, Hydra's aside; None for a run that Hydra did not start."""
    import yaml

    path = run.folder / ".hydra" / "overrides.yaml"
    if not path.is_file():
        return None
    return [str(each) for each in yaml.safe_load(path.read_text(encoding="utf-8")) or []]


def _runtime(run: Run) -> Mapping[str, Any]:
    import yaml

    path = run.folder / ".hydra" / "hydra.yaml"
    if not path.is_file():
        return {}
    runtime: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["hydra"]["runtime"]
    return runtime


def _choices(run: Run) -> dict[str, str]:
    return {name: choice for name, choice in _runtime(run).get("choices", {}).items() if name in HASHED_GROUPS}


def config_dir_of(run: Run) -> Path | None:
    """Return the folder of the user's own configs that a run was composed with, if it is still there."""
    sources = _runtime(run).get("config_sources", [])
    own = [Path(each["path"]) for each in sources if each["provider"] not in OURS]
    return own[0] if own and own[0].is_dir() else None


def _written(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return an override for each key that `a` lacks or has otherwise, and for each feature that only `a` has."""
    line, features = [], [_features(each) for each in (a, b)]
    line += [f"~features.{name}" for name in sorted({*features[0]} - {*features[1]})]
    line += [f"+features.{name}={hydra_value(features[1][name])}" for name in sorted({*features[1]} - {*features[0]})]
    in_both = {*features[0]} & {*features[1]}
    for key in sorted({*a, *b}):
        before, after, path = a.get(key, ABSENT), b.get(key, ABSENT), key.split(".")
        if before == after or (path[0] == "features" and path[1] not in in_both):
            continue
        joins = before == ABSENT and (path[0] in ("features", "definitions") or "known_at_creation" in path)
        line.append(f"~{key}" if after == ABSENT else f"{'+' if joins else ''}{key}={hydra_value(after)}")
    return line


def _features(flat_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features of a flat config with their parameters."""
    found: dict[str, Any] = {}
    for key, value in flat_config.items():
        if key.startswith("features."):
            _, name, *parameter = key.split(".", 2)
            entry = found.setdefault(name, {})
            if parameter:
                entry[parameter[0]] = value
    return found


def hydra_value(value: Any) -> str:
    """Return a value in the grammar of Hydra's overrides.

    Examples
    --------
    >>> [hydra_value(each) for each in (None, True, 0.5, "30d", "a b", "null", ["DE", "a,b"], {"x": 1})]
    ['null', 'true', '0.5', '30d', '"a b"', '"null"', '[DE,"a,b"]', '{x:1}']
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{hydra_value(str(key))}:{hydra_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)  # null, true, 0.5
    if _PLAIN_WORD.fullmatch(value) and value.lower() not in _NOT_WORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
