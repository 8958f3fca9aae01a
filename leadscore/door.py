"""How the command line gets in: every job of the command is composed and checked before the first one starts.

Hydra then composes again and does what it is good at: folders, multirun, logging. A user's mistake is one
message without a traceback and exit status 1; a job that fails while running never stops the others. Who stops the
command stops them all.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from leadscore.config.checks import check_job, check_tree, without_hydra
from leadscore.config.command import expand, named_plugins, parse_command
from leadscore.config.compose import PRIMARY, compose_tree, config_loader, group_choices, register_configs
from leadscore.config.diagnose import explain_failure
from leadscore.config.paths import CONF
from leadscore.config.safety import unsafe_parts
from leadscore.config.schema import Config
from leadscore.config.secrets import secret_parts
from leadscore.config.sets import chosen_sets
from leadscore.errors import ConfigError, LeadscoreError, raise_all

__all__ = ["open_door"]

Job = Callable[[Config, Path | None], None]

HELP = """\
leadscore.train: compose a lead-scoring run, check it, train it, measure it, record it.

Groups and their choices (GROUP=CHOICE):

{groups}

  features=+NAME is the base set and NAME; features=NAME is that set alone.

The run as composed (KEY=VALUE overrides any of it):

{config}
Examples:

  python -m leadscore.train model=lightgbm features=+sessions notes="first try"
  python -m leadscore.train -m model=logistic,lightgbm features=base,+sessions
  python -m leadscore.train validate_only=true window=snapshots window.max_age=90d

-m runs every combination; --config-dir FOLDER adds your own configs.
--hydra-help tells more about Hydra's flags; --shell-completion installs completion."""


class Refused(CompactHydraException):
    """Hydra prints its text and exits with 1, without a traceback."""


def open_door(job: Job, check: Callable[[Config], Any], load_plugins: Callable[[Sequence[str]], None]) -> None:
    """Run the command line in `sys.argv`.

    Parameters
    ----------
    job : callable
        `job(config, folder)`: one run; the folder is None when `validate_only` leaves none.
    check : callable
        `check(config)`: what else can be refused before any data are read, such as unknown names.
    load_plugins : callable
        `load_plugins(modules)`: imports what `plugins=[...]` on the command line names, before composing.
    """
    try:
        arguments = parse_command()
        load_plugins(named_plugins(arguments.overrides))
        if arguments.help:
            print(help_text(arguments))  # noqa: T201
            return
        if not _only_asks(arguments):
            configs = check_command(arguments, check)
            if all(config.validate_only for config in configs):  # no run, so no folder and no log either
                for config in configs:
                    job(config, None)
                return
    except LeadscoreError as error:
        sys.exit(f"leadscore: {error}")
    register_configs()
    with _stoppable():
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=PRIMARY)(_task(job))()


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


def _task(job: Job) -> Callable[[DictConfig], None]:
    def task(tree: DictConfig) -> None:
        state = HydraConfig.get()
        try:
            # What Hydra composed is checked again: it, and not the check's own composition, is what runs.
            raise_all(ConfigError, [*secret_parts(tree, state), *unsafe_parts(tree, state)])
            job(check_tree(tree, chosen_sets(state)), Path(state.runtime.output_dir))
        except LeadscoreError as error:
            if state.mode == RunMode.MULTIRUN:  # Hydra would tell only the first failure, and only at the end
                print(f"leadscore: job {state.job.num} failed: {error}", file=sys.stderr)  # noqa: T201
            raise Refused(f"leadscore: {error}") from None

    task.__module__, task.__qualname__ = "leadscore.train", "train"  # Hydra names the job after it
    return task


def _only_asks(arguments: Any) -> bool:
    """Whether the command makes Hydra show something (--cfg job, --info, ...) instead of running."""
    return bool(arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion)


def help_text(arguments: Any) -> str:
    """Return `--help`: the groups with their choices, and the run as these overrides compose it."""
    with config_loader(arguments.config_dir) as loader:
        try:
            tree = compose_tree(arguments.overrides)
        except Exception as error:
            raise explain_failure(error, arguments.overrides, loader) from None
        groups = [f"  {name}: {_plain(choices)}" for name, choices in group_choices(loader).items()]
        return HELP.format(groups="\n".join(groups), config=OmegaConf.to_yaml(without_hydra(tree)))


def _plain(choices: Sequence[str]) -> str:
    return ", ".join(name for name in choices if not name.startswith("+")) or "none yet"


def _refuse_taken_folder(overrides: Sequence[str]) -> None:
    """Refuse a folder that holds a run, before Hydra writes its own files over that run's."""
    for override in overrides:
        key, _, folder = override.partition("=")
        if key == "hydra.run.dir" and (Path(folder) / "identity.json").exists():
            raise ConfigError(f"{override}: the folder holds a run already; a run never writes into another's folder")


def check_command(arguments: Any, check: Callable[[Config], Any]) -> list[Config]:
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
                configs.append(check_job(overrides, loader))
                check(configs[-1])
            except LeadscoreError as error:
                if len(jobs) == 1:
                    raise
                which = f"job {number} of {len(jobs)} ({' '.join(overrides)})"
                raise type(error)(f"{which}: {error}\nNo job was started.") from None
        return configs
