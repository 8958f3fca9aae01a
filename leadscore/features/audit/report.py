"""What an audit found, and what it tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leadscore.errors import FeatureError, raise_all

__all__ = ["AuditReport", "Finding", "raise_findings"]


@dataclass(frozen=True)
class Finding:
    """One feature that one check caught.

    Attributes
    ----------
    feature : str
    check : str
        A name in `CHECKS`.
    severity : {'error', 'review'}
        A broken promise, or something that a person should look at.
    lead, as_of : str and Timestamp, or None
        An example; None where the finding is about the code as a whole.
    before, after : object
        The example's value as it is, and as it is in the altered world.
    line : str
        The likely `file:line: source text`; empty where no source is found.
    message : str
        All of it in words, and what to do.
    """

    feature: str
    check: str
    severity: str
    lead: str | None
    as_of: Any
    before: Any
    after: Any
    line: str
    message: str


@dataclass(frozen=True)
class AuditReport:
    """The findings of an audit, errors first.

    Attributes
    ----------
    findings : tuple of Finding
    checks : mapping of str to tuple of str
        What was tried, by feature.
    """

    findings: tuple[Finding, ...] = ()
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that no run may ignore."""
        return tuple(each for each in self.findings if each.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a `review` was found."""
        return not self.errors


def raise_findings(report: AuditReport) -> None:
    """Raise one FeatureError with the message of every error; reviews are left to a reader.

    Examples
    --------
    >>> raise_findings(AuditReport())
    """
    raise_all(FeatureError, [each.message for each in report.errors])
