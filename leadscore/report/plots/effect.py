"""How the mean score moves with one feature, and where its values lie."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leadscore.profiles import ColumnProfile
from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, draw, in_percent, plain_axes, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["effect"]

MISSING = "missing"


def effect(number: int, found: Mapping[str, Any], profile: ColumnProfile | None, unit: str) -> Picture:
    """Return the picture of one feature's partial dependence.

    Parameters
    ----------
    number : int
        Its rank by importance, from 0.
    found : mapping
        As in `metrics.json`, under `effects`.
    profile : ColumnProfile, optional
        Of the training rows.
    unit : str
        Of the feature.
    """
    values, means = found["values"], found["probability"]
    known = [(value, mean) for value, mean in zip(values, means, strict=True) if value is not None]
    missing = next((mean for value, mean in zip(values, means, strict=True) if value is None), None)
    is_number = found["kind"] == "number"

    def paint(figure: "Figure") -> None:
        named = f"{found['feature']} ({unit})" if unit else str(found["feature"])
        bottom = 40 if is_number else 40 + _drop(known)
        axes = plain_axes(figure, shortened(named, 44), "mean probability", bottom=bottom)
        if is_number:
            _paint_number(axes, known, missing, profile)
        else:
            _paint_levels(axes, known, missing, profile)
        axes.set_ylim(0, max(means) * 1.15 or 1)
        in_percent(axes.yaxis)

    lowest, highest = (pick(range(len(means)), key=means.__getitem__) for pick in (min, max))
    lies = "" if profile is None else _lies(profile)
    return draw(
        Picture(
            f"effect-{number + 1}",
            f"Effect of {found['feature']}",
            f"{found['rows']:,} validation observations",
            f"The mean probability is lowest, {means[lowest]:.1%}, at {_shown(values[lowest])}, and highest, "
            f"{means[highest]:.1%}, at {_shown(values[highest])}. {lies}".rstrip(),
            headings=("value", "mean probability"),
            rows=[(_shown(value), f"{mean:.2%}") for value, mean in zip(values, means, strict=True)],
            note=lies,
        ),
        paint,
    )


def _paint_number(axes: "Axes", known: Any, missing: float | None, profile: ColumnProfile | None) -> None:
    xs, ys = [value for value, _ in known], [mean for _, mean in known]
    if xs:
        axes.plot(xs, ys, "o-", color=COLOURS["blue"], markersize=4)
        axes.margins(x=0.05)
        if profile is not None:  # a tick a decile of the training rows, within what is drawn
            within = [edge for edge in profile.edges if xs[0] <= edge <= xs[-1]]
            axes.vlines(within, 0, 0.05, color=COLOURS["ink"], linewidth=1.2, transform=axes.get_xaxis_transform())
    if missing is not None:
        axes.axhline(missing, color=COLOURS["vermilion"], linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(1, missing, MISSING, color=COLOURS["vermilion"], va="bottom", ha="right", fontsize=10).set_transform(
            axes.get_yaxis_transform()
        )


def _paint_levels(axes: "Axes", known: Any, missing: float | None, profile: ColumnProfile | None) -> None:
    lines = [*known, *([(MISSING, missing)] if missing is not None else [])]
    colours = [COLOURS["blue"]] * len(known) + [COLOURS["vermilion"]] * (missing is not None)
    axes.bar(range(len(lines)), [mean for _, mean in lines], color=colours, width=0.6, alpha=0.8)
    shares = {} if profile is None else {**profile.levels, MISSING: profile.missing}
    for place, (level, mean) in enumerate(lines):
        if level in shares:
            axes.text(place, mean, f"{shares[level]:.0%}", color=COLOURS["soft"], ha="center", va="bottom", fontsize=10)
    crowded = bool(_drop(known))
    axes.set_xticks(
        range(len(lines)),
        [shortened(level, 14) for level, _ in lines],
        rotation=40 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor",
    )
    axes.grid(False, axis="x")


def _drop(known: Any) -> float:
    """Return how many pixels levels hang down, turned where they would run into each other."""
    lengths = [len(shortened(level, 14)) for level, _ in known]
    return 4.2 * max(lengths) if sum(lengths) > 40 else 0


def _lies(profile: ColumnProfile) -> str:
    missing = f"; {profile.missing:.1%} missing" if profile.missing else ""
    if profile.kind == "category":
        return f"Above the bars: shares of the {profile.n:,} training observations{missing}."
    return f"Ticks at the foot: deciles of the {profile.n:,} training observations{missing}."


def _shown(value: Any) -> str:
    if value is None:
        return MISSING
    return value if isinstance(value, str) else f"{value:,.4g}"
