"""Draws P(A | alpha): a heat map of every choice, and a film strip of heat maps over the search.

A panel is a kind of variable, a row one of its choices, a cell one of its candidates: the stronger its colour, the more
probable it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsnet_tf.report import figures
from tsnet_tf.space.fusions import OPERATIONS
from tsnet_tf.space.two_stream import Choice, Space, Value, choices

CELL_INCHES, ROW_INCHES = 0.62, 0.24
CELL_PIXELS, ROW_PIXELS = 48, 16  # of a raster
FRAMES = 6  # of a film strip
SHORT = {
    "none": "none",
    **{name: operation.short for name, operation in OPERATIONS.items()},
    True: "on",
    False: "off",
}


def draw_heat_map(space: Space, metrics: Sequence[dict], path: str, kinds: Sequence[str] = figures.SHOWN) -> list[str]:
    """Draws the last recorded probabilities, light and dark.

    Args:
      space: the space of the search, ``space.json`` of its run folder.
      metrics: rows of ``metrics.jsonl``, at least one of them with ``probabilities`` ``[choices, values]``.
      path: file name without extension.
      kinds: of files.

    Returns:
      The file names.
    """
    return figures.save_themes(lambda theme: heat_map(space, recorded(metrics)[-1], theme), path, kinds)


def draw_film_strip(
    space: Space, metrics: Sequence[dict], path: str, kinds: Sequence[str] = figures.SHOWN
) -> list[str]:
    """Draws `FRAMES` of the recorded probabilities beside each other, the first and the last among them.

    Arguments and result are those of `draw_heat_map`.
    """
    rows = recorded(metrics)
    last = len(rows) - 1
    shown = [rows[i] for i in sorted({round(last * k / (FRAMES - 1)) for k in range(FRAMES)})]
    return figures.save_themes(lambda theme: film_strip(space, shown, theme), path, kinds)


def recorded(metrics: Sequence[dict]) -> list[dict]:
    """The rows that have probabilities."""
    return [row for row in metrics if row.get("probabilities")]


def heat_map(space: Space, row: dict, theme: figures.Theme) -> Figure:
    """One heat map with the candidates' values in their cells."""
    kinds = _by_kind(space)
    columns = max(len(choice.values) for found in kinds.values() for _, choice in found)
    height = sum(len(found) for found in kinds.values()) * ROW_INCHES + 0.5 * len(kinds) + 0.6
    figure = Figure(figsize=(max(6.4, 2.2 + CELL_INCHES * columns), height), layout="constrained")
    figure.suptitle(f"{figures.plain(space.name)}: P(A | \u03b1) at step {row['step']}", fontweight="bold")
    grid = figure.subplots(len(kinds), 1, squeeze=False, height_ratios=[len(found) for found in kinds.values()])
    for axes, (kind, found) in zip(grid[:, 0], kinds.items(), strict=True):
        _draw_panel(axes, found, row["probabilities"], columns, theme)
        axes.set_title(kind.replace("_", " "), loc="left", fontsize=10)
        axes.set_yticks(range(len(found)), [_place(choice) for _, choice in found], fontsize=8)
        for y, (index, choice) in enumerate(found):
            for x, value in enumerate(choice.values):
                colour = figures.ink_on(theme.scale(row["probabilities"][index][x]))
                axes.text(x, y, _short(value), ha="center", va="center", fontsize=7.5, color=colour)
    _draw_scale(figure, grid, theme)
    return figure


def raster(space: Space, probabilities: Sequence[Sequence[float]], theme: figures.Theme) -> np.ndarray:
    """A heat map without a word, in no time: uint8 ``[height, width, 3]``, kinds of variables from top to bottom.

    Args:
      space: the space of the search.
      probabilities: ``[choices, values]``.
      theme: colours.
    """
    kinds = _by_kind(space).values()
    width = CELL_PIXELS * max(len(choice.values) for found in kinds for _, choice in found)
    paper = np.array(matplotlib.colors.to_rgb(theme.paper))
    rows = []
    for found in kinds:
        for index, choice in found:
            row = np.tile(paper, (ROW_PIXELS, width, 1))
            for x in range(len(choice.values)):
                row[1:, x * CELL_PIXELS + 1 : (x + 1) * CELL_PIXELS] = theme.scale(probabilities[index][x])[:3]
            rows.append(row)
        rows.append(np.tile(paper, (ROW_PIXELS, width, 1)))
    return (255 * np.concatenate(rows[:-1])).astype(np.uint8)


def film_strip(space: Space, rows: Sequence[dict], theme: figures.Theme) -> Figure:
    """Heat maps beside each other: a column is a step, a row of panels a kind of variable."""
    kinds = _by_kind(space)
    height = sum(len(found) for found in kinds.values()) * 0.15 + 0.32 * len(kinds) + 0.8
    figure = Figure(figsize=(2.4 + 1.7 * len(rows), height), layout="constrained")
    figure.suptitle(f"{figures.plain(space.name)}: P(A | \u03b1) while it is searched", fontweight="bold")
    ratios = [len(found) for found in kinds.values()]
    grid = figure.subplots(len(kinds), len(rows), squeeze=False, height_ratios=ratios)
    for column, row in enumerate(rows):
        for axes, (kind, found) in zip(grid[:, column], kinds.items(), strict=True):
            _draw_panel(axes, found, row["probabilities"], max(len(choice.values) for _, choice in found), theme)
            axes.set_yticks([])
            if column == 0:
                label = kind.replace("_", "\n")
                axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        grid[0, column].set_title(f"step {row['step']}", fontsize=10)
    _draw_scale(figure, grid, theme)
    return figure


def _by_kind(space: Space) -> dict[str, list[tuple[int, Choice]]]:
    """Kind of variable to its choices, each with its row in the probabilities."""
    kinds: dict[str, list[tuple[int, Choice]]] = {}
    for index, choice in enumerate(choices(space)):
        kinds.setdefault(choice.kind, []).append((index, choice))
    return kinds


def _draw_panel(
    axes: Axes, found: list[tuple[int, Choice]], probabilities: list, columns: int, theme: figures.Theme
) -> None:
    cells = [[*probabilities[index][: len(choice.values)]] for index, choice in found]
    padded = [row + [float("nan")] * (columns - len(row)) for row in cells]
    axes.imshow(padded, cmap=theme.scale, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    # Lines between the cells: as long as all are equally probable, nothing else tells them apart.
    axes.hlines([y + 0.5 for y in range(len(found) - 1)], -0.5, columns - 0.5, color=theme.paper, lw=0.8)
    axes.vlines([x + 0.5 for x in range(columns - 1)], -0.5, len(found) - 0.5, color=theme.paper, lw=0.8)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_scale(figure: Figure, grid, theme: figures.Theme) -> None:
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), theme.scale)
    figure.colorbar(scale, ax=grid, label="probability", fraction=0.04, pad=0.02)


def _place(choice: Choice) -> str:
    return choice.label.rsplit("/", 1)[0]


def _short(value: Value) -> str:
    return SHORT.get(value, str(value)) if isinstance(value, (bool, str)) else f"{value:g}"
