"""What Hydra's one error about a composition means, in our words, and what else is wrong beside it.

Only the failure path comes here, so composing once more for each override is cheap enough.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import KeyValidationError

from leadscore.config.compose import PRIMARY, compose_tree, group_choices
from leadscore.config.plus import BASE, GROUP, added_sets
from leadscore.config.schema import SCHEMAS
from leadscore.errors import ConfigError, LeadscoreError, did_you_mean, raise_all

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override

__all__ = ["explain_failure"]


def explain_failure(
    error: Exception, overrides: Sequence[str], loader: "ConfigLoader", primary: str = PRIMARY
) -> LeadscoreError:
    """Return the error to raise for overrides that Hydra could not compose into the config `primary`."""
    if not isinstance(error, HydraException):
        return ConfigError(_first_line(error))
    try:
        raise_all(ConfigError, _problems(overrides, loader, primary))
    except ConfigError as explained:
        return explained
    return ConfigError(_whole(error))


def _problems(overrides: Sequence[str], loader: "ConfigLoader", primary: str) -> list[str]:
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        return [f"{error.override!r} is not an override (GROUP=CHOICE or KEY=VALUE): {_unread(error)}"]
    sweeps = [override.input_line for override in parsed if override.is_sweep_override()]
    if sweeps:
        return [f"{line}: several values are several runs; add -m before the overrides to run each" for line in sweeps]
    groups = group_choices(loader)
    choosing = [override for override in parsed if override.key_or_group in groups]
    problems = [problem for override in choosing for problem in _choice_problems(override, groups)]
    if problems:
        return problems
    chosen = [str(override.input_line) for override in parsed if override in choosing or _is_hydras(override)]
    try:
        tree = compose_tree(chosen, primary)
    except HydraException as error:
        return [_whole(error)]
    values = [override for override in parsed if override not in choosing and not _is_hydras(override)]
    return [problem for override in values if (problem := _value_problem(override, chosen, tree, primary))]


def _is_hydras(override: "Override") -> bool:
    return override.key_or_group.startswith("hydra")


def _choice_problems(override: "Override", groups: dict[str, list[str]]) -> list[str]:
    group, value = override.key_or_group, override.value()
    if override.is_delete() or value is None:
        return []
    if override.is_add() and group != "experiment":
        return [f"{override.input_line}: '{group}' has a choice already; change it with {group}={value}, without the +"]
    choices = value if isinstance(value, list) else [value]
    return [problem for name in choices if (problem := _wrong_choice(group, str(name), groups[group]))]


def _wrong_choice(group: str, name: str, options: Sequence[str]) -> str | None:
    if group == GROUP and name.startswith("+"):
        known = [option for option in options if not option.startswith("+")]
        added = added_sets(name)
        if added is None:
            return (
                f"features={name}: write +NAME or +NAME+NAME with a set's name after each plus; "
                f"'{BASE}' is in already. {did_you_mean(name.strip('+'), set(known) - {BASE}, 'Sets')}"
            )
        unknown = [added_name for added_name in added if added_name not in known]
        return (
            "; ".join(f"features={name}: unknown set '{each}'. {did_you_mean(each, known, 'Sets')}" for each in unknown)
            or None
        )
    if name in options:
        return None
    return f"{group}={name}: unknown choice '{name}' of {group}. {did_you_mean(name, options, 'Choices')}"


def _value_problem(override: "Override", chosen: Sequence[str], tree: DictConfig, primary: str) -> str | None:
    """Compose with this value alone, and word what goes wrong."""
    try:
        compose_tree([*chosen, str(override.input_line)], primary)
    except HydraException as error:
        key, parent = override.key_or_group, override.key_or_group.rpartition(".")[0]
        known = _keys(tree)
        if override.is_delete():
            return f"{override.input_line}: only features can be taken away with ~; give {key} another value"
        if parent and OmegaConf.get_type(OmegaConf.select(tree, parent)) is dict and key not in known:
            return f"{override.input_line}: {parent} has no such key yet; a plus adds it: +{override.input_line}"
        if isinstance(override.value(), dict) and OmegaConf.get_type(OmegaConf.select(tree, key)) is dict:
            return f"{override.input_line}: {key} has no such key yet; a plus adds it: +{override.input_line}"
        if key not in known and not override.is_add():
            return f"unknown key '{key}' ({override.input_line}){_where_it_belongs(key, known)}"
        return f"{override.input_line}: {_cause(error)}"
    return None


def _where_it_belongs(key: str, known: Sequence[str]) -> str:
    """Return which other choices of the group have the key, else the keys that there are."""
    group, _, name = key.partition(".")
    schemas = SCHEMAS.get(group, {}).items()
    owners = [
        f"{group}={choice}" for choice, each in schemas if name in {field.name for field in dataclasses.fields(each)}
    ]
    if owners:
        return f": it goes with {' or '.join(owners)}"
    parent = key.rpartition(".")[0]
    siblings = [each for each in known if each.rpartition(".")[0] == parent]
    return f". {did_you_mean(key, siblings or known, 'Keys there')}"


def _keys(tree: DictConfig) -> list[str]:
    found: list[str] = []

    def walk(node: Any, path: str) -> None:
        for key, value in node.items():
            where = f"{path}.{key}" if path else str(key)
            if where != "hydra":
                found.append(where)
                if isinstance(value, dict):
                    walk(value, where)

    walk(OmegaConf.to_container(tree, resolve=False), "")
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unread(error: OverrideParseException) -> str:
    """Return what Hydra's parser said without its list of tokens, and how several values are written."""
    said = _first_line(error).partition(" expecting ")[0].replace("<EOF>", "the end")
    several = "several values are listed by commas without spaces, as in model=logistic,lightgbm"
    return f"{said}; {several}" if "," in str(error.override) else said


def _cause(error: BaseException) -> str:
    return _first_line(error.__cause__ or error)


def _whole(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if error.__cause__ is not None:
        lines.append(_first_line(error.__cause__))
    if KeyValidationError.__name__ in str(error):
        lines.append(
            "words on the left of a mapping are text: quote yes, no, on, off and numbers, as in {'1': 1, 'no': 0}"
        )
    return "; ".join(lines)
