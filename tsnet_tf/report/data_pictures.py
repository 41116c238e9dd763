"""Pictures of a data set: videos per class, lengths and frame rates, and a sheet of clips as the model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tsnet_tf.report import figures

COLOURS = {"train": "#2f6fab", "validation": "#e0a030", "test": "#5b9e6f"}
REJECTED_COLOUR = "#c8342b"
_SHEET_FRAME = 72  # pixels of a frame on a contact sheet, about
_MOST_NAMED = 40  # classes; more are drawn without their names
_TEXT_COLOUR, _QUIET_COLOUR = "#22272e", "#7b828c"


def draw_counts(
    labels: Sequence[str], videos: Mapping[str, Sequence[int]], rejected: Sequence[int], path: str
) -> list[str]:
    """Draws the number of videos of every class, by split, to ``<path>.png`` and ``<path>.svg``.

    Args:
      labels: names of the classes.
      videos: split to number of videos of each class.
      rejected: number of videos of each class that were left out.
      path: file name without extension.

    Returns:
      The two file names.
    """
    totals = np.sum(list(videos.values()), axis=0) + np.array(rejected)
    order = np.argsort(-totals, kind="stable")
    parts = [(name, np.array(counts)[order], COLOURS.get(name, _QUIET_COLOUR)) for name, counts in videos.items()]
    if any(rejected):
        parts.append(("left out", np.array(rejected)[order], REJECTED_COLOUR))
    places, starts = np.arange(len(labels)), np.zeros(len(labels))
    named = len(labels) <= _MOST_NAMED
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(8, 1.1 + 0.27 * len(labels)) if named else (11, 4), layout="constrained")
        axes = figure.subplots()
        for name, counts, colour in parts:
            draw = axes.barh if named else axes.bar
            title = f"{name} ({counts.sum():,})"
            if named:
                draw(places, counts, left=starts, color=colour, height=0.72, label=title)
            else:
                draw(places, counts, bottom=starts, color=colour, width=1.0, label=title)
            starts = starts + counts
        if named:
            axes.set_yticks(places, [figures.plain(labels[index]) for index in order])
            axes.invert_yaxis()
            axes.set_ylim(len(labels) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel("videos")
            axes.grid(axis="x", alpha=0.25)
        else:
            axes.set_xlim(-0.5, len(labels) - 0.5)
            axes.set_xlabel(
                f"{len(labels)} classes, from '{figures.plain(labels[order[0]])}' ({totals[order[0]]:,}) to "
                f"'{figures.plain(labels[order[-1]])}' ({totals[order[-1]]:,})"
            )
            axes.set_ylabel("videos")
            axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=len(parts), frameon=False)
    return figures.save(figure, path)


def draw_lengths(frames: np.ndarray, frame_rates: np.ndarray, span: int, path: str) -> list[str]:
    """Draws histograms of the videos' lengths in frames and of their frame rates.

    Args:
      frames: lengths, int [videos].
      frame_rates: per second, [videos].
      span: frames that a clip covers, marked in the first.
      path: file name without extension.

    Returns:
      The two file names.
    """
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(9, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.hist(frames, bins=_bins(frames), color=COLOURS["train"])
        left.axvline(span, color=REJECTED_COLOUR, lw=1.4, ls="--")
        shorter = (frames < span).mean()
        left.set_title(f"length, frames (a clip spans {span}; {shorter:.0%} are shorter)", fontsize=10)
        right.hist(frame_rates, bins=_bins(frame_rates), color=COLOURS["test"])
        right.set_title("frame rate, per second", fontsize=10)
        for axes in (left, right):
            axes.set_ylabel(f"of {len(frames):,} videos")
            axes.grid(axis="y", alpha=0.25)
            axes.set_axisbelow(True)
    return figures.save(figure, path)


def draw_clips(clips: Sequence[tuple[str, np.ndarray]], sparse_frames: int, path: str) -> list[str]:
    """Draws clips, one below the other: the sparse stream's frames large, all of the dense stream's small.

    Args:
      clips: label and dense stream, uint8 [frames, side, side, 3], of each.
      sparse_frames: the sparse stream is so many of the dense stream's frames.
      path: file name without extension.

    Returns:
      The two file names.
    """
    dense_frames = len(clips[0][1])
    columns = -(-dense_frames // 2)
    inches = 1.0  # of a large frame; two rows of small ones are as high
    widths = [sparse_frames * inches, columns * inches / 2]
    with matplotlib.rc_context(figures.STYLE):
        figure = Figure(figsize=(sum(widths) + 0.5, len(clips) * (inches + 0.27) + 0.35), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.02, wspace=0.01, hspace=0.0)
        grid = figure.subplots(len(clips), 2, squeeze=False, gridspec_kw={"width_ratios": widths})
        for (label, clip), row in zip(clips, grid, strict=True):
            row[0].imshow(strip(clip[:: dense_frames // sparse_frames], sparse_frames), interpolation="nearest")
            row[1].imshow(strip(clip, columns), interpolation="nearest")
            row[0].set_title(figures.plain(label), fontsize=9, loc="left", color=_TEXT_COLOUR, pad=3)
            for axes in row:
                axes.axis("off")
        for axes, title in zip(
            grid[0], (f"sparse stream: {sparse_frames} frames", f"dense stream: {dense_frames} frames"), strict=True
        ):
            axes.annotate(
                title, (0, 1), (0, 20), "axes fraction", textcoords="offset points", fontweight="bold", fontsize=9,
                color=_TEXT_COLOUR,
            )  # fmt: skip
    return figures.save(figure, path)


def contact_sheet(clips: np.ndarray) -> np.ndarray:
    """Clips as an image, without drawing: a row is a clip, its frames side by side.

    Args:
      clips: uint8 [clips, frames, side, side, 3].

    Returns:
      uint8 [height, width, 3]; frames are enlarged by a whole number, or every so many pixels are left.
    """
    larger, smaller = max(1, _SHEET_FRAME // clips.shape[2]), max(1, clips.shape[2] // _SHEET_FRAME)
    clips = clips[:, :, ::smaller, ::smaller]
    sheet = strip(clips.reshape(-1, *clips.shape[2:]), clips.shape[1])
    return sheet.repeat(larger, axis=0).repeat(larger, axis=1)


def strip(frames: np.ndarray, columns: int, between: int = 255) -> np.ndarray:
    """Frames [frames, side, side, channels] in rows of ``columns``; ``between`` is the value of the lines between."""
    gap = max(1, frames.shape[1] // 24)
    empty = np.full((-len(frames) % columns, *frames.shape[1:]), between, np.uint8)
    framed = np.pad(
        np.concatenate([frames, empty]), ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=between
    )  # fmt: skip
    rows = [np.concatenate(list(row), axis=1) for row in np.split(framed, len(framed) // columns)]
    return np.concatenate(rows, axis=0)[:-gap, :-gap]


def _bins(values: np.ndarray) -> np.ndarray:
    """Up to 30 bins; equal values get one of width 1 around them."""
    low, high = float(np.min(values)), float(np.max(values))
    return np.array([low - 0.5, low + 0.5]) if high - low < 1e-6 else np.linspace(low, high, 31)
