"""The seal: a last period that nothing is trained or chosen on, kept for one honest look."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from leadscore.errors import WindowError
from leadscore.times import format_duration

if TYPE_CHECKING:
    from leadscore.window import Observations

__all__ = ["SEAL_REASONS", "Seal", "keep_off"]

SEAL_REASONS = ("outcome reaches the seal", "sealed", "after the seal")


@dataclass(frozen=True)
class Seal:
    """Observations with `as_of` in `[start, start + length)` are sealed.

    Examples
    --------
    >>> import pandas as pd
    >>> seal = Seal.at_the_end(pd.Timestamp("2025-07-01 18:00", tz="UTC"), timedelta(days=30), timedelta(days=30))
    >>> f"{seal.start:%Y-%m-%d} .. {seal.end:%Y-%m-%d}"
    '2025-05-02 .. 2025-06-01'
    """

    start: Any
    length: timedelta

    @classmethod
    def at_the_end(cls, data_end: Any, horizon: timedelta, length: timedelta) -> "Seal":
        """Return the last seal whose outcomes are all known by `data_end`, from a midnight in UTC."""
        return cls((data_end - horizon - length).floor("D"), length)

    @property
    def end(self) -> Any:
        """The first instant after it."""
        return self.start + self.length

    def to_json(self) -> dict[str, str]:
        """Return its borders and length."""
        borders = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return {**borders, "length": format_duration(self.length)}


def keep_off(
    observations: "Observations", seal: Seal, embargo: timedelta = timedelta(0)
) -> "tuple[Observations, Observations]":
    """Part observations into those that may train and validate, and the sealed ones.

    Parameters
    ----------
    observations : Observations
    seal : Seal
    embargo : timedelta
        Added to the horizon, as in every purge: `as_of + horizon + embargo <= seal.start` stays.

    Returns
    -------
    Observations, Observations
        Open and sealed. The open ones' counts say how many were taken away and why; nothing is counted twice.

    Raises
    ------
    WindowError
        When no observation is left before the seal.
    """
    as_of = observations.frame["as_of"]
    sealed = (as_of >= seal.start) & (as_of < seal.end)
    after = as_of >= seal.end
    reaches = (as_of + observations.horizon + embargo > seal.start) & (as_of < seal.start)
    left = ~(sealed | after | reaches)
    counts = {reason: n for reason, n in observations.counts.items() if reason != "observations"}
    taken = dict(zip(SEAL_REASONS, (int(reaches.sum()), int(sealed.sum()), int(after.sum())), strict=True))
    if not left.any():
        raise WindowError(
            f"no observation is left to train and validate on before the seal of {seal.start:%Y-%m-%d} .. "
            f"{seal.end:%Y-%m-%d}: {', '.join(f'{n:,} {reason}' for reason, n in taken.items() if n)}; "
            f"validation.seal, window.horizon and the data's end decide"
        )
    open_ones = replace(
        observations,
        frame=observations.frame[left].reset_index(drop=True),
        counts={**counts, **taken, "observations": int(left.sum())},
    )
    kept = observations.frame[sealed].reset_index(drop=True)
    return open_ones, replace(observations, frame=kept, counts={"candidates": len(kept), "observations": len(kept)})
