"""The config's `bands` node."""

from dataclasses import dataclass, field

__all__ = ["CUTS", "BandsConfig"]

CUTS = {"lift": "lifts", "probability": "probabilities", "share": "shares", "capacity": "capacities"}  # cut: its key


@dataclass
class BandsConfig:
    """Where the bands A, B, C and D are cut; none of it changes a probability."""

    cut: str = field(default="lift", metadata={"choices": tuple(CUTS)})
    lifts: list[float] = field(default_factory=lambda: [2.0, 1.0, 0.5])  # A, B, C from so many times the base rate
    probabilities: list[float] = field(default_factory=list)  # the least of A, B, C, as in [0.5, 0.25, 0.1]
    shares: list[float] = field(default_factory=lambda: [0.05, 0.15, 0.4])  # of the leads, in A, in B, in C
    capacities: list[int] = field(default_factory=list)  # leads a week in A, in B, in C, as in [20, 60, 150]
