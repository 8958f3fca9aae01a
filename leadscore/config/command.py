"""A command line as people write it, made ready for Hydra's parser: free notes, flags anywhere, jobs expanded."""

import itertools
import math
import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from leadscore.config.diagnose import explain_failure
from leadscore.config.secrets import refuse_secret_words
from leadscore.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["expand", "flags_first", "named_plugins", "parse_command", "quoted_note", "quoted_run"]

MANY = 50  # jobs whose check is worth a word to whoever waits
_PLAIN_RUN = re.compile(r"run=([\w.~/:-]+)")
MOST = 10_000  # jobs of one command


def parse_command() -> Namespace:
    """Parse `sys.argv`, rewritten so that Hydra, which parses it again, reads the same.

    Raises
    ------
    ConfigError
        For flags by which Hydra would run another config than the one that is checked, and for secrets.
    """
    refuse_secret_words(sys.argv[1:])
    sys.argv[1:] = flags_first([quoted_run(quoted_note(argument)) for argument in sys.argv[1:]])
    arguments = get_args_parser().parse_args()
    others = {
        "--config-path": arguments.config_path,
        "--config-name": arguments.config_name,
        "--experimental-rerun": arguments.experimental_rerun,
    }
    for flag, value in others.items():
        if value is not None:
            why = "it would run a config that nothing has checked; your own configs join by --config-dir"
            raise ConfigError(f"{flag} {value}: not allowed, {why}")
    return arguments


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
    """Return `notes=` quoted for Hydra, so that a note is free text: commas, question marks, `${...}`, anything.

    Examples
    --------
    >>> quoted_note("notes=does it help, really?")
    "notes='does it help, really?'"
    >>> quoted_note("notes='quoted already'"), quoted_note("seed=1")
    ("notes='quoted already'", 'seed=1')
    """
    key, is_assignment, text = argument.partition("=")
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    if key != "notes" or not is_assignment or not text or is_quoted:
        return argument
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)  # a quote is escaped, and so are backslashes before it
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", escaped)  # no interpolation
    trailing = re.search(r"\\*$", escaped)
    return f"notes='{escaped}{trailing[0] if trailing else ''}'"


def quoted_run(argument: str) -> str:
    """Return `run=` quoted for Hydra, to which a hash may look like a number and `latest~1` like nothing.

    Examples
    --------
    >>> quoted_run("run=1234e567"), quoted_run("run=latest~1"), quoted_run("run=a,b")
    ("run='1234e567'", "run='latest~1'", 'run=a,b')
    """
    plain = _PLAIN_RUN.fullmatch(argument)
    return f"run='{plain[1]}'" if plain else argument


def named_plugins(overrides: Sequence[str]) -> list[str]:
    """Return the modules that `plugins=[...]` names among the overrides.

    They are imported before composing: a model of one's own brings the schema of its parameters.

    Examples
    --------
    >>> named_plugins(["model=lightgbm", "plugins=[my_team.features]"])
    ['my_team.features']
    """
    named: list[str] = []
    for override in overrides:
        if override.startswith("plugins="):
            try:
                value = OverridesParser.create().parse_override(override).value()
            except HydraException:
                raise ConfigError(f"{override!r} is not a list of modules, as in plugins=[my_features]") from None
            named = [str(module) for module in value or []] if isinstance(value, list | None) else [str(value)]
    return named


def expand(overrides: Sequence[str], loader: "ConfigLoader | None") -> list[list[str]]:
    """Return each job's overrides: every combination of the values that are swept over.

    Raises
    ------
    ConfigError
        For overrides that cannot be read, and for more than 10,000 jobs.

    Examples
    --------
    >>> expand(["model=logistic,lightgbm", "seed=1"], None)
    [['model=logistic', 'seed=1'], ['model=lightgbm', 'seed=1']]
    """
    try:
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    except HydraException as error:
        assert loader is not None
        raise explain_failure(error, overrides, loader) from None
    choices = [_choices(override) for override in parsed]
    n_jobs = math.prod(len(values) for values in choices)
    if n_jobs > MOST:
        raise ConfigError(f"this command is {n_jobs:,} jobs, and at most {MOST:,} are taken at once: sweep over less")
    if n_jobs > MANY:
        print(f"leadscore: checking {n_jobs:,} jobs before the first one starts ...", file=sys.stderr)  # noqa: T201
    return [list(job) for job in itertools.product(*choices)]


def _choices(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    if not override.is_discrete_sweep():
        line = override.input_line
        raise ConfigError(f"{line}: a range without steps needs a sweeper that samples; list values or use range()")
    values = list(itertools.islice(override.sweep_string_iterator(), MOST + 1))
    return [f"{override.get_key_element()}={value}" for value in values]
