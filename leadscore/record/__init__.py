"""The record room: a run's folder, its row in the log, and finding it again."""

from leadscore.record.champion import champion_at, rollback
from leadscore.record.find import Run, open_run
from leadscore.record.log import COLUMNS, append_row, read_rows
from leadscore.record.shelf import CODE, DATA, IDENTITY, Shelf
from leadscore.record.trackers import TRACKERS, Tracker, make_tracker

__all__ = [
    "CODE",
    "COLUMNS",
    "DATA",
    "IDENTITY",
    "TRACKERS",
    "Run",
    "Shelf",
    "Tracker",
    "append_row",
    "champion_at",
    "make_tracker",
    "open_run",
    "read_rows",
    "rollback",
]
