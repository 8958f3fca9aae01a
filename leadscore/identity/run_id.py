"""A run's own name: when it started, and 8 random hex so that no two ever share it."""

import secrets
from datetime import UTC, datetime

__all__ = ["new_run_id"]


def new_run_id() -> str:
    """Return `YYYYmmddTHHMMSS-` (UTC) and 8 random hex digits.

    Examples
    --------
    >>> len(new_run_id()), new_run_id() == new_run_id()
    (24, False)
    """
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
