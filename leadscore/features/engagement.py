"""What a lead does, and how it answers."""

from leadscore.features.registry import feature

__all__ = [
    "demo_requests",
    "distinct_event_types",
    "email_opens_last_14_days",
    "last_event_type",
    "session_share_last_7_days",
    "tickets_last_30_days",
]


@feature(source="events", no_events=0, unit="types")
def distinct_event_types(events_df, now):
    """Different types of event so far."""
    return events_df.groupby("user_id")["event_type"].nunique()


@feature(source="events", missing="has done nothing yet", dtype="category")
def last_event_type(events_df, now):
    """Type of the last event before the score; of events at one instant, the last by event type."""
    return events_df.groupby("user_id")["event_type"].last()


@feature(source="events", event_type="email_open", lookback="14d", no_events=0, unit="opens")
def email_opens_last_14_days(events_df, now):
    """E-mails opened in the fourteen days before the score."""
    return events_df.groupby("user_id").size()


@feature(source="events", event_type="demo_request", no_events=0, unit="requests")
def demo_requests(events_df, now):
    """Demos asked for so far."""
    return events_df.groupby("user_id").size()


@feature(source="events", event_type="ticket", lookback="30d", no_events=0, unit="tickets")
def tickets_last_30_days(events_df, now):
    """Support tickets opened in the thirty days before the score."""
    return events_df.groupby("user_id").size()


@feature(source="events", lookback="7d", missing="has done nothing in the last seven days", unit="share")
def session_share_last_7_days(events_df, now):
    """Share of sessions among the events of the last seven days."""
    return (events_df["event_type"] == "session").groupby(events_df["user_id"]).mean()
