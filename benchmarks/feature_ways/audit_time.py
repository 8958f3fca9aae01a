"""How long a full audit takes."""

from feature_ways.spawn import Place

__all__ = ["audit_time"]

GOAL = 60.0  # seconds


def audit_time(place: Place, n_events: int) -> None:
    """Print the seconds of an audit in a process of its own."""
    place.run(place.job("audited", n_events, prepare=True))
    said = place.run(place.job("audited", n_events))
    if "failed" in said:
        print(f"failed: {said['failed']}")
        return
    print(
        f"full audit of {said['features']} features on {n_events:,} events: {said['seconds']['compute']:.1f} s "
        f"({said['cpu']:.1f} CPU s), goal {GOAL:g}; {said['checks']} checks each, {said['peak']:.2f} GiB, "
        f"{said['errors']} errors, {said['reviews']} reviews"
    )
    for message in said["messages"]:
        print(message)
