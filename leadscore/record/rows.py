"""The log's rows as people ask for them: by columns and metrics, those that match, in the order of one of them."""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leadscore.errors import ConfigError, RecordError, did_you_mean, raise_all
from leadscore.record.log import COLUMNS, LOG, original, read_cells

__all__ = ["Condition", "LogRow", "check_name", "logged", "matching", "parse_condition", "sort_rows"]

Value = float | str | None
NUMBERS = ("auc", "precision_at_0_8_recall")
HASHES = ("config_hash", "run_id", "identity", "validation_hash")  # a prefix names them, as everywhere
SHOWN = tuple(name for name in COLUMNS if name != "metrics_json")
RUN_ID = COLUMNS.index("run_id")
PLACES = {name: place for place, name in enumerate(COLUMNS)}
_decode = json.JSONDecoder(parse_constant=lambda _: None).decode  # made once: rows come by the 100,000
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class LogRow:
    """One row: `cells` as they stand in the file, read when they are asked for."""

    cells: Sequence[str]

    @cached_property
    def measured(self) -> dict[str, Any]:
        """What `metrics_json` holds."""
        try:
            found = _decode(self.cells[-1] or "{}")
        except ValueError:  # edited by hand
            found = None
        return found if isinstance(found, dict) else {}

    def __getitem__(self, name: str) -> Value:
        """Return a column's value, or one of `metrics_json`, of which `checks.problem` is one in another."""
        place = PLACES.get(name)
        if place is not None:
            cell = self.cells[place]
            return (_number(cell) if name in NUMBERS else original(cell)) if cell else None
        value: Any = self.measured.get(name)
        if value is None and "." in name:
            outer, _, inner = name.partition(".")
            holder = self.measured.get(outer)
            value = holder.get(inner) if isinstance(holder, dict) else None
        return _plain(value)

    @property
    def names(self) -> set[str]:
        """The names of what is in `metrics_json`."""
        own = {key for key, value in self.measured.items() if not isinstance(value, dict)}
        inner = {key: value for key, value in self.measured.items() if isinstance(value, dict)}
        return own | {f"{key}.{name}" for key, values in inner.items() for name in values}

    def to_json(self) -> str:
        """Return the columns as a line of JSON, text as it was given, and `metrics` with what `metrics_json` holds."""
        return _encode({**{name: self[name] for name in SHOWN}, "metrics": self.measured})


def _number(cell: str) -> Value:
    try:
        number = float(cell)
    except ValueError:
        return original(cell)
    return number if math.isfinite(number) else None


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, int | float | str):
        return value
    return json.dumps(value)


def logged(roots: Sequence[str | Path]) -> list[LogRow]:
    """Return the rows of the logs of all roots, latest first; a run that several logs list is told once.

    Raises
    ------
    RecordError
        When no root has a log.
    """
    logs = [log for log in (Path(root) / LOG for root in roots) if log.is_file()]
    if not logs:
        where = ", ".join(str(root) for root in roots)
        raise RecordError(f"no {LOG} lies in {where}: no run was logged there, or leadscore runs rebuild makes it anew")
    cells = read_cells(logs[0])
    for log in logs[1:]:
        known = {row[RUN_ID] for row in cells}
        cells += [row for row in read_cells(log) if row[RUN_ID] not in known]
    if len(logs) > 1:
        cells.sort(key=lambda row: row[0])
    return [LogRow(row) for row in reversed(cells)]


@dataclass(frozen=True)
class Condition:
    """What `--where` says: a column's name, how it is compared, and with what."""

    name: str
    sign: str
    value: str

    def holds(self, row: LogRow) -> bool:
        """Whether a row meets it; a row without a value meets only `NAME=` and `NAME!=VALUE`."""
        found = row[self.name]
        if found is None:
            return (self.value == "") if self.sign == "=" else self.sign == "!=" and self.value != ""
        if self.sign in ("=", "!=") and self.name in HASHES and self.value:
            return str(found).startswith(self.value) == (self.sign == "=")
        if isinstance(found, str):
            return COMPARE[self.sign](found, self.value)
        number = _number(self.value)
        if not isinstance(number, float):
            return self.sign == "!="
        return COMPARE[self.sign](found, number)


def parse_condition(text: str) -> Condition:
    """Return the condition that a text spells.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> parse_condition("auc>=0.7")
    Condition(name='auc', sign='>=', value='0.7')
    """
    match = re.fullmatch(r"\s*([\w.]+)\s*(>=|<=|!=|=|>|<)(.*)", text, re.DOTALL)
    if match is None:
        raise ConfigError(f"--where {text}: write NAME=VALUE, or one of != >= <= > < in the place of =")
    return Condition(match[1], match[2], match[3].strip())


def matching(rows: Sequence[LogRow], conditions: Sequence[Condition]) -> list[LogRow]:
    """Return the rows that meet all conditions.

    Raises
    ------
    ConfigError
        When no row has a column of that name, or a number is compared with text; all such faults at once.
    """
    problems = []
    for each in conditions:
        try:
            check_name("--where", each.name, rows)
        except ConfigError as error:
            problems.append(str(error))
            continue
        is_number = each.name in NUMBERS or each.name not in PLACES
        if each.sign in (">", ">=", "<", "<=") and is_number and not isinstance(_number(each.value), float):
            problems.append(f"--where {each.name}{each.sign}{each.value}: '{each.value}' is no number")
        elif each.sign in (">", ">=", "<", "<=") and not is_number and each.name != "timestamp":
            problems.append(f"--where {each.name}{each.sign}{each.value}: {each.name} is text; compare it by = or !=")
    raise_all(ConfigError, problems)
    return [row for row in rows if all(each.holds(row) for each in conditions)]


def check_name(option: str, name: str, rows: Iterable[LogRow]) -> None:
    """Refuse a name that is no column and is in no row's `metrics_json`."""
    if name in SHOWN or any(name in row.names for row in rows):
        return
    known = {*SHOWN}.union(*(row.names for row in rows))
    raise ConfigError(f"{option} {name}: no run has it. {did_you_mean(name, known, 'Columns')}")


def sort_rows(rows: Sequence[LogRow], name: str, *, direction: str, ascending: bool = False) -> list[LogRow]:
    """Return rows by one of their values, those without it last.

    Parameters
    ----------
    rows : sequence of LogRow
        Of equals, what stands first here does so in the answer.
    name : str
    direction : {"higher", "lower", "zero"}
        Where better lies, which comes first; of text, `higher` is the end of the alphabet.
    ascending : bool
        The smallest first, whatever is better.
    """
    falling = direction == "higher" and not ascending
    by_size = abs if direction == "zero" and not ascending else float
    values = [(row[name], row) for row in rows]
    numbers = [(by_size(value), row) for value, row in values if isinstance(value, int | float)]
    texts = [(value, row) for value, row in values if isinstance(value, str)]
    numbers.sort(key=lambda each: each[0], reverse=falling)
    texts.sort(key=lambda each: each[0], reverse=falling)
    return [row for _, row in numbers] + [row for _, row in texts] + [row for value, row in values if value is None]
