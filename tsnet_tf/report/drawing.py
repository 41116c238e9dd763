"""Draws an architecture in the manner of the paper's Figure 3.

The streams are rows, dense above sparse; a box is a block group. Its height is the expansion, the number inside the
output channels, the small number below the depth, the colour the spatial and the hatch the temporal kernel. Arrows
between the rows are fusions, stars are attention blocks. Beside every stage stands its cost per view, in GMACs or, if
it is small, in MMACs.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch, Rectangle

from tsnet_tf.report import figures
from tsnet_tf.space.cost import Complexity, complexity
from tsnet_tf.space.fusions import OPERATIONS
from tsnet_tf.space.two_stream import Group, Space, Stream, is_genotype

# Distances in units of the drawing; a unit is UNIT_INCHES long.
UNIT_INCHES = 0.56
BOX_WIDTH = 1.15
GAP = 1.05
END_WIDTH, END_HEIGHT = 1.0, 1.5  # stem and head
HEIGHT_PER_EXPANSION, HIGHEST = 0.36, 2.16  # the second is for 6 of Table 1, and for what is more
ROW_DISTANCE = 4.3
LEFT, RIGHT = 3.25, 0.65
LEGEND_WIDTH = {1: 13.0, 2: 19.0}  # by streams; a single one has no fusion

SPATIAL_COLOURS = {1: "#d9d9d9", 3: "#9fc9e8", 5: "#ffc58a", 7: "#b5dca0"}
TEMPORAL_HATCHES = {1: "", 3: "///", 5: "xxx", 7: "..."}
OTHER_COLOUR, OTHER_HATCH = "#e6d0ea", "++"
BOX_INK = "#2b2f36"  # boxes are pale in both themes
STAR_COLOUR = "#e0a100"


def draw(genotype: Space, path: str, resolution: int | None = None, kinds: Sequence[str] = figures.SHOWN) -> list[str]:
    """Draws an architecture, light and dark, to ``<path>.svg`` and ``<path>_dark.svg``.

    Args:
      genotype: a space with one candidate for every variable.
      path: file name without extension.
      resolution: side of the square input in pixels, for the costs; default the genotype's own.
      kinds: of files.

    Returns:
      The file names.

    Raises:
      ValueError: a variable is still open.
    """
    if not is_genotype(genotype):
        raise ValueError(f"expected a genotype to draw, found open choices in '{genotype.name}'")
    return figures.save_themes(lambda theme: figure_of(genotype, theme, resolution), path, kinds)


def figure_of(genotype: Space, theme: figures.Theme, resolution: int | None = None) -> Figure:
    """The drawing as a figure; see `draw`."""
    resolution = resolution or genotype.resolution
    cost = complexity(genotype, resolution)
    rows = {stream.name: ROW_DISTANCE * index for index, stream in enumerate(genotype.streams)}
    groups = len(genotype.sparse.groups)
    left, right = -LEFT, max(_box_left(groups) + END_WIDTH + RIGHT, LEGEND_WIDTH[len(rows)] - LEFT)
    bottom, top = -4.3, max(rows.values()) + 3.65
    figure = Figure(figsize=((right - left) * UNIT_INCHES, (top - bottom) * UNIT_INCHES))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.axis("off")
    _draw_title(axes, theme, genotype, cost, resolution, left, top)
    _draw_stages(axes, theme, genotype, cost, rows)
    largest = max(group.expansion[0] for stream in genotype.streams for group in stream.groups)
    per_expansion = min(HEIGHT_PER_EXPANSION, HIGHEST / largest)
    for stream in genotype.streams:
        _draw_stream(axes, theme, stream, cost, rows[stream.name], left, per_expansion)
    if genotype.dense is not None:
        _draw_fusions(axes, theme, genotype, rows)
    _draw_legend(axes, theme, genotype, left, right, bottom)
    return figure


def _box_left(index: int) -> float:
    """Left edge of the group with this index; the stem ends at 0."""
    return GAP * 0.6 + index * (BOX_WIDTH + GAP)


def _fusion_x(index: int) -> float:
    """Where the group's features are fused, in the gap after it."""
    return _box_left(index) + BOX_WIDTH + 0.3 * GAP


def _star_x(index: int) -> float:
    """Where attention follows, after fusion."""
    return _box_left(index) + BOX_WIDTH + 0.66 * GAP


def _draw_title(
    axes: Axes, theme: figures.Theme, genotype: Space, cost: Complexity, resolution: int, left: float, top: float
) -> None:
    axes.text(
        left + 0.4,
        top - 0.55,
        figures.plain(genotype.name),
        fontsize=17,
        fontweight="bold",
        color=theme.ink,
        va="center",
    )
    figures_of_cost = (
        f"{cost.gmacs:.3g} GMACs per view at {resolution} x {resolution} pixels, {cost.params_m:.3g} M parameters"
    )
    axes.text(left + 0.4, top - 1.2, figures_of_cost, fontsize=11, color=theme.pale, va="center")


def _draw_stages(axes: Axes, theme: figures.Theme, genotype: Space, cost: Complexity, rows: dict[str, float]) -> None:
    stages = [group.stage for group in genotype.sparse.groups]
    low, high = -1.85, max(rows.values()) + (1.85 if genotype.dense else 1.5)
    for stage in sorted(set(stages)):
        indices = [index for index, found in enumerate(stages) if found == stage]
        x0 = _box_left(indices[0]) - 0.17
        x1 = _box_left(indices[-1]) + BOX_WIDTH + 0.86 * GAP - 0.09
        axes.add_patch(Rectangle((x0, low), x1 - x0, high - low, facecolor=theme.panel, edgecolor="none", zorder=0))
        middle = (x0 + x1) / 2
        axes.text(middle, high + 0.06, f"stage {stage}", ha="center", va="bottom", fontsize=10, color=theme.ink)
        for stream in genotype.streams:
            macs = cost.rows[stream.name, f"s{stage}"].macs / 1e9
            # Outside of the two rows: between them run the arrows.
            y = rows[stream.name] + (1.55 if stream is genotype.dense else -1.55)
            axes.text(middle, y, _gmacs(macs), ha="center", va="center", fontsize=8.5, color=theme.pale)


def _gmacs(gmacs: float) -> str:
    if gmacs < 0.01:
        return f"{1000 * gmacs:.2g} MMACs"
    return f"{gmacs:.2g} GMACs" if gmacs < 1 else f"{gmacs:.2f} GMACs"


def _draw_stream(
    axes: Axes, theme: figures.Theme, stream: Stream, cost: Complexity, y: float, left: float, per_expansion: float
) -> None:
    axes.text(left + 0.4, y + 0.22, f"{stream.name}", fontsize=13, fontweight="bold", color=theme.ink, va="center")
    axes.text(left + 0.4, y - 0.27, f"{stream.frames} frames", fontsize=9.5, color=theme.pale, va="center")
    head = _box_left(len(stream.groups))
    axes.add_patch(
        FancyArrowPatch(
            (-END_WIDTH - 0.42, y),
            (head + END_WIDTH + 0.42, y),
            arrowstyle="-|>",
            mutation_scale=12,
            lw=1.4,
            color=theme.ink,
        )
    )
    for x, name, channels, place in (
        (-END_WIDTH, "stem", stream.stem_channels, "stem"),
        (head, "head", stream.head_channels, "head"),
    ):
        _draw_box(axes, theme, x, y, END_WIDTH, END_HEIGHT, theme.paper, "")
        axes.text(x + END_WIDTH / 2, y + 0.22, name, ha="center", va="center", fontsize=9, color=theme.ink)
        axes.text(x + END_WIDTH / 2, y - 0.22, f"{channels}", ha="center", va="center", fontsize=9, color=theme.pale)
        text = _gmacs(cost.rows[stream.name, place].macs / 1e9)
        outside = 1.55 if stream.name == "dense" else -1.55
        axes.text(x + END_WIDTH / 2, y + outside, text, ha="center", va="center", fontsize=8.5, color=theme.pale)
    for index, group in enumerate(stream.groups):
        _draw_group(axes, theme, group, index, y, group.expansion[0] * per_expansion)


def _draw_group(axes: Axes, theme: figures.Theme, group: Group, index: int, y: float, height: float) -> None:
    x = _box_left(index)
    colour = SPATIAL_COLOURS.get(group.spatial_kernel[0], OTHER_COLOUR)
    hatch = TEMPORAL_HATCHES.get(group.temporal_kernel[0], OTHER_HATCH)
    _draw_box(axes, theme, x, y, BOX_WIDTH, height, colour, hatch)
    plate = {"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "none", "alpha": 0.88}
    middle = x + BOX_WIDTH / 2
    axes.text(middle, y, f"{group.channels[0]}", ha="center", va="center", fontsize=10.5, color=BOX_INK, bbox=plate)
    axes.text(
        middle,
        y - height / 2 - 0.06,
        f"\u00d7{group.depth}",
        ha="center",
        va="top",
        fontsize=8,
        color=theme.pale,
        zorder=4,
    )
    if group.attention[0]:
        axes.plot(_star_x(index), y, marker="*", markersize=17, color=STAR_COLOUR, mec=theme.ink, mew=0.7, zorder=6)


def _draw_box(
    axes: Axes, theme: figures.Theme, x: float, y: float, width: float, height: float, colour: str, hatch: str
) -> None:
    """A rounded box centred on ``y``: the hatch is paler than the outline, so that numbers stay readable."""
    shape = {"xy": (x, y - height / 2), "width": width, "height": height}
    style = "round,pad=0,rounding_size=0.1"
    axes.add_patch(FancyBboxPatch(**shape, boxstyle=style, facecolor=colour, edgecolor="#00000055", hatch=hatch, lw=0))
    axes.add_patch(FancyBboxPatch(**shape, boxstyle=style, facecolor="none", edgecolor=theme.ink, lw=1.1))


def _draw_fusions(axes: Axes, theme: figures.Theme, genotype: Space, rows: dict[str, float]) -> None:
    for index, group in enumerate(genotype.sparse.groups):
        kind = group.fusion[0]
        if kind == "none":
            continue
        x, arrow = _fusion_x(index), OPERATIONS[kind]
        axes.add_patch(
            FancyArrowPatch(
                (x, rows["dense"]),
                (x, rows["sparse"] + 0.13),
                arrowstyle="-|>",
                mutation_scale=13,
                shrinkA=0,
                shrinkB=0,
                lw=2.0,
                linestyle=arrow.line,
                color=arrow.colour,
                zorder=3,
            )
        )
        axes.add_patch(Circle((x, rows["dense"]), 0.07, facecolor=arrow.colour, edgecolor="none", zorder=5))
        axes.add_patch(
            Circle((x, rows["sparse"]), 0.13, facecolor=theme.paper, edgecolor=arrow.colour, lw=1.6, zorder=5)
        )
        for dx, dy in ((0.08, 0.0), (0.0, 0.08)):
            y = rows["sparse"]
            axes.plot([x - dx, x + dx], [y - dy, y + dy], color=arrow.colour, lw=1.4, zorder=6)


def _draw_legend(axes: Axes, theme: figures.Theme, genotype: Space, left: float, right: float, bottom: float) -> None:
    groups = [group for stream in genotype.streams for group in stream.groups]
    spatial = sorted({3, 5} | {group.spatial_kernel[0] for group in groups})
    temporal = sorted({1, 3, 5} | {group.temporal_kernel[0] for group in groups})
    columns = [
        (
            "spatial kernel",
            [
                Patch(facecolor=SPATIAL_COLOURS.get(k, OTHER_COLOUR), edgecolor=theme.ink, label=f"{k} x {k}")
                for k in spatial
            ],
        ),
        (
            "temporal kernel",
            [
                Patch(
                    facecolor=theme.paper, edgecolor=theme.ink, hatch=TEMPORAL_HATCHES.get(t, OTHER_HATCH), label=f"{t}"
                )
                for t in temporal
            ],
        ),
    ]
    if genotype.dense is not None:
        arrows = [Line2D([], [], color=a.colour, ls=a.line, lw=2, label=a.label) for a in OPERATIONS.values()]
        columns.append(("fusion, dense to sparse", arrows))
    star = Line2D(
        [],
        [],
        marker="*",
        ls="none",
        color=STAR_COLOUR,
        mec=theme.ink,
        mew=0.7,
        markersize=16,
        label="attention (GloRe)",
    )
    height = Line2D(
        [], [], marker="$\\updownarrow$", ls="none", color=theme.ink, markersize=11, label="height: expansion"
    )
    number = Line2D([], [], marker="$64$", ls="none", color=theme.ink, markersize=11, label="output channels")
    depth = Line2D([], [], marker="$\\times2$", ls="none", color=theme.pale, markersize=13, label="depth: blocks")
    columns.append(("block group", [star, height, number, depth]))
    shares = {"spatial kernel": 1.0, "temporal kernel": 1.0, "fusion, dense to sparse": 1.6, "block group": 1.4}
    total = sum(shares[title] for title, _ in columns)
    x = left + 0.4
    for title, handles in columns:
        legend = Legend(
            axes,
            handles,
            [handle.get_label() for handle in handles],
            title=title,
            loc="upper left",
            bbox_to_anchor=(x, bottom + 2.15),
            bbox_transform=axes.transData,
            borderaxespad=0,
            frameon=False,
            alignment="left",
            fontsize=9,
            title_fontproperties={"weight": "bold", "size": 9.5},
            handlelength=2.6,
            labelcolor=theme.ink,
        )
        axes.add_artist(legend)
        x += (right - left - 0.8) * shares[title] / total
