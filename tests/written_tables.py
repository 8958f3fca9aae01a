"""Tables as files, written inline: `refused(tmp_path, leads="...")` is the message, `read(...)` the tables."""

from pathlib import Path
from typing import Any

import pytest

from leadscore.config.schema import FilesData, PolicyConfig, TableConfig
from leadscore.data import read_tables
from leadscore.errors import DataError
from leadscore.tables import Tables

LEADS = "user_id,created_at\na,2024-03-01T09:00Z\nb,2024-03-02T09:00Z\n"
EVENTS = "user_id,timestamp,event_type\na,2024-03-05T10:00Z,login\nb,2024-03-06T10:00Z,login\n"


def config_of(folder: Path, leads: Any = LEADS, events: Any = None, **settings: Any) -> FilesData:
    """Write the tables and return their config.

    A text or bytes becomes `leads.csv` or `events.csv`; anything else is the table's path. Settings are those of
    `data`; `policy=` takes a dict, `leads_columns=`, `events_decimal=` and the like go to the table.
    """
    tables: dict[str, TableConfig | None] = {"leads": None, "events": None}
    for name, content in (("leads", leads), ("events", events)):
        if content is None:
            continue
        keys = {key.removeprefix(f"{name}_"): settings.pop(key) for key in list(settings) if key.startswith(f"{name}_")}
        path = content
        if not isinstance(content, Path):
            path = Path(f"{name}.csv")
            data = content if isinstance(content, bytes) else content.encode()
            (folder / path).write_bytes(data)
        tables[name] = TableConfig(path=str(path), **keys)
    policy = PolicyConfig(**settings.pop("policy", {}))
    assert tables["leads"] is not None
    return FilesData(
        name="written", dir=str(folder), leads=tables["leads"], events=tables["events"], policy=policy, **settings
    )


def read(folder: Path, leads: Any = LEADS, events: Any = None, **settings: Any) -> Tables:
    return read_tables(config_of(folder, leads, events, **settings))


def refused(folder: Path, leads: Any = LEADS, events: Any = None, **settings: Any) -> str:
    """Return the message with which the tables are refused."""
    with pytest.raises(DataError) as error:
        read(folder, leads, events, **settings)
    return str(error.value)
