"""The loading room: tables from files, or simulated, with the edge where text becomes ids, instants and numbers."""

from leadscore.data.load import load_events, load_tables, read_tables

__all__ = ["load_events", "load_tables", "read_tables"]
