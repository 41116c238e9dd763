"""Draws a confusion matrix: which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tsnet_tf.report import figures

NUMBERED_AT_MOST, NAMED_AT_MOST = 24, 60  # classes


def draw_confusion(
    confusion: Sequence[Sequence[int]], labels: Sequence[str], path: str, kinds: Sequence[str] = figures.SHOWN
) -> list[str]:
    """Draws the matrix, light and dark.

    Args:
      confusion: number of videos, ``[classes (true), classes (predicted)]``.
      labels: names of the classes.
      path: file name without extension.
      kinds: of files.

    Returns:
      The file names.
    """
    return figures.save_themes(lambda theme: figure_of(confusion, labels, theme), path, kinds)


def figure_of(confusion: Sequence[Sequence[int]], labels: Sequence[str], theme: figures.Theme) -> Figure:
    """The matrix as a figure: shades are shares of the true class, numbers are videos."""
    counts = np.array(confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = min(12.0, 3.0 + 0.36 * len(labels))
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    names = [figures.plain(label) for label in labels]
    axes.imshow(shares, cmap=theme.scale, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="predicted", ylabel="true class")
    if len(labels) <= NAMED_AT_MOST:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    if len(labels) <= NUMBERED_AT_MOST:
        for y, x in np.argwhere(counts):
            colour = figures.ink_on(theme.scale(shares[y, x]))
            axes.text(x, y, f"{counts[y, x]}", ha="center", va="center", fontsize=8, color=colour)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), theme.scale)
    figure.colorbar(scale, ax=axes, label="share of the true class", fraction=0.04, pad=0.02)
    return figure
