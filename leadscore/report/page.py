"""HTML pages that need nothing but themselves: no request, no font, no script for what matters.

Every value is escaped, and a policy in the page allows the scripts of this package alone: what a user has written
stays text even where an escape is forgotten.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from leadscore.report.palette import palette_css

__all__ = ["render_page"]

TEMPLATES = Path(__file__).with_name("templates")
DASH = "\N{EN DASH}"  # stands for what is not known


def render_page(
    template: str, *, scripts: Sequence[str] = ("copy.js",), styles: Sequence[str] = (), **values: Any
) -> str:
    """Return a page.

    Parameters
    ----------
    template : str
        A file in `templates/`, which extends `base.html.j2`.
    scripts : sequence of str
        Files in `templates/`: enhancements only, a page is read without them.
    styles : sequence of str
        Files in `templates/`, after the one that all pages share.
    **values
        For the template; one that it uses and does not get is an error.
    """
    texts = [_file(name) for name in scripts]
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in texts)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes or chr(39) + 'none' + chr(39)}"
    return (
        _environment()
        .get_template(template)
        .render(
            css=Markup("\n".join([palette_css(), *map(_file, ("style.css", *styles))])),  # noqa: S704 - our own files
            scripts=[Markup(text) for text in texts],  # noqa: S704
            policy=policy,
            **values,
        )
    )


@cache
def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "number": number, "percent": percent, "interval": interval}
    return environment


def count(value: float | None) -> str:
    """Return a whole number.

    Examples
    --------
    >>> count(12345)
    '12,345'
    """
    return DASH if value is None else f"{value:,.0f}"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals.

    Examples
    --------
    >>> number(0.12345), number(None) == DASH
    ('0.123', True)
    """
    return DASH if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.123), percent(0.123, 1)
    ('12%', '12.3%')
    """
    return DASH if value is None else f"{100 * value:.{digits}f}%"


def interval(found: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Return an interval's ends, of a mapping with `low` and `high`.

    Examples
    --------
    >>> interval({"low": 0.1, "high": 0.2})
    '[0.100, 0.200]'
    """
    if found is None or found["low"] is None or found["high"] is None:
        return DASH
    return f"[{number(found['low'], digits)}, {number(found['high'], digits)}]"
