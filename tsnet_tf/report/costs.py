"""Draws what the architectures that a search draws cost, against its target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tsnet_tf.report import figures

BINS = 16


def figure_of(costs: Sequence[float], target: float, unit: str, theme: figures.Theme) -> Figure:
    """A histogram of the costs, with the target as a line.

    Args:
      costs: of architectures drawn from P(A | alpha), in ``unit``.
      target: what the search should come out at.
      unit: such as "GMACs per view".
      theme: colours.
    """
    figure = Figure(figsize=(6.4, 3.2))
    axes = figure.add_axes((0.11, 0.17, 0.86, 0.68))  # drawn while a search runs: finding the layout would take longest
    axes.hist(costs, BINS, color=theme.first)
    axes.axvline(target, color=theme.second, lw=1.6, ls="--", label=f"target {target:g}")
    axes.axvline(np.mean(costs), color=theme.ink, lw=1.6, label=f"mean {np.mean(costs):.3g}")
    axes.set(xlabel=unit, ylabel=f"of {len(costs)} architectures")
    axes.set_title("drawn from P(A | \u03b1)", loc="left", fontsize=10)
    figure.legend(loc="upper right", ncols=2, frameon=False)
    return figure
