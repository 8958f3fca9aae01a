"""How the command line gets in: every job of the command is composed and checked before the first one starts.

Hydra then composes again and does what it is good at: folders, multirun, logging. A user's mistake is one
message without a traceback and exit status 1; a job that fails while running never stops the others.
"""

import itertools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from leadscore.config.checks import check_job, check_tree, without_hydra
from leadscore.config.compose import (
    PRIMARY,
    compose_tree,
    config_loader,
    group_choices,
    named_plugins,
    register_configs,
)
from leadscore.config.diagnose import explain_failure
from leadscore.config.paths import CONF
from leadscore.config.schema import Config
from leadscore.config.sets import chosen_sets
from leadscore.errors import ConfigError, LeadscoreError

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

-m runs every combination; --config-dir FOLDER adds your own configs. Flags stand before the overrides.
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
    sys.argv[1:] = flags_first([quoted_note(argument) for argument in sys.argv[1:]])
    arguments = get_args_parser().parse_args()
    try:
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

    def task(tree: DictConfig) -> None:
        state = HydraConfig.get()
        try:
            job(check_tree(tree, chosen_sets(state)), Path(state.runtime.output_dir))
        except LeadscoreError as error:
            if state.mode == RunMode.MULTIRUN:  # Hydra would tell only the first failure, and only at the end
                print(f"leadscore: job {state.job.num} failed: {error}", file=sys.stderr)  # noqa: T201
            raise Refused(f"leadscore: {error}") from None

    task.__module__, task.__qualname__ = "leadscore.train", "train"
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=PRIMARY)(task)()


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Move `-m` and `--config-dir` before the overrides, between which Hydra's parser refuses them.

    Examples
    --------
    >>> flags_first(["data=crm", "-m", "model=a,b", "--config-dir", "my_conf"])
    ['-m', '--config-dir', 'my_conf', 'data=crm', 'model=a,b']
    """
    flags: list[str] = []
    others = list(arguments)
    for flag, has_value in (("-m", False), ("--multirun", False), ("--config-dir", True), ("-cd", True)):
        while flag in others:
            at = others.index(flag)
            taken = slice(at, at + 1 + has_value)
            flags += others[taken]
            del others[taken]
    return [*flags, *others]


def quoted_note(argument: str) -> str:
    """Return `notes=` quoted for Hydra, so that a note is free text: commas, question marks, anything.

    Examples
    --------
    >>> quoted_note("notes=does it help, really?")
    "notes='does it help, really?'"
    >>> quoted_note("notes='quoted already'"), quoted_note("seed=1")
    ("notes='quoted already'", 'seed=1')
    """
    key, is_assignment, text = argument.partition("=")
    if key != "notes" or not is_assignment or not text or text[0] in "'\"":
        return argument
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)  # a quote is escaped, and so are backslashes before it
    trailing = re.search(r"\\*$", escaped)
    return f"notes='{escaped}{trailing[0] if trailing else ''}'"


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


def check_command(arguments: Any, check: Callable[[Config], Any]) -> list[Config]:
    """Compose and check every job of a command, and return their configs; one wrong job refuses them all.

    Raises
    ------
    ConfigError
        Saying which job it is about, when there are several.
    """
    with config_loader(arguments.config_dir) as loader:
        jobs = expand(arguments.overrides, loader) if arguments.multirun else [list(arguments.overrides)]
        configs = []
        for number, overrides in enumerate(jobs):
            try:
                configs.append(check_job(overrides, loader))
                check(configs[-1])
            except LeadscoreError as error:
                if len(jobs) == 1:
                    raise
                raise type(error)(
                    f"job {number} of {len(jobs)} ({' '.join(overrides)}): {error}\nNo job was started."
                ) from None
        return configs


def expand(overrides: Sequence[str], loader: Any) -> list[list[str]]:
    """Return each job's overrides: every combination of the values that are swept over.

    Examples
    --------
    >>> expand(["model=logistic,lightgbm", "seed=1"], None)
    [['model=logistic', 'seed=1'], ['model=lightgbm', 'seed=1']]
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    try:
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    except HydraException as error:
        raise explain_failure(error, overrides, loader) from None
    choices = []
    for override in parsed:
        if not override.is_sweep_override():
            choices.append([override.input_line or ""])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            raise ConfigError(
                f"{override.input_line}: a range without steps needs a sweeper that samples; list values or use range()"
            )
    return [list(job) for job in itertools.product(*choices)]
