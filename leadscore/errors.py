"""Every error that leadscore raises on purpose, as one tree.

::

    LeadscoreError
    ├── ConfigError      the composed config: unknown names, wrong types, values that contradict
    ├── DataError        the tables: files, columns, times, ids, statuses, labels
    ├── FeatureError     a feature: its declaration, its contract, its output
    ├── WindowError      observation points, outcomes, folds: nothing left, or no time left
    ├── ModelError       a model: its contract, one class, a saved folder that cannot be trusted
    ├── ComputeError     a cluster: does not answer, is of other versions, lost its workers or a row
    └── RecordError      the run folder and the log: not writable, not found, ambiguous

A message says what was found, where, how many, what is allowed, and which config key decides.
The doors print it without a traceback; anything that is not a LeadscoreError is a bug and keeps its own.
"""

from collections.abc import Iterable, Sequence

__all__ = [
    "ComputeError",
    "ConfigError",
    "DataError",
    "FeatureError",
    "LeadscoreError",
    "ModelError",
    "RecordError",
    "WindowError",
    "did_you_mean",
    "examples",
    "raise_all",
]


class LeadscoreError(Exception):
    """Something a user can mend; its text is the whole message."""


class ConfigError(LeadscoreError):
    """The composed config cannot be run."""


class DataError(LeadscoreError):
    """The tables are not what the data config says they are."""


class FeatureError(LeadscoreError):
    """A feature is unknown, badly declared, or broke its contract."""


class WindowError(LeadscoreError):
    """The window or the folds leave nothing to train or to validate on."""


class ModelError(LeadscoreError):
    """A model broke its contract, or cannot be fitted on what it got."""


class ComputeError(LeadscoreError):
    """A cluster could not be reached, does not agree with this process, or failed."""


class RecordError(LeadscoreError):
    """A run could not be written, found or read."""


def raise_all(kind: type[LeadscoreError], problems: Sequence[str]) -> None:
    """Raise one error that lists all problems of a stage; do nothing when there are none.

    Examples
    --------
    >>> raise_all(ConfigError, [])
    >>> raise_all(ConfigError, ["first", "second"])
    Traceback (most recent call last):
    leadscore.errors.ConfigError: 2 problems:
      1. first
      2. second
    """
    if not problems:
        return
    if len(problems) == 1:
        raise kind(problems[0])
    lines = [f"  {number}. {problem}" for number, problem in enumerate(problems, 1)]
    raise kind("\n".join([f"{len(problems)} problems:", *lines]))


def did_you_mean(name: str, known: Iterable[str], what: str = "Known") -> str:
    """Return the nearest known name, if one is near, and the list of known names.

    Examples
    --------
    >>> did_you_mean("lightgmb", ["logistic", "lightgbm"])
    "Did you mean 'lightgbm'? Known: lightgbm, logistic."
    """
    import difflib

    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}{what}: {', '.join(names) if names else 'none'}."


def examples(values: Iterable[object], limit: int = 3) -> str:
    """Return up to `limit` values as text, for the "where" of a message.

    Examples
    --------
    >>> examples(["a", "b", "c", "d"])
    "'a', 'b', 'c', ..."
    """
    listed = list(values)
    shown = ", ".join(repr(value) for value in listed[:limit])
    return shown + (", ..." if len(listed) > limit else "")
