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
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from leadscore.config.checks import without_hydra
from leadscore.config.command import Grid, check_each, named_plugins, parse_command
from leadscore.config.compose import compose_tree, config_loader, group_choices, register_configs
from leadscore.config.diagnose import explain_failure
from leadscore.config.paths import CONF
from leadscore.config.safety import unsafe_parts
from leadscore.config.secrets import secret_parts
from leadscore.config.sweeps import LAUNCHER, MOST, SWEEPER
from leadscore.errors import ConfigError, LeadscoreError, raise_all

__all__ = ["Door", "open_door", "task_of"]


GRIDS = (SWEEPER, "hydra._internal.core_plugins.basic_sweeper.BasicSweeper")  # they run every combination


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
        `job(config, folder)`: one job, and its value for a sweeper that searches; the folder is None when
        `validate_only` leaves none.
    load_plugins : callable
        `load_plugins(modules)`: imports what `plugins=[...]` on the command line names, before composing.
    own_groups : tuple of str
        The config groups that `--help` lists; empty: all.
    sweeps : bool
        Whether its jobs are runs: our launchers resume them and tell of them in one table.
    """

    name: str
    help: str
    compose: Callable[[Sequence[str], Any], C]
    typed: Callable[[DictConfig, Any], C]
    check: Callable[[C], Any]
    job: Callable[[C, Path | None], float | None]
    load_plugins: Callable[[Sequence[str]], None]
    own_groups: tuple[str, ...] = ()
    sweeps: bool = False


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
        configs = [] if _only_asks(arguments) else check_command(door, arguments)
        if configs and all(config.validate_only for config in configs):  # no run, so no folder and no log either
            for config in configs:
                door.job(config, None)
            return
        register_configs()
        with _stoppable(), _sweeping(door, arguments):
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=door.name)(_task(door))()
    except LeadscoreError as error:
        sys.exit(f"leadscore: {error}")


@contextmanager
def _sweeping(door: Door[C], arguments: Any) -> Iterator[None]:
    """Let our launchers do the jobs of a sweep; leave with 1 when one of them came to nothing."""
    if not (arguments.multirun and door.sweeps) or _only_asks(arguments):
        yield
        return
    from leadscore.sweeps.launcher import sweeping
    from leadscore.sweeps.sweep import Command

    with sweeping(Command(list(arguments.overrides), arguments.config_dir), cast("Any", door.check)) as sweep:
        yield
    if sweep.unfinished:
        sys.exit(f"leadscore: {len(sweep.unfinished):,} of {len(sweep.jobs):,} jobs came to no result")


def not_for_all() -> None:
    """Let not everybody write what this process leaves, whatever the umask is: a model in a run's folder decides."""
    os.umask(os.umask(0o022) | 0o002)


class Terminated(KeyboardInterrupt):
    """SIGTERM as Python has Ctrl-C: what is at work winds up and writes down how it ended."""

    signal = signal.SIGTERM


@contextmanager
def _stoppable() -> Iterator[None]:
    """Leave with what shells expect of a stopped command, 130 or 143, and without a traceback."""

    def terminate(*_: object) -> None:
        raise Terminated("stopped by SIGTERM")

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = getattr(stop, "signal", signal.SIGINT)
        print(f"leadscore: {str(stop) or 'stopped by Ctrl-C'}", file=sys.stderr)  # noqa: T201
        sys.exit(128 + number)
    finally:
        signal.signal(signal.SIGTERM, before)


def task_of(door: Door[C]) -> Callable[[DictConfig], float | None]:
    """Return what Hydra calls for a job: what it composed is checked again, for that is what runs."""

    def task(tree: DictConfig) -> float | None:
        state = HydraConfig.get()
        raise_all(ConfigError, [*secret_parts(tree, state), *unsafe_parts(tree, state)])
        return door.job(door.typed(tree, state), Path(state.runtime.output_dir))

    task.__module__, task.__qualname__ = f"leadscore.{door.name}", door.name  # Hydra names the job after it
    return task


def _task(door: Door[C]) -> Callable[[DictConfig], float | None]:
    """Return the task of this process: a single run, or, where Hydra has it, a job of another launcher than ours."""
    do = task_of(door)

    def task(tree: DictConfig) -> float | None:
        state = HydraConfig.get()
        in_sweep = state.mode == RunMode.MULTIRUN
        try:
            if in_sweep and door.sweeps and (known := _known(door.typed(tree, state), state.job.num)) is not None:
                return known
            return do(tree)
        except LeadscoreError as error:
            if in_sweep:  # Hydra would tell only the first failure, and only at the end
                print(f"leadscore: job {state.job.num} failed: {error}", file=sys.stderr)  # noqa: T201
            raise Refused(f"leadscore: {error}") from None

    task.__module__, task.__qualname__ = do.__module__, do.__qualname__
    return task


def _known(config: Any, number: int) -> float | None:
    """Return the AUC of a recorded run that is the very same as this job of another launcher; None where there is none.

    Raises
    ------
    ConfigError
        When the config asks for what only our launchers do.
    """
    from leadscore.sweeps.known import known_auc

    ours = {"fail_fast": False, "timeout": None, "memory_gb": None}
    asked = [f"sweep.{key}={value}" for key in ours if (value := getattr(config.sweep, key)) != ours[key]]
    if asked:
        launchers = "hydra/launcher=sequential and hydra/launcher=parallel"
        raise ConfigError(f"{', '.join(asked)}: {launchers} see to that, and another launcher was chosen")
    found = known_auc(config)
    if found is None:
        return None
    run_id, auc = found
    print(f"leadscore: job {number} is known, run {run_id}", file=sys.stderr)  # noqa: T201
    return float("nan") if auc is None else auc


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
    """Compose and check the jobs of a command, and return their configs; one wrong job refuses them all.

    Where our own sweeper is to compose them, which checks them in the same way, only the first one is done here.

    Raises
    ------
    LeadscoreError
        Saying which job it is about, when there are several.
    """
    with config_loader(arguments.config_dir) as loader:
        check = partial(_checked, door, loader)
        if not arguments.multirun:
            return [check(arguments.overrides)]
        grid = Grid(arguments.overrides, loader)
        checks = check_each(grid, grid.n_jobs, check)
        overrides, first = next(checks)
        hydra_node = compose_tree(overrides, door.name).hydra
        sweeper = str(hydra_node.sweeper._target_)
        if not door.sweeps and {sweeper, str(hydra_node.launcher._target_)} & {SWEEPER, LAUNCHER}:
            raise ConfigError(f"jobs of leadscore.{door.name} are no runs: Hydra's own launcher and sweeper do them")
        what = ("job" if grid.n_jobs == 1 else "jobs") if sweeper in GRIDS else "combinations to search among"
        said = f"{grid.n_jobs:,} {what}{' or more' if grid.is_cut else ''}"
        print(f"leadscore: {said}", file=sys.stderr)  # noqa: T201
        most = getattr(getattr(first, "sweep", None), "max_jobs", MOST)
        if grid.n_jobs > most:
            raise ConfigError(f"this command is {said}; sweep.max_jobs={most:,} allows no more: sweep over less")
        if door.sweeps and not first.validate_only and sweeper == SWEEPER:
            return [first]
        return [first, *(config for _, config in checks)]


def _checked(door: Door[C], loader: Any, overrides: Sequence[str]) -> C:
    _refuse_taken_folder(overrides)
    config = door.compose(overrides, loader)
    door.check(config)
    return config
