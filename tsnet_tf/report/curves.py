"""How a search went: entropy, expected cost against its target, loss and indicator over the steps."""

from __future__ import annotations

import dataclasses
import json

import matplotlib
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsnet_tf.report import figures

COLOUR, TARGET_COLOUR = "#2f6fab", "#c8342b"


@dataclasses.dataclass(frozen=True)
class Panel:
    """One of the plots: a title with its unit, the value in ``metrics.jsonl`` and the one that it should approach."""

    title: str
    value: str
    target: str | None = None


PANELS = (
    Panel("entropy of P(A | \u03b1), nats", "entropy"),
    Panel("expected GMACs per view", "expected_gmacs", "target_gmacs"),
    Panel("training loss", "loss"),
    Panel("indicator on the validation batch", "indicator"),
)


def read_metrics(path: str) -> list[dict]:
    """Reads ``metrics.jsonl``: one JSON object per line, each with its ``step``.

    A run that was killed may have left half a line at the end; it is left out. After a resumption a step may come
    twice: the later one holds.
    """
    rows = {}
    with tf.io.gfile.GFile(path) as file:
        for line in file.read().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "step" in row:
                rows[row["step"]] = row
    return [rows[step] for step in sorted(rows)]


def draw_curves(runs: dict[str, list[dict]], path: str) -> list[str]:
    """Draws a row of panels for every run to ``<path>.png`` and ``<path>.svg``.

    Args:
      runs: name of the run to its metrics, as `read_metrics` gives them; a panel that a run has no values for is empty.
      path: file name without extension.

    Returns:
      The two file names.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(3.6 * len(PANELS), 2.7 * len(runs)), layout="constrained")
        grid = figure.subplots(len(runs), len(PANELS), squeeze=False)
        for row, (name, metrics) in enumerate(runs.items()):
            for axes, panel in zip(grid[row], PANELS, strict=True):
                _draw_panel(axes, panel, metrics)
            grid[row][0].set_ylabel(name, fontweight="bold")
        for axes in grid[-1]:
            axes.set_xlabel("step")
    return figures.save(figure, path)


def _draw_panel(axes: Axes, panel: Panel, metrics: list[dict]) -> None:
    axes.set_title(panel.title, fontsize=10)
    axes.grid(alpha=0.25)
    steps, values = _series(metrics, panel.value)
    if not steps:
        axes.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=axes.transAxes, color="#7b828c")
        return
    axes.plot(steps, values, color=COLOUR, lw=1.6)
    if panel.target:
        steps, values = _series(metrics, panel.target)
        if steps:
            axes.plot(steps, values, color=TARGET_COLOUR, lw=1.2, ls="--", label="target")
            axes.legend(frameon=False, fontsize=9)


def _series(metrics: list[dict], name: str) -> tuple[list[int], list[float]]:
    rows = [row for row in metrics if isinstance(row.get(name), (int, float))]
    return [row["step"] for row in rows], [row[name] for row in rows]
