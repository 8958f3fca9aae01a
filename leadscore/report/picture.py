"""A picture with its words: what it shows, said in text, and the numbers behind it as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """One figure of a page; `{{ figure(picture) }}` of `macros.html.j2` shows it.

    Attributes
    ----------
    key : str
        Its name in the page: one of its kind there, letters and dashes, nothing that a user has written.
    title : str
        What it shows.
    of : str
        The rows it is drawn from, with n.
    said : str
        What it says, for whoever does not see it.
    svg : str
        Safe to stand in a page as it is; "" where it could not be drawn.
    headings, rows : sequences
        The numbers behind it, as texts; none where the page has them elsewhere.
    note : str
        How to read it: what the band is, what the marks are.
    wide : bool
        Whether it takes the width of the page.
    """

    key: str
    title: str
    of: str
    said: str
    svg: str = ""
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""
    wide: bool = False

    @property
    def name(self) -> str:
        """The title with its rows."""
        return f"{self.title}: {self.of}" if self.of else self.title
