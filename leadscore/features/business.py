"""Business definitions: words that must mean one thing, chosen by the config's `definitions` group."""

from leadscore.features.registry import definition, feature

__all__ = ["any_event_30d", "is_active_user", "paid_invoice_30d"]


@definition("active_user", source="events", lookback="30d", no_events=0, unit="0 or 1")
def any_event_30d(events_df, now):
    """Active: any event in the last thirty days."""
    return events_df.groupby("user_id").size() > 0


@definition("active_user", source="events", event_type="invoice", lookback="30d", no_events=0, unit="0 or 1")
def paid_invoice_30d(events_df, now):
    """Active: an invoice in the last thirty days."""
    return events_df.groupby("user_id").size() > 0


@feature(source="events", no_events=0, unit="0 or 1")
def is_active_user(events_df, now, *, active_user):
    """Whether the lead is an active user, as the config defines the word."""
    return active_user
