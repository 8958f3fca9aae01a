"""From override strings to Hydra's composed tree, with the shipped configs and a user's own."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, OmegaConf

from leadscore.config.paths import CONF
from leadscore.config.plus import PlusSearchPath, register_plus
from leadscore.config.schema import SCHEMAS, Config
from leadscore.config.score_schema import ComposedScore
from leadscore.config.sweeps import CHOICES
from leadscore.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = [
    "PRIMARY",
    "SCORE",
    "as_choice",
    "compose_tree",
    "config_loader",
    "group_choices",
    "register_configs",
    "register_schema",
]

PRIMARY, SCORE = "train", "score"  # what the doors compose: conf/train.yaml, conf/score.yaml


def register_schema(group: str, name: str, schema: type) -> None:
    """Make a dataclass the schema that `conf/GROUP/*.yaml` files name as `/schema/GROUP/NAME@_here_`."""
    ConfigStore.instance().store(group=f"schema/{group}", name=name, node=schema)


def register_configs() -> None:
    """Make the schema, the `+` of feature sets, our plugins and our resolvers known to Hydra and OmegaConf."""
    ConfigStore.instance().store(group="schema", name=PRIMARY, node=Config)
    ConfigStore.instance().store(group="schema", name=SCORE, node=ComposedScore)
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            register_schema(group, name, schema)
    register_plus()
    for group, plugins in CHOICES.items():
        for name, plugin in plugins.items():
            ConfigStore.instance().store(group=group, name=name, node=plugin, provider="leadscore")
    OmegaConf.register_new_resolver("run_token", lambda: secrets.token_hex(4), use_cache=True, replace=True)


@contextmanager
def config_loader(config_dir: str | Path | None = None) -> Iterator["ConfigLoader"]:
    """Give Hydra's loader over the shipped configs and `config_dir`; Hydra's own state stays as it was."""
    register_configs()
    if config_dir is not None:
        _refuse_unreadable(Path(config_dir))
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    PlusSearchPath.user_folder = None if config_dir is None else str(Path(config_dir).resolve())
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF), job_name=PRIMARY):
            yield GlobalHydra.instance().config_loader()
    finally:
        PlusSearchPath.user_folder = None
        GlobalHydra.instance().hydra = outer


@contextmanager
def as_choice(group: str, name: str, node: Any) -> Iterator[None]:
    """Make a typed value a choice of a group, for as long as something is composed on top of it."""
    store = ConfigStore.instance()
    store.store(group=group, name=name, node=node)
    try:
        yield
    finally:
        del store.repo[group][f"{name}.yaml"]
        if not store.repo[group]:
            del store.repo[group]


def _refuse_unreadable(config_dir: Path) -> None:
    """Refuse a folder that is not there, and files that a shipped one of the same name would hide."""
    if not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    files = sorted(path.relative_to(config_dir) for path in config_dir.rglob("*.yaml"))
    hidden = [str(file) for file in files if (CONF / file).is_file() and config_dir.resolve() != CONF]
    if hidden:
        raise ConfigError(
            f"--config-dir {config_dir}: {', '.join(hidden)} would be ignored, because leadscore ships a file of that "
            f"name; give yours another name"
        )


def compose_tree(overrides: Sequence[str], primary: str = PRIMARY) -> DictConfig:
    """Compose one job's tree, with Hydra's own node; call it inside `config_loader`."""
    return compose(primary, overrides=list(overrides), return_hydra_config=True)


def group_choices(loader: "ConfigLoader") -> dict[str, list[str]]:
    """Return every config group of ours with its choices."""
    # The loader's own method copies all configs at every call; its repository lists names without.
    repository: Any = loader.repository  # type: ignore[attr-defined]
    groups = repository.get_group_options("", ObjectType.GROUP)
    return {name: repository.get_group_options(name) for name in groups if name not in ("hydra", "schema")}
