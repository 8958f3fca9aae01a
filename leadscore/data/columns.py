"""Which columns a table needs, and what they are called in its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadscore.config.schema import FilesData, TableConfig
from leadscore.errors import DataError, did_you_mean, raise_all

__all__ = ["ROW_NUMBER", "ROW_ORDER", "Wanted", "event_columns", "lead_columns"]

ROW_NUMBER, ROW_ORDER = "row_number", "row_order"  # stand for the row's position instead of a column

LEADS = {
    "user_id": "text",
    "created_at": "time",
    "status": "text",
    "converted_at": "time",
    "closed_at": "time",
    "as_of": "time",
    "label": "text",
}
EVENTS = {
    "user_id": "text",
    "timestamp": "time",
    "event_type": "text",
    "event_id": "text",
    "ingested_at": "time",
    "amount": "number",
    "currency": "text",
}
# They change what an observation is: a column that only happens to have such a name must not.
ONLY_MAPPED = ("as_of", "label")
ATTRIBUTE_KINDS = {"number": "number", "category": "text"}


@dataclass(frozen=True)
class Wanted:
    """A table's columns as the config asks for them.

    Attributes
    ----------
    key : str
        `data.leads` or `data.events`.
    kinds : mapping of str to str
        Leadscore's name to `text`, `time` or `number`.
    required : frozenset of str
        Leadscore's names that must be found.
    mapped : mapping of str to str
        `columns` of the table's config.
    """

    key: str
    kinds: Mapping[str, str]
    required: frozenset[str]
    mapped: Mapping[str, str]

    def file_name(self, name: str) -> str:
        """Return what leadscore's `name` is called in the files."""
        return self.mapped.get(name, name)

    def by_position(self, name: str) -> bool:
        """Whether the row's position gives the value, not a column."""
        return self.mapped.get(name) in (ROW_NUMBER, ROW_ORDER)

    def in_files(self, header: Sequence[str]) -> list[str]:
        """Return leadscore's names of the columns that the files have and the config means."""
        return [
            name
            for name in self.kinds
            if not self.by_position(name)
            and self.file_name(name) in header
            and (name in self.mapped or name not in ONLY_MAPPED)
        ]

    def choose(self, header: Sequence[str], hint: str, where: str) -> list[str]:
        """Return the files' names of the columns to read.

        Raises
        ------
        DataError
            With every required or mapped column that is not there.
        """
        found = set(self.in_files(header)) | {name for name in self.kinds if self.by_position(name)}
        needed = sorted(self.required | (set(self.mapped) & set(self.kinds)), key=list(self.kinds).index)
        missing = [name for name in needed if name not in found]
        if missing == ["created_at"] and "as_of" in found and "created_at" not in self.mapped:
            missing = []  # a table of given observations may know no earlier instant
        problems = [self._missing(name, header, hint, where) for name in missing[:1] if hint] or [
            self._missing(name, header, hint, where) for name in missing
        ]
        problems += [
            f"{where} has a column '{word}', and {self.key}.columns uses that word for the row's position: rename "
            f"the column"
            for word in (ROW_NUMBER, ROW_ORDER)
            if word in header and word in self.mapped.values()
        ]
        raise_all(DataError, problems)
        return [self.file_name(name) for name in self.in_files(header)]

    def _missing(self, name: str, header: Sequence[str], hint: str, where: str) -> str:
        called = self.file_name(name)
        meant = "" if called == name else f" (for {name})"
        if hint:
            return f"{where} has no column '{called}'{meant}{hint}"
        return (
            f"{where} has no column '{called}'{meant}. {did_you_mean(called, header, 'It has')} "
            f"{self.key}.columns.{name} says what it is called"
        )


def lead_columns(config: FilesData) -> Wanted:
    """Return the lead table's columns; attributes are those of `data.known_at_creation`.

    Raises
    ------
    DataError
        When `columns` or `null_values` names what leadscore does not know, or an attribute would bring the
        outcome or the identity of a lead into the features.
    """
    attributes = {name: ATTRIBUTE_KINDS[kind] for name, kind in config.known_at_creation.items()}
    problems = [
        f"data.known_at_creation lists '{name}', which is one of leadscore's own columns and never a feature: give the "
        f"attribute a name of its own in data.leads.columns"
        for name in attributes
        if name in LEADS
    ]
    own = {column: name for name, column in config.leads.columns.items() if name in LEADS}
    problems += [
        f"data.known_at_creation lists '{name}', the file's column '{column}', leadscore's own {own[column]} and "
        f"never a feature"
        for name in attributes
        if name not in LEADS and (column := config.leads.columns.get(name, name)) in own
    ]
    required = frozenset({"user_id", "created_at", *attributes})
    wanted = Wanted("data.leads", {**LEADS, **attributes}, required, config.leads.columns)
    problems += _unknown(wanted, config.leads, "; an attribute is declared in data.known_at_creation first")
    if config.leads.numbers:
        problems.append("data.leads.numbers: a lead's numbers are declared in data.known_at_creation, as `number`")
    for name, called in config.leads.columns.items():
        if called == ROW_NUMBER and name != "user_id":
            problems.append(f"data.leads.columns.{name}: row_number stands for user_id only")
        if called == ROW_ORDER and wanted.kinds.get(name) != "time":
            problems.append(f"data.leads.columns.{name}: row_order stands for a time only")
    raise_all(DataError, problems)
    return wanted


def event_columns(table: TableConfig) -> Wanted:
    """Return the event table's columns; whatever else `columns` maps is a number where `numbers` says so, else text.

    Raises
    ------
    DataError
        When `null_values` or `numbers` names an unknown column, or a column is to be a row's position.
    """
    others = [name for name in table.columns if name not in EVENTS]
    kinds = {**EVENTS, **{name: "number" if name in table.numbers else "text" for name in others}}
    wanted = Wanted("data.events", kinds, frozenset({"user_id", "timestamp", "event_type"}), table.columns)
    problems = _unknown(wanted, table, "")
    problems += [
        f"data.events.numbers names '{name}', which is one of leadscore's own columns and read as what it is"
        if name in EVENTS
        else f"data.events.numbers names '{name}', which data.events.columns does not map. "
        f"{did_you_mean(name, others, 'It maps')}"
        for name in table.numbers
        if name not in others
    ]
    for name, called in table.columns.items():
        if called in (ROW_NUMBER, ROW_ORDER):
            problems.append(f"data.events.columns.{name}: {called} is for the lead table only")
    raise_all(DataError, problems)
    return wanted


def _unknown(wanted: Wanted, table: TableConfig, hint: str) -> list[str]:
    return [
        f"{wanted.key}.{part} names '{name}', which is no column here{hint}. {did_you_mean(name, wanted.kinds)}"
        for part, names in (("columns", table.columns), ("null_values", table.null_values))
        for name in names
        if name not in wanted.kinds
    ]
