"""Drawing one picture: matplotlib's SVG made small, deterministic, and coloured by the page's own stylesheet.

matplotlib is imported when the first picture is drawn. Its SVG names the light colours; here they become the page's
custom properties, so that a picture follows the reader's dark mode, and its texts stay texts in the page's font.
"""

import html
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Any

from leadscore.report.palette import PALETTE, SERIES
from leadscore.report.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "HOVER", "NARROW", "WIDE", "can_draw", "draw", "in_percent", "plain_axes", "shortened"]

NARROW = (400, 290)  # pixels; two stand side by side on a desk, one fills a phone
WIDE = (480, 260)
HOVER = "hover"  # the gid of a collection whose points are named
COLOURS = {name: colour.light for name, colour in PALETTE.items()}  # for matplotlib: color=COLOURS["blue"]
_ROLES = {colour.light: name for name, colour in PALETTE.items()}
_POINTS = 72  # matplotlib's SVG has 72 units an inch: with this dpi a unit is a pixel of the sizes above


@cache
def can_draw() -> bool:
    """Whether matplotlib is here."""
    try:
        with _quiet():
            import matplotlib.backends.backend_svg  # noqa: F401
    except ImportError:
        return False
    return True


def draw(
    picture: Picture, paint: "Callable[[Figure], None]", size: tuple[int, int] = NARROW, hover: Sequence[str] = ()
) -> Picture:
    """Return a picture with its SVG, and as it is where matplotlib is missing.

    Parameters
    ----------
    picture : Picture
        Its words.
    paint : callable
        Draws into an empty figure, with `COLOURS` only.
    size : (int, int)
        Width and height in pixels.
    hover : sequence of str
        A text for each point of the collection whose gid is `HOVER`, in their order.
    """
    return replace(picture, svg=_svg(picture, _painted(paint, size), hover)) if can_draw() else picture


def plain_axes(
    figure: "Figure", x: str = "", y: str = "", *, left: float = 60, bottom: float = 40, top: float = 8
) -> "Axes":
    """Return axes that fill a figure, with named sides and a quiet grid.

    The margins are given, in pixels: to find them, matplotlib would measure every text twice and take as long again. A
    figure with axes of its own, made without this, is laid out by matplotlib.
    """
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches() * _POINTS
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + 14) / width, 1 - (bottom + top) / height))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def in_percent(*sides: "Axis") -> None:
    """Say the shares along an axis in percent, at places that are whole there."""
    from matplotlib.ticker import MaxNLocator

    for side in sides:
        side.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        side.set_major_formatter(lambda value, _: f"{100 * value:.6g}%")


def shortened(text: object, most: int = 28) -> str:
    """Return a name that fits beside an axis.

    Examples
    --------
    >>> shortened("sessions_last_7_days_of_the_account", 20)
    'sessions_…he_account'
    """
    text = " ".join(str(text).split())
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[head + 1 - most :]}"


def _painted(paint: "Callable[[Figure], None]", size: tuple[int, int]) -> str:
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = StringIO()
    with _quiet(), rc_context():
        rcdefaults()  # whatever a user's matplotlibrc says
        rcParams.update(_style())
        figure = Figure(figsize=(size[0] / _POINTS, size[1] / _POINTS), dpi=_POINTS, layout="constrained")
        canvas = FigureCanvasSVG(figure)
        paint(figure)
        canvas.print_svg(out, metadata={"Date": None})  # type: ignore[no-untyped-call] # savefig draws everything twice
    return out.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what matplotlib says of fonts and caches: a lead's name may have letters that a font lacks."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@cache
def _style() -> Any:
    from cycler import cycler

    ink, soft, line = (COLOURS[name] for name in ("ink", "soft", "line"))
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "leadscore",
        "text.parse_math": False,  # a dollar in a user's text is a dollar
        "axes.formatter.use_mathtext": False,
        "font.family": ["DejaVu Sans"],  # comes with matplotlib: texts are measured alike on every machine
        "font.size": 11,
        "axes.labelsize": 11,
        "axes.titlesize": 11,
        "axes.unicode_minus": True,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.edgecolor": soft,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "axes.prop_cycle": cycler(color=[COLOURS[name] for name in SERIES]),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": line,
        "grid.linewidth": 0.7,
        "xtick.color": soft,
        "ytick.color": soft,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "legend.frameon": False,
        "legend.fontsize": 10,
        "legend.labelcolor": ink,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "patch.linewidth": 0,
        "hatch.color": soft,
        "hatch.linewidth": 0.7,
        "path.simplify": True,
    }


# --- matplotlib's SVG into a part of the page ----------------------------------------------------


def _svg(picture: Picture, drawn: str, hover: Sequence[str]) -> str:
    """Return matplotlib's drawing as an element of a page: own ids, the page's colours, two decimals."""
    view = re.search(r'viewBox="([\d. ]+)"', drawn)
    assert view is not None
    body = drawn[drawn.index('<g id="figure_1">') : drawn.rindex("</svg>")]
    referred = re.findall(r'<[^>]*(?:url\(#|xlink:href="#)([^")]+)', body)
    key = picture.key
    names = {old: f"{key}-{number}" for number, old in enumerate(dict.fromkeys(referred))}
    body = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], names), body)  # never a text, which may be a user's
    body = re.sub(r'<path [^>]*style="fill: none"/>', "", body)  # grounds that nobody sees
    body = re.sub(r"<g>\s*</g>", "", re.sub(r"\s*\n\s*(?=<)", "\n", body))
    width, height = view[1].split()[2:]
    return (
        f'<svg role="img" aria-labelledby="{key}-title {key}-said" viewBox="{view[1]}" width="{width}" '
        f'height="{height}"><title id="{key}-title">{html.escape(picture.name)}</title>'
        f'<desc id="{key}-said">{html.escape(picture.said)}</desc>\n{_with_hover(body, hover)}</svg>'
    )


def _tag(tag: str, names: Mapping[str, str]) -> str:
    """Return one tag with what a page needs: an id only where it is referred to, named after the picture."""
    tag = re.sub(r' id="([^"]+)"', lambda match: _id(match[1], names), tag)
    tag = re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{names[match[1]]})", tag)
    tag = re.sub(r'xlink:href="#([^"]+)"', lambda match: f'href="#{names[match[1]]}"', tag)
    tag = re.sub(r"#[0-9a-f]{6}(?=[;\"])", lambda match: f"var(--{_ROLES[match[0]]})", tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    tag = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), tag)
    return re.sub(r"\s*\n", " ", tag)


def _id(old: str, names: Mapping[str, str]) -> str:
    new = HOVER if old == HOVER else names.get(old)
    return f' id="{new}"' if new else ""


def _with_hover(body: str, hover: Sequence[str]) -> str:
    """Give each point of the named collection a title, which browsers show under the pointer."""
    mark = f'<g id="{HOVER}">'
    before, _, after = body.partition(mark)
    texts = iter(hover)

    def named(match: "re.Match[str]") -> str:
        return f"<g><title>{html.escape(next(texts))}</title>{match[0]}</g>"

    return f"{before}<g>{re.sub('<use [^>]*/>', named, after, count=len(hover))}" if hover else body
