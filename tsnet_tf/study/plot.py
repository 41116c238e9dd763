"""Accuracy against cost of everything that a study has trained, a point for each training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tsnet_tf.report import figures

NAMES = {"found": "found", "evolution": "evolution", "hand": "hand-made", "single": "one stream", "random": "random"}
MARKERS = {"found": "D", "evolution": "s", "hand": "^", "single": "v", "random": "o"}


def draw(rows: Sequence[Mapping], path: str) -> list[str]:
    """Draws top-1 and log-loss against GMACs, light and dark, as PNG and SVG files; returns their names.

    Args:
      rows: of a study.
      path: file name without extension.
    """
    return figures.save_themes(lambda theme: figure_of(rows, theme), path, figures.EVERY_KIND)


def figure_of(rows: Sequence[Mapping], theme: figures.Theme) -> Figure:
    """The plot as a figure; see `draw`."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    colours = dict(zip(NAMES, (theme.second, "#9470c4", "#2f9055", "#c9661b", theme.first), strict=True))
    for axes, (key, label, scale) in zip(
        figure.subplots(1, 2), (("top1", "top-1 accuracy, %", 100), ("log_loss", "test log-loss", 1)), strict=True
    ):
        for origin, name in reversed(NAMES.items()):
            own = [row for row in rows if row["origin"] == origin]
            if own:
                x, y = np.array([(1000 * row["gmacs"], scale * row[key]) for row in own]).T
                style = {"color": colours[origin], "marker": MARKERS[origin], "ls": "none", "ms": 6}
                axes.plot(x, y, label=name, alpha=0.8, mec=theme.paper, mew=0.5, **style)
        axes.set(xlabel="MMACs per view", ylabel=label)
        axes.grid(alpha=0.2)
    figure.axes[0].legend(loc="lower left", frameon=False, fontsize=9)
    return figure
