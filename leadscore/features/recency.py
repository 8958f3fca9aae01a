"""How long ago a lead did something."""

import pandas as pd

from leadscore.features.registry import feature

__all__ = [
    "days_since_first_event",
    "days_since_last_event",
    "days_since_last_login",
    "hours_since_last_session",
    "lead_age_days",
]


@feature(source="events", event_type="login", missing="has never logged in", unit="days")
def days_since_last_login(events_df, now):
    """Days from the last login to the score."""
    last_login = events_df[events_df["event_type"] == "login"].groupby("user_id")["timestamp"].max()
    return (now - last_login).dt.total_seconds() / 86_400


@feature(source="events", event_type="session", missing="has had no session", unit="hours")
def hours_since_last_session(events_df, now):
    """Hours from the start of the last session to the score."""
    last_session = events_df.groupby("user_id")["timestamp"].max()
    return (now - last_session) / pd.Timedelta(hours=1)


@feature(source="events", missing="has done nothing yet", unit="days")
def days_since_last_event(events_df, now):
    """Days from the last event of any type to the score."""
    return (now - events_df.groupby("user_id")["timestamp"].max()) / pd.Timedelta(days=1)


@feature(source="events", missing="has done nothing yet", unit="days")
def days_since_first_event(events_df, now):
    """Days from the first event of any type to the score."""
    return (now - events_df.groupby("user_id")["timestamp"].min()) / pd.Timedelta(days=1)


@feature(source="leads", no_events=0, unit="days")
def lead_age_days(leads_df, now):
    """Days from the lead's creation to the score."""
    return (now - leads_df.set_index("user_id")["created_at"]) / pd.Timedelta(days=1)
