"""How a run went: entropy, expected cost against its target, loss, indicator and accuracy over the steps."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsnet_tf.report import figures


@dataclasses.dataclass(frozen=True)
class Panel:
    """One of the plots: a title with its unit, the value in ``metrics.jsonl`` and the one that it should approach.

    A value that ends with a slash stands for all that begin so, a curve each.
    """

    title: str
    value: str
    target: str | None = None

    def names(self, metrics: list[dict]) -> list[str]:
        """The values of ``metrics`` that it shows."""
        names = dict.fromkeys(name for row in metrics for name in row)
        return [n for n in names if n == self.value or self.value.endswith("/") and n.startswith(self.value)]


PANELS = (
    Panel("entropy, nats", "entropy"),
    Panel("entropy by kind, share left", "entropy/"),
    Panel("expected GMACs per view", "expected_gmacs", "target_gmacs"),
    Panel("expected parameters, M", "expected_params_m", "target_params_m"),
    Panel("expected latency, ms", "expected_latency_ms", "target_latency_ms"),
    Panel("training loss", "loss"),
    Panel("indicator (validation)", "indicator"),
    Panel("training accuracy", "accuracy"),
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


def draw_curves(runs: dict[str, list[dict]], path: str, kinds: Sequence[str] = figures.SHOWN) -> list[str]:
    """Draws a row of panels for every run, light and dark.

    Args:
      runs: name of the run to its metrics, as `read_metrics` gives them. A panel that one of them has no values for is
        empty, and one that none has is left out.
      path: file name without extension.
      kinds: of files.

    Returns:
      The file names.
    """
    return figures.save_themes(lambda theme: figure_of(runs, theme), path, kinds)


def figure_of(runs: dict[str, list[dict]], theme: figures.Theme) -> Figure:
    """The curves as a figure; see `draw_curves`."""
    panels = [panel for panel in PANELS if any(panel.names(metrics) for metrics in runs.values())]
    figure = Figure(figsize=(2.8 * len(panels), 2.7 * len(runs)), layout="constrained")
    rows = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    for row, (name, metrics) in zip(rows, runs.items(), strict=True):
        row.suptitle(figures.plain(name), x=0.005, ha="left", fontsize=10, fontweight="bold")
        for axes, panel in zip(row.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw_panel(axes, panel, metrics, theme)
    for axes in rows[-1].axes:
        axes.set_xlabel("step")
    return figure


def _draw_panel(axes: Axes, panel: Panel, metrics: list[dict], theme: figures.Theme) -> None:
    axes.set_title(panel.title, fontsize=10)
    axes.grid(alpha=0.25)
    if panel.value.endswith("/"):
        _draw_kinds(axes, panel, metrics)
    else:
        steps, values = _series(metrics, panel.value)
        axes.plot(steps, values, color=theme.first, lw=1.6, marker=_marker(steps))
        if panel.target and _series(metrics, panel.target)[0]:
            axes.plot(*_series(metrics, panel.target), color=theme.second, lw=1.2, ls="--", label="target")
            axes.legend(frameon=False, fontsize=9)
    if not any(len(line.get_xdata()) for line in axes.lines):
        axes.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=axes.transAxes, color=theme.pale)


def _draw_kinds(axes: Axes, panel: Panel, metrics: list[dict]) -> None:
    """A curve for every kind of variable: they start at 1, and are at 0 when everything is decided."""
    names = panel.names(metrics)
    for index, name in enumerate(names):
        steps, values = _series(metrics, name)
        if values and values[0]:
            line = ("-", "--", "-.", ":")[index % 4]
            label = name.removeprefix(panel.value).replace("_", " ")
            shares = [value / values[0] for value in values]
            axes.plot(steps, shares, lw=1.6, ls=line, marker=_marker(steps), label=label)
    if names:
        axes.legend(frameon=False, fontsize=7.5, handlelength=1.6, labelspacing=0.2)


def _marker(steps: list[int]) -> str:
    return "o" if len(steps) == 1 else ""  # a line of one point cannot be seen


def _series(metrics: list[dict], name: str) -> tuple[list[int], list[float]]:
    rows = [row for row in metrics if isinstance(row.get(name), (int, float))]
    return [row["step"] for row in rows], [row[name] for row in rows]
