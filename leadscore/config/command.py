"""A command line as people write it, made ready for Hydra's parser: free notes, flags anywhere, jobs expanded."""

import itertools
import math
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from leadscore.config.diagnose import explain_failure
from leadscore.config.secrets import refuse_secret_words
from leadscore.errors import ConfigError, LeadscoreError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["Grid", "check_each", "flags_first", "named_plugins", "parse_command", "quoted_note", "quoted_run"]

T = TypeVar("T")
MANY = 50  # jobs whose check is worth a word to whoever waits
COUNTED = 1_000_000  # values of one override; whoever writes more means something else
_PLAIN_RUN = re.compile(r"run=([\w.~/:-]+)")


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


class Grid:
    """The jobs of one command: every combination of the values that are swept over.

    Parameters
    ----------
    overrides : sequence of str
        As written, `model=logistic,lightgbm` or `seed=range(5)` among them.
    loader : ConfigLoader, optional
        Knows the choices that a `glob` stands for.

    Raises
    ------
    ConfigError
        For overrides that cannot be read or list no values.

    Examples
    --------
    >>> grid = Grid(["model=logistic,lightgbm", "seed=1"], None)
    >>> grid.n_jobs, list(grid)
    (2, [['model=logistic', 'seed=1'], ['model=lightgbm', 'seed=1']])
    """

    def __init__(self, overrides: Sequence[str], loader: "ConfigLoader | None") -> None:
        try:
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
        except HydraException as error:
            assert loader is not None
            raise explain_failure(error, overrides, loader) from None
        self._choices = [_choices(override) for override in parsed]

    @property
    def n_jobs(self) -> int:
        """How many there are."""
        return math.prod(len(values) for values in self._choices)

    def __iter__(self) -> Iterator[list[str]]:
        return map(list, itertools.product(*self._choices))

    @property
    def is_cut(self) -> bool:
        """Whether an override has more values than anybody counts: there are more jobs than `n_jobs`."""
        return any(len(values) == COUNTED for values in self._choices)

    @property
    def swept(self) -> list[str]:
        """The keys that have several values."""
        return [values[0].partition("=")[0] for values in self._choices if len(values) > 1]


def _choices(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    line = override.input_line
    if not override.is_discrete_sweep():
        raise ConfigError(f"{line}: a range without steps needs a sweeper that samples; list values or use range()")
    values = list(itertools.islice(override.sweep_string_iterator(), COUNTED))
    if not values:
        raise ConfigError(f"{line}: no value is in it, so there is no job")
    return [f"{override.get_key_element()}={value}" for value in values]


def check_each(
    jobs: Iterable[list[str]], n_jobs: int, check: Callable[[list[str]], T]
) -> Iterator[tuple[list[str], T]]:
    """Yield each job's overrides and what `check` makes of them; one wrong job refuses them all, by its number.

    Raises
    ------
    LeadscoreError
    """
    for number, overrides in enumerate(jobs):
        if number == MANY:
            print("leadscore: checking each before the first one starts ...", file=sys.stderr)  # noqa: T201
        try:
            yield overrides, check(overrides)
        except LeadscoreError as error:
            if n_jobs == 1:
                raise
            which = f"job {number} of {n_jobs:,} ({' '.join(overrides)})"
            raise type(error)(f"{which}: {error}\nNo job was started.") from None
