"""When pages have to be drawn anew: what they show has moved, or what draws them has."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import leadscore

__all__ = ["digest", "drawing_version"]

DRAWING = ("site", "report", "changes", "compare")  # the code that decides what a page says
SUFFIXES = (".py", ".j2", ".js", ".css")
LIBRARIES = ("matplotlib", "jinja2")


def digest(*parts: str) -> str:
    """Return one key for all parts.

    Examples
    --------
    >>> digest("a", "b") == digest("ab")
    False
    """
    return hashlib.sha256("\x00".join(parts).encode(errors="backslashreplace")).hexdigest()


@cache
def drawing_version() -> str:
    """Return what moves when pages would look otherwise: the sources that draw them, and their libraries."""
    home = Path(leadscore.__file__).parent
    sources = (path for part in DRAWING for path in (home / part).rglob("*") if path.suffix in SUFFIXES)
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(sources)]
    return digest(leadscore.__version__, *contents, *map(_version_of, LIBRARIES))


def _version_of(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
