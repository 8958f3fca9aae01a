"""Config names things; it never carries code.

Hydra would import and call whatever `_target_` or a logging class names. Its own blocklist is no boundary
(1.3.8 refuses `os.system` and runs `pandas.read_pickle`), so leadscore refuses all of it, wherever it stands,
apart from what Hydra and installed Hydra plugins ship.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from leadscore.config.paths import CONF

__all__ = ["unsafe_parts"]

HYDRAS_OWN = ("hydra._internal.", "hydra_plugins.")
LOGGING = ("job_logging", "hydra_logging")
SHIPPED_LOGGING = ("leadscore", "silent")


def unsafe_parts(tree: DictConfig, hydra: Any) -> list[str]:
    """Return a sentence for each part of a composed config that would make Hydra run foreign code.

    Parameters
    ----------
    tree : DictConfig
        The run's own config.
    hydra : DictConfig
        Hydra's node beside it.
    """
    ours = OmegaConf.to_container(tree, resolve=False)
    theirs = OmegaConf.to_container(hydra, resolve=False)
    assert isinstance(theirs, dict)
    found = [f"{at}: _target_ is not allowed in a config; a config names registered things" for at, _ in _targets(ours)]
    for at, target in _targets(theirs, "hydra"):
        if not str(target).startswith(HYDRAS_OWN) and target not in _named_by_plugins():
            found.append(f"{at}: _target_ {target!r} is neither Hydra's own nor an installed Hydra plugin's")
    if theirs.get("callbacks"):
        found.append(f"hydra.callbacks {theirs['callbacks']}: callbacks would run foreign code and are not allowed")
    if theirs.get("sweeper", {}).get("params"):
        found.append("hydra.sweeper.params: values to sweep over stand on the command line, where they are checked")
    for node in LOGGING:
        found.extend(_foreign_logging(node, hydra))
    return found


def _named_by_plugins() -> set[str]:
    """Return the targets in the configs that installed Hydra plugins ship: a sweeper's samplers, say."""
    return set(_in_store(ConfigStore.instance().repo.get("hydra", {})))


def _in_store(repo: Any) -> Iterator[str]:
    for entry in repo.values():
        if isinstance(entry, dict):
            yield from _in_store(entry)
        elif str(getattr(OmegaConf.get_type(entry.node), "__module__", "")).startswith("hydra_plugins."):
            yield from (str(target) for _, target in _targets(OmegaConf.to_container(entry.node, resolve=False)))


def _foreign_logging(node: str, hydra: Any) -> Iterator[str]:
    choice = hydra.runtime.choices.get(f"hydra/{node}")
    if choice not in SHIPPED_LOGGING:
        allowed = ", ".join(SHIPPED_LOGGING)
        yield f"hydra/{node}={choice} is not allowed: a logging config can name any class. Allowed: {allowed}"
        return
    if _shipped(node, choice) != OmegaConf.to_container(hydra[node], resolve=False):
        yield f"hydra.{node} was edited: logging is chosen (hydra/{node}=silent), not edited; it can name any class"


@cache
def _shipped(node: str, choice: str) -> Any:
    return OmegaConf.to_container(OmegaConf.load(CONF / "hydra" / node / f"{choice}.yaml"))


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        where = f"{path}.{key}" if path else str(key)
        if key == "_target_":
            yield where, value
        yield from _targets(value, where)
