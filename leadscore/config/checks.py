"""One job's overrides in, one checked `Config` out, or every problem in words, before any data is read."""

import copy
import dataclasses
import math
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from leadscore.config.compose import PRIMARY, compose_tree
from leadscore.config.diagnose import explain_failure
from leadscore.config.fields import outside
from leadscore.config.fixed import unfixed_parts
from leadscore.config.plus import GROUP as FEATURES
from leadscore.config.relations import contradictions
from leadscore.config.safety import unsafe_parts
from leadscore.config.schema import Config
from leadscore.config.score_schema import spelled_moment
from leadscore.config.secrets import hide_secrets, refuse_secret_words, secret_parts
from leadscore.config.sets import chosen_sets, disagreeing_sets
from leadscore.errors import ConfigError, did_you_mean, raise_all
from leadscore.times import format_duration, parse_duration, parse_instant

if typing.TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["check_job", "check_tree", "checked_tree", "compose_job", "typed", "without_hydra"]


def compose_job(overrides: Sequence[str], loader: "ConfigLoader", primary: str = PRIMARY) -> DictConfig:
    """Compose one job of a door and refuse secrets and foreign code; call it inside `config_loader`.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    return checked_tree(overrides, loader, lambda: compose_tree(overrides, primary), primary)


def checked_tree(
    overrides: Sequence[str], loader: "ConfigLoader", compose: Callable[[], DictConfig], primary: str = PRIMARY
) -> DictConfig:
    """Return the tree that `compose` makes of a job's overrides, secrets and foreign code refused.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    refuse_secret_words(overrides)
    try:
        tree = compose()
    except Exception as error:
        explained = explain_failure(error, overrides, loader, primary)
        raise type(explained)(hide_secrets(str(explained))) from None
    ours = without_hydra(tree)
    raise_all(ConfigError, secret_parts(ours, tree.hydra))  # first: what is said of other things repeats values
    sets = disagreeing_sets(tree, loader) if primary == PRIMARY else []
    raise_all(ConfigError, [*unsafe_parts(ours, tree.hydra), *sets])
    return tree


def check_job(overrides: Sequence[str], loader: "ConfigLoader") -> Config:
    """Compose one run and check all of it; call it inside `config_loader`.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    tree = compose_job(overrides, loader)
    return check_tree(tree, chosen_sets(tree.hydra))


def check_tree(tree: DictConfig, feature_sets: Sequence[str] = ()) -> Config:
    """Turn Hydra's composed tree into a typed `Config` with every value checked.

    Parameters
    ----------
    tree : DictConfig
        As Hydra composed it, with or without its own `hydra` node.
    feature_sets : sequence of str
        The chosen sets' names, for the record.

    Returns
    -------
    Config
        Plain dataclasses; durations (`168h` becomes `7d`) and instants in one spelling.
    """
    tree = without_hydra(tree)
    raise_all(ConfigError, unfixed_parts(tree))
    config = typing.cast("Config", typed(tree))
    raise_all(ConfigError, contradictions(config))
    config.feature_sets = list(feature_sets)
    return config


def typed(tree: DictConfig) -> Any:
    """Return the dataclass that a tree was composed by, every key known and every value checked."""
    try:
        missing = [_missing(key) for key in sorted(OmegaConf.missing_keys(tree))]
        raise_all(ConfigError, [*_unknown_keys(tree), *missing])
        config = OmegaConf.to_object(tree)
    except OmegaConfBaseException as error:  # an interpolation that does not resolve
        raise ConfigError(f"the config does not resolve: {hide_secrets(str(error).splitlines()[0])}") from None
    raise_all(ConfigError, list(_visit(config, "")))
    return config


def without_hydra(tree: DictConfig) -> DictConfig:
    """Return the tree without Hydra's own node."""
    copied = copy.copy(tree)
    with open_dict(copied):
        copied.pop("hydra", None)
    return copied


def _missing(key: str) -> str:
    return f"{key} has no value and no default: give it on the command line, {key}=VALUE, or in its config file"


def _unknown_keys(node: DictConfig, path: str = "") -> Iterator[str]:
    """Find keys that no schema declares: Hydra lets `+model.foo=1` add them past the schema."""
    schema = OmegaConf.get_type(node)
    if not dataclasses.is_dataclass(schema):
        for key in map(str, node) if path == "model.members." else ():
            yield from _unknown_keys(node[key], f"{path}{key}.")
        return
    known = [field.name for field in dataclasses.fields(schema) if not field.metadata.get("omegaconf_ignore")]
    for key in map(str, node):
        if key not in known:
            where = f" in {path.rstrip('.')}" if path else ""
            yield f"unknown key '{path}{key}'. {did_you_mean(key, known, f'Keys{where}')}"
        elif not OmegaConf.is_missing(node, key) and isinstance(node[key], DictConfig):
            yield from _unknown_keys(node[key], f"{path}{key}.")


def _visit(node: Any, path: str) -> Iterator[str]:
    """Check each field's value; durations and instants are replaced by their one spelling."""
    for field in dataclasses.fields(node):
        value, where = getattr(node, field.name), f"{path}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from _visit(value, f"{where}.")
        elif isinstance(value, dict) and any(map(dataclasses.is_dataclass, value.values())):
            for key, each in value.items():
                yield from _visit(each, f"{where}.{key}.")
        elif value is not None:
            try:
                setattr(node, field.name, _checked(value, field.metadata))
            except ValueError as error:
                yield f"{where}: {error}"
            if field.name != FEATURES:
                yield from _infinite(value, where)


def _checked(value: Any, metadata: typing.Mapping[str, Any]) -> Any:
    if kind := metadata.get("kind"):
        return _SPELLINGS[kind](value)
    words = metadata.get("choices")
    if words and value not in words:
        raise ValueError(f"{value!r} is not one of its words. {did_you_mean(value, words, 'Allowed')}")
    if problem := outside(value, metadata):
        raise ValueError(problem)
    return value


def _infinite(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{where}: {value} is not a finite number"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _infinite(item, f"{where}.{key}")


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "duration": lambda text: format_duration(parse_duration(text)),
    "embargo": lambda text: text.strip() if text.strip() == "auto" else format_duration(parse_duration(text)),
    "instant": lambda text: parse_instant(text).isoformat().replace("+00:00", "Z"),
    "moment": spelled_moment,
}
