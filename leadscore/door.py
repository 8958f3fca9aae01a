"""How the command line gets in: every job of the command is composed and checked before the first one starts.

Hydra then composes again and does what it is good at: folders, multirun, logging. A user's mistake is one
message without a traceback and exit status 1; a job that fails while running never stops the others. Who stops the
command stops them all.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from leadscore.config.checks import without_hydra
from leadscore.config.command import expand, named_plugins, parse_command
from leadscore.config.compose import compose_tree, config_loader, group_choices, register_configs
from leadscore.config.diagnose import explain_failure
from leadscore.config.paths import CONF
from leadscore.config.safety import unsafe_parts
from leadscore.config.secrets import secret_parts
from leadscore.errors import ConfigError, LeadscoreError, raise_all

__all__ = ["Door", "open_door"]


class Jobs(Protocol):
    """What every door's config can say."""

    validate_only: bool


C = TypeVar("C", bound=Jobs)


@dataclass(frozen=True)
class Door(Generic[C]):
    """One Hydra application.

    Attributes
    ----------
    name : str
        Of the primary config in `conf/` and of the module, `leadscore.NAME`.
    help : str
        With `{groups}` and `{config}`.
    compose : callable
        `compose(overrides, loader)`: one job's checked config.
    typed : callable
        `typed(tree, state)`: the same of what Hydra composed.
    check : callable
        `check(config)`: what else can be refused before any data are read, such as unknown names.
    job : callable
        `job(config, folder)`: one job; the folder is None when `validate_only` leaves none.
    load_plugins : callable
        `load_plugins(modules)`: imports what `plugins=[...]` on the command line names, before composing.
    own_groups : tuple of str
        The config groups that `--help` lists; empty: all.
    """

    name: str
    help: str
    compose: Callable[[Sequence[str], Any], C]
    typed: Callable[[DictConfig, Any], C]
    check: Callable[[C], Any]
    job: Callable[[C, Path | None], None]
    load_plugins: Callable[[Sequence[str]], None]
    own_groups: tuple[str, ...] = ()


class Refused(CompactHydraException):
    """Hydra prints its text and exits with 1, without a traceback."""


def open_door(door: Door[C]) -> None:
    """Run the command line in `sys.argv`."""
    not_for_all()
    try:
        arguments = parse_command()
        door.load_plugins(named_plugins(arguments.overrides))
        if arguments.help:
            print(help_text(door, arguments))  # noqa: T201
            return
        if not _only_asks(arguments):
            configs = check_command(door, arguments)
            if all(config.validate_only for config in configs):  # no run, so no folder and no log either
                for config in configs:
                    door.job(config, None)
                return
    except LeadscoreError as error:
        sys.exit(f"leadscore: {error}")
    register_configs()
    with _stoppable():
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=door.name)(_task(door))()


def not_for_all() -> None:
    """Let not everybody write what this process leaves, whatever the umask is: a model in a run's folder decides."""
    os.umask(os.umask(0o022) | 0o002)


class Terminated(KeyboardInterrupt):
    """SIGTERM as Python has Ctrl-C: what is at work winds up and writes down how it ended."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Leave with what shells expect of a stopped command, 130 or 143, and without a traceback."""

    def terminate(*_: object) -> None:
        raise Terminated("stopped by SIGTERM")

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        print(f"leadscore: {str(stop) or 'stopped by Ctrl-C'}", file=sys.stderr)  # noqa: T201
        sys.exit(128 + number)
    finally:
        signal.signal(signal.SIGTERM, before)


def _task(door: Door[C]) -> Callable[[DictConfig], None]:
    def task(tree: DictConfig) -> None:
        state = HydraConfig.get()
        try:
            # What Hydra composed is checked again: it, and not the check's own composition, is what runs.
            raise_all(ConfigError, [*secret_parts(tree, state), *unsafe_parts(tree, state)])
            door.job(door.typed(tree, state), Path(state.runtime.output_dir))
        except LeadscoreError as error:
            if state.mode == RunMode.MULTIRUN:  # Hydra would tell only the first failure, and only at the end
                print(f"leadscore: job {state.job.num} failed: {error}", file=sys.stderr)  # noqa: T201
            raise Refused(f"leadscore: {error}") from None

    task.__module__, task.__qualname__ = f"leadscore.{door.name}", door.name  # Hydra names the job after it
    return task


def _only_asks(arguments: Any) -> bool:
    """Whether the command makes Hydra show something (--cfg job, --info, ...) instead of running."""
    return bool(arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion)


def help_text(door: Door[C], arguments: Any) -> str:
    """Return `--help`: the groups with their choices, and the job as these overrides compose it."""
    with config_loader(arguments.config_dir) as loader:
        try:
            tree = without_hydra(compose_tree(arguments.overrides, door.name))
        except Exception as error:
            raise explain_failure(error, arguments.overrides, loader, door.name) from None
        choices = group_choices(loader)
        hidden = set(choices) - set(door.own_groups or choices)
        groups = [f"  {name}: {_plain(each)}" for name, each in choices.items() if name not in hidden]
        shown = OmegaConf.masked_copy(tree, [str(key) for key in tree if key not in hidden])
        return door.help.format(groups="\n".join(groups), config=OmegaConf.to_yaml(shown))


def _plain(choices: Sequence[str]) -> str:
    return ", ".join(name for name in choices if not name.startswith("+")) or "none yet"


def _refuse_taken_folder(overrides: Sequence[str]) -> None:
    """Refuse a folder that holds a run, before Hydra writes its own files over that run's."""
    for override in overrides:
        key, _, folder = override.partition("=")
        if key == "hydra.run.dir" and (Path(folder) / "identity.json").exists():
            raise ConfigError(f"{override}: the folder holds a run already; a run never writes into another's folder")


def check_command(door: Door[C], arguments: Any) -> list[C]:
    """Compose and check every job of a command, and return their configs; one wrong job refuses them all.

    Raises
    ------
    LeadscoreError
        Saying which job it is about, when there are several.
    """
    with config_loader(arguments.config_dir) as loader:
        jobs = expand(arguments.overrides, loader) if arguments.multirun else [list(arguments.overrides)]
        configs = []
        for number, overrides in enumerate(jobs):
            try:
                _refuse_taken_folder(overrides)
                configs.append(door.compose(overrides, loader))
                door.check(configs[-1])
            except LeadscoreError as error:
                if len(jobs) == 1:
                    raise
                which = f"job {number} of {len(jobs)} ({' '.join(overrides)})"
                raise type(error)(f"{which}: {error}\nNo job was started.") from None
        return configs
