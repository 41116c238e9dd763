"""Accuracy against cost in the manner of the paper's Figure 1: our runs, and beside them the published models.

The two have axes of their own: they are not about the same videos.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from tsnet_tf.report import figures

PUBLISHED = Path(__file__).parent / "published.json"
OURS = "Auto-TSNet"  # the paper's own models begin so
DISTANCES, DIRECTIONS = (5, 10, 17, 26, 37, 50), ((1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
MARKER_POINTS = 6


@dataclasses.dataclass(frozen=True)
class Point:
    """A model: multiply-adds of all views of a video in 10^9, and top-1 accuracy in percent."""

    name: str
    gmacs: float
    top1: float


def published() -> list[Point]:
    """The paper's Tables 3 and 10, those models whose cost is given."""
    models = json.loads(PUBLISHED.read_text(encoding="utf-8"))["models"]
    return [Point(m["name"], m["gmacs_per_video"], m["top1_percent"]) for m in models if m["gmacs_per_video"]]


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that no other one beats in both respects, the cheapest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.gmacs, -p.top1)):
        if not front or point.top1 > front[-1].top1:
            front.append(point)
    return front


def draw_trade_off(
    ours: Sequence[Point],
    path: str,
    fronts: Mapping[str, Sequence[Point]] | None = None,
    kinds: Sequence[str] = figures.SHOWN,
) -> list[str]:
    """Draws the plot, light and dark.

    Args:
      ours: models of our runs, at least one.
      path: file name without extension.
      kinds: of files.
      fronts: name of a search to those of its candidates that no cheaper one equals, from cheap to expensive.

    Returns:
      The file names.
    """
    return figures.save_themes(lambda theme: figure_of(ours, theme, fronts or {}), path, kinds)


def figure_of(ours: Sequence[Point], theme: figures.Theme, fronts: Mapping[str, Sequence[Point]]) -> Figure:
    """The plot as a figure; see `draw_trade_off`."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.9))
    theirs = published()
    left.set_title("these runs, on their own videos", loc="left", fontweight="bold")
    right.set_title("published, Kinetics-400 (the paper's Tables 3 and 10)", loc="left", fontweight="bold")
    _draw_points(left, ours, theme, theme.first, filled=True)
    _draw_points(right, [p for p in theirs if not p.name.startswith(OURS)], theme, theme.pale, filled=False)
    _draw_points(right, [p for p in theirs if p.name.startswith(OURS)], theme, theme.first, filled=True)
    for name, points in fronts.items():
        _draw_points(left, points, theme, theme.first, filled=False)
        costs, accuracies = [p.gmacs for p in points], [p.top1 for p in points]
        left.plot(costs, accuracies, color=theme.first, lw=1, ls=":", label=f"candidates of {figures.plain(name)}")
    for axes, points in ((left, ours), (right, theirs)):
        front = pareto_front(points)
        axes.plot([p.gmacs for p in front], [p.top1 for p in front], color=theme.second, lw=1, label="Pareto front")
        axes.set(xscale="log", xlabel="GMACs per video, all views", ylabel="top-1 accuracy, %")
        axes.legend(loc="lower right", frameon=False, fontsize=9)
        axes.grid(alpha=0.2)
        axes.margins(0.12, 0.1)
    low, high = left.get_xlim()
    if high / low < 100:  # a narrow logarithmic axis would be without a labelled tick
        left.set_xlim(low / 10, high * 10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # labels are placed for these axes
    _label(left, ours, theme, canvas, [point for points in fronts.values() for point in points])
    _label(right, theirs, theme, canvas)
    return figure


def _draw_points(axes: Axes, points: Sequence[Point], theme: figures.Theme, colour: str, filled: bool) -> None:
    style = {"ls": "none", "marker": "o", "ms": MARKER_POINTS, "mec": colour, "mfc": colour if filled else theme.paper}
    axes.plot([p.gmacs for p in points], [p.top1 for p in points], zorder=3, **style)


def _label(
    axes: Axes, points: Sequence[Point], theme: figures.Theme, canvas: FigureCanvasAgg, others: Sequence[Point] = ()
) -> None:
    """Writes every name at the nearest place where it is on no point, no other name and nothing outside the axes."""
    renderer, frame = canvas.get_renderer(), axes.get_window_extent()
    half = MARKER_POINTS / 2 * axes.figure.dpi / 72
    centres = axes.transData.transform([(p.gmacs, p.top1) for p in [*points, *others]])
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in centres]
    taken.append(axes.get_legend().get_window_extent(renderer))
    for point in points:
        label = axes.annotate(
            figures.plain(point.name),
            (point.gmacs, point.top1),
            textcoords="offset points",
            fontsize=8,
            color=theme.ink,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": theme.paper, "edgecolor": "none", "alpha": 0.8},
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": theme.pale, "shrinkA": 0, "shrinkB": 3},
        )
        for distance, (dx, dy) in ((d, way) for d in DISTANCES for way in DIRECTIONS):
            label.set(
                position=(distance * dx, distance * dy),
                ha={1: "left", 0: "center", -1: "right"}[dx],
                va={1: "bottom", 0: "center", -1: "top"}[dy],
            )
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer)  # an annotation's own would count the line to its point
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
