"""The loading room: tables from files, or simulated, with the edge where text becomes ids, instants and numbers."""

from leadscore.data.load import load_events, load_tables, read_tables
from leadscore.data.prepared import kept_tables, prepared_tables

__all__ = ["kept_tables", "load_events", "load_tables", "prepared_tables", "read_tables"]
