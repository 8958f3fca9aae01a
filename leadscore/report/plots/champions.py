"""Who was champion when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, NARROW, draw, plain_axes, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Reign", "champions_picture"]

MARKS = {"promoted": ("o", "blue"), "rolled back": ("<", "purple"), "forced": ("X", "vermilion")}
ROW = 36  # pixels


@dataclass(frozen=True)
class Reign:
    """A run was champion from `start` until `end`, which is None while it is; `how` is a key of MARKS."""

    run_id: str
    name: str
    start: datetime
    end: datetime | None
    how: str


def champions_picture(reigns: Sequence[Reign], last: datetime) -> Picture:
    """Draw a bar a reign, a line for each run, on one time axis; `last` is until when anything is known."""
    runs = list(dict.fromkeys(reign.run_id for reign in reigns))
    first = reigns[0].start
    last = max(last, first + timedelta(minutes=1))
    names = {reign.run_id: reign.name for reign in reigns}

    def paint(figure: "Figure") -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

        axes = plain_axes(figure, x="time (UTC)")
        beside = axes.get_yaxis_transform()  # x is a share of the width
        axes.grid(False, axis="y")
        for reign in reigns:
            at = runs.index(reign.run_id)
            mark, colour = MARKS[reign.how]
            start, end = (date2num(each) for each in (reign.start, reign.end or last))  # type: ignore[no-untyped-call]
            axes.plot([start, end], [at, at], color=COLOURS["blue"], linewidth=6)
            axes.plot([start], [at], mark, color=COLOURS[colour], markeredgecolor=COLOURS["paper"], markersize=9)
        for at, run_id in enumerate(runs):
            axes.text(0, at - 0.28, f"{run_id}  {shortened(names[run_id], 30)}", transform=beside, fontsize=10)
        axes.set_ylim(len(runs) - 0.5, -0.75)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        margin = (last - first) * 0.02
        axes.set_xlim(*(date2num(each) for each in (first - margin, last + margin)))  # type: ignore[no-untyped-call]
        locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]

    said = "; ".join(f"{reign.start:%Y-%m-%d %H:%M} {reign.run_id} {reign.how}" for reign in reigns)
    picture = Picture(
        "champions",
        "Who was champion when",
        "",
        f"{said}.",
        note="Circle: promoted. Triangle: came back by a rollback. Cross: promoted although the gate said no.",
    )
    return draw(picture, paint, (NARROW[0], 70 + ROW * len(runs)))
