"""When a lead came. Clock times are UTC."""

from leadscore.features.registry import feature

__all__ = ["signup_hour", "signup_on_weekend"]


# The creation time is a fact of the lead, whatever the instant of the score: no `now`, so no shift in time.
@feature(source="leads", no_events=0, unit="hour")
def signup_hour(leads_df):
    """Hour of the day (UTC) at which the lead was created."""
    return leads_df.set_index("user_id")["created_at"].dt.hour


@feature(source="leads", no_events=0, unit="0 or 1")
def signup_on_weekend(leads_df):
    """Whether the lead was created on a Saturday or Sunday (UTC)."""
    return leads_df.set_index("user_id")["created_at"].dt.day_of_week >= 5
