"""How much a lead does."""

import pandas as pd

from leadscore.features.registry import feature

__all__ = [
    "active_days_last_7_days",
    "events_last_7_days",
    "logins_last_7_days",
    "page_views_last_7_days",
    "sessions_last_7_days",
    "sessions_last_24_hours",
    "sessions_trend_7_days",
]


@feature(source="events", event_type="session", lookback="7d", no_events=0, unit="sessions")
def sessions_last_7_days(events_df, now):
    """Sessions in the seven days before the score is made."""
    recent = events_df[events_df["timestamp"] >= now - pd.Timedelta(days=7)]
    return recent.groupby("user_id").size()


@feature(source="events", event_type="session", lookback="24h", no_events=0, unit="sessions")
def sessions_last_24_hours(events_df, now):
    """Sessions in the 24 hours before the score is made."""
    return events_df.groupby("user_id").size()


@feature(source="events", event_type="session", lookback="7d", no_events=0, unit="sessions a day")
def sessions_trend_7_days(events_df, now):
    """Sessions a day in the last two days, minus sessions a day in the five days before those."""
    late = events_df["timestamp"] >= now - pd.Timedelta(days=2)
    daily = late.map({True: 1 / 2, False: -1 / 5})
    return daily.groupby(events_df["user_id"]).sum()


@feature(source="events", event_type="login", lookback="7d", no_events=0, unit="logins")
def logins_last_7_days(events_df, now):
    """Logins in the seven days before the score is made."""
    return events_df.groupby("user_id").size()


@feature(source="events", event_type="page_view", lookback="7d", no_events=0, unit="page views")
def page_views_last_7_days(events_df, now):
    """Page views in the seven days before the score is made."""
    return events_df.groupby("user_id").size()


@feature(source="events", lookback="7d", no_events=0, unit="events")
def events_last_7_days(events_df, now):
    """Events of any type in the seven days before the score is made."""
    return events_df.groupby("user_id").size()


@feature(source="events", lookback="7d", no_events=0, unit="days")
def active_days_last_7_days(events_df, now):
    """Days with any event among the last seven, a day being 24 hours counted back from the score."""
    days_ago = (now - events_df["timestamp"]) // pd.Timedelta(days=1)
    return days_ago.groupby(events_df["user_id"]).nunique()
