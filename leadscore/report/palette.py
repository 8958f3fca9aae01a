"""The colours of pages and pictures: one list for both, each with its twin in the dark.

The hues are those of Okabe and Ito (2008), which people with any usual colour vision tell apart; their lightness is
moved until each stands out from both grounds by 4.5 to 1 at least, so that each may also colour text.
"""

from typing import NamedTuple

__all__ = ["GROUNDS", "INKS", "PALETTE", "SERIES", "Colour", "palette_css"]


class Colour(NamedTuple):
    """A colour on light paper and the same on dark."""

    light: str
    dark: str


PALETTE = {
    "paper": Colour("#ffffff", "#0f1419"),  # the ground of a page
    "raised": Colour("#f4f6f8", "#1a2129"),  # the ground of what stands out a little: code, table heads
    "line": Colour("#d3d9df", "#39424d"),  # rules and grids, which carry no meaning
    "ink": Colour("#1a1f24", "#e8edf2"),
    "soft": Colour("#545d67", "#a5b0bb"),
    "blue": Colour("#0067a3", "#58b5ea"),
    "vermilion": Colour("#b54708", "#ff9a5c"),
    "green": Colour("#00775a", "#3fcf9f"),
    "purple": Colour("#9c3f78", "#e3a0c9"),
    "ochre": Colour("#8a6100", "#e9b949"),
    "marked": Colour("#fff3d6", "#3a2f12"),  # the ground of what a reader must not miss
    "better": Colour("#ddf4e8", "#10352a"),  # the grounds of added and removed lines
    "worse": Colour("#fde7dc", "#45220f"),
}
GROUNDS = ("paper", "raised", "marked", "better", "worse")
INKS = ("ink", "soft", "blue", "vermilion", "green", "purple", "ochre")
SERIES = ("blue", "vermilion", "green", "purple", "ochre")  # in this order, where a picture has several


def palette_css() -> str:
    """Return the colours as custom properties, `--blue` and so on, for light and dark screens; print is light."""
    light, dark = (
        "; ".join(f"--{name}: {getattr(colour, side)}" for name, colour in PALETTE.items()) for side in Colour._fields
    )
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    )
