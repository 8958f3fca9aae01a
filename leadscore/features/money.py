"""What a lead has been invoiced. Amounts are in the data's one currency."""

import pandas as pd

from leadscore.features.registry import feature

__all__ = ["days_since_last_invoice", "invoiced_last_90_days", "invoices", "largest_invoice"]


@feature(source="events", event_type="invoice", no_events=0, unit="invoices")
def invoices(events_df, now):
    """Invoices so far."""
    return events_df.groupby("user_id").size()


@feature(source="events", event_type="invoice", columns=["amount"], lookback="90d", no_events=0, unit="currency")
def invoiced_last_90_days(events_df, now):
    """Sum invoiced in the ninety days before the score."""
    return events_df.groupby("user_id")["amount"].sum()


@feature(source="events", event_type="invoice", columns=["amount"], no_events=0, unit="currency")
def largest_invoice(events_df, now):
    """Largest invoice so far; 0 without one."""
    return events_df.groupby("user_id")["amount"].max()


@feature(source="events", event_type="invoice", missing="has never been invoiced", unit="days")
def days_since_last_invoice(events_df, now):
    """Days from the last invoice to the score."""
    return (now - events_df.groupby("user_id")["timestamp"].max()) / pd.Timedelta(days=1)
