"""Which label holds from when to when in a video, as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from tsnet_tf.report import figures

_ROWS_AT_MOST = 20
_OTHERS = "other labels"


def names(videos: Sequence[str]) -> dict[str, str]:
    """A file name, without suffix, for the picture of each video; a number tells apart those that share a name."""
    taken, found = set(), {}
    for video in dict.fromkeys(videos):
        stem = os.path.splitext(os.path.basename(video))[0]
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        found[video] = name
    return found


def draw(result: dict, path: str) -> list[str]:
    """Draws a row for every label that holds somewhere, those that hold longest on top.

    Args:
      result: ``video``, ``seconds`` and ``timeline``, rows of ``start``, ``end``, ``label``, ``probability``.
      path: file name without extension.

    Returns:
      The two file names, PNG and SVG.
    """
    lasting: dict[str, float] = {}
    for row in result["timeline"]:
        lasting[row["label"]] = lasting.get(row["label"], 0.0) + row["end"] - row["start"]
    labels = sorted(lasting, key=lasting.get, reverse=True)
    shown = labels if len(labels) <= _ROWS_AT_MOST else [*labels[: _ROWS_AT_MOST - 1], _OTHERS]
    place = {label: min(index, len(shown) - 1) for index, label in enumerate(labels)}
    colours = matplotlib.colormaps["viridis"]
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(10, 1.2 + 0.28 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for row in result["timeline"]:
            axes.barh(
                place[row["label"]],
                row["end"] - row["start"],
                left=row["start"],
                height=0.8,
                color=colours(row["probability"]),
            )
        axes.set_yticks(range(len(shown)), [figures.plain(label) for label in shown])
        axes.invert_yaxis()
        axes.set_xlim(0, result["seconds"])
        axes.grid(axis="x", alpha=0.25)
        axes.set_xlabel("seconds")
        axes.set_title(figures.plain(os.path.basename(result["video"])), loc="left", fontweight="bold")
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), colours)
        figure.colorbar(scale, ax=axes, label="probability", pad=0.01)
    return figures.save(figure, path)
