"""Draws test clips with the model's predictions: right ones are ticked, of wrong ones the true class is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tsnet_tf.evaluation.samples import Samples
from tsnet_tf.report import data_pictures, figures

COLUMNS = 2
RIGHT, WRONG = "\u2713", "\u2717"
CHARACTERS = 30  # of a class's name


def draw_samples(samples: Samples, path: str, kinds: Sequence[str] = figures.SHOWN) -> list[str]:
    """Draws the clips, light and dark.

    Args:
      samples: at least one.
      path: file name without extension.
      kinds: of files.

    Returns:
      The file names.
    """
    return figures.save_themes(lambda theme: figure_of(samples, theme), path, kinds)


def figure_of(samples: Samples, theme: figures.Theme) -> Figure:
    """The clips as a figure: a strip of frames each, in time's order."""
    count, frames = samples.clips.shape[:2]
    rows = -(-count // COLUMNS)
    width = 5.6
    figure = Figure(figsize=(COLUMNS * width, rows * (width / max(frames, 4) + 0.42)), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, clip, label, predicted, probability in zip(
        grid.flat, samples.clips, samples.labels, samples.predicted, samples.probabilities, strict=False
    ):
        opaque = np.concatenate([clip, np.full_like(clip[..., :1], 255)], axis=-1)
        axes.imshow(data_pictures.strip(opaque, frames, between=0), interpolation="nearest")
        text = f"{WRONG} {_short(predicted)}, {probability:.0%}; it is {_short(label)}"
        if label == predicted:
            text = f"{RIGHT} {_short(label)}, {probability:.0%}"
        colour = theme.ink if label == predicted else theme.second
        axes.set_title(figures.plain(text), fontsize=9.5, loc="left", color=colour, pad=4)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= CHARACTERS else f"{name[: CHARACTERS - 1]}\u2026"
