"""What TensorBoard shows of a run: plain functions that write to its event files, one folder per run.

Those without ``workdir`` write to the writer and the step in force (``with writer(workdir).as_default(step=...)``).
"""

import ast
import os
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from tsnet_tf.report import confusion, data_pictures, figures

EVENTS = "events"
DOTS_PER_INCH = 80
CLIPS_SHOWN = 8
# Curves that say more in one chart: title to patterns of their names. TensorBoard's own tab "custom scalars".
CHARTS = {
    "expected cost and target": ("expected_.*", "target_.*"),
    "entropy by kind of variable, nats": ("entropy/.*",),
    "learning rates": ("learning_rate/.*",),
}


def writer(workdir: str) -> tf.summary.SummaryWriter:
    """A writer of a run folder's events."""
    return tf.summary.create_file_writer(os.path.join(workdir, EVENTS))


def write_start(
    workdir: str, settings: str, clips: tuple[tf.Tensor, tf.Tensor], labels: Sequence[str], sparse_frames: int
) -> None:
    """Writes what is known before the first step: settings as text and as hparams, and a contact sheet per stream.

    Args:
      workdir: run folder.
      settings: in gin's language.
      clips: the first batch of training clips, as the model sees them: uint8 ``[batch, frames, side, side, 3]``, and
        their labels, int ``[batch]`` or shares of the classes ``[batch, classes]``.
      labels: names of the classes.
      sparse_frames: so many of the frames are the sparse stream's.
    """
    events = writer(workdir)
    with events.as_default(step=0):
        tf.summary.text("settings", "".join(f"    {line}\n" for line in settings.splitlines()))
        hparams.hparams(hparams_of(settings))
        _write_charts()
        frames, classes = (part[:CLIPS_SHOWN].numpy() for part in clips)
        names = [labels[index] for index in (classes.argmax(axis=1) if classes.ndim == 2 else classes)]
        streams = {"sparse": frames[:, :: frames.shape[1] // sparse_frames]}
        if frames.shape[1] > sparse_frames:
            streams["dense"] = frames
        for stream, shown in streams.items():
            sheet = data_pictures.contact_sheet(shown)
            tf.summary.image(f"clips/{stream}", sheet[None], description=f"a row is a clip: {', '.join(names)}")
    events.close()


def write(scalars: Mapping[str, float], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes numbers, and how the values of arrays are distributed.

    All at once and without an operation of TensorFlow: `tf.summary` takes milliseconds for each of them.
    """
    summary = summary_pb2.Summary()
    for name, value in scalars.items():
        summary.MergeFrom(scalar_pb(name, value))
    for name, values in arrays.items():
        summary.MergeFrom(histogram_pb(name, values))
    tf.summary.experimental.write_raw_pb(summary.SerializeToString())


def write_pictures(pictures: Mapping[str, Callable[[], np.ndarray]]) -> None:
    """Draws and writes pictures: name to what draws it, uint8 ``[height, width, 3]``."""
    for name, draw in pictures.items():
        tf.summary.image(name, draw()[None])


def write_evaluation(workdir: str, result: dict, step: int) -> None:
    """Writes accuracies and the confusion matrix of an evaluation.

    Args:
      workdir: run folder.
      result: what `tsnet_tf.evaluation.evaluate.evaluation` returned.
      step: length of the run, in steps.
    """
    events = writer(workdir)
    with events.as_default(step=step):
        write({f"evaluation/{name}": result[name] for name in ("top1", "top5", "gmacs_per_video")}, {})

        def draw(theme: figures.Theme) -> Figure:
            return confusion.figure_of(result["confusion"], result["labels"], theme)

        write_pictures({"confusion": lambda: figures.pixels(draw, figures.LIGHT, DOTS_PER_INCH)})
    events.close()


def hparams_of(settings: str) -> dict[str, bool | int | float | str]:
    """Settings in gin's language that are one number, word or yes/no: name to value, macros replaced.

    Those of the data set are left out. Runs that are worth comparing have them in common, and they would come first.
    """
    found = {}
    for name, value in re.findall(r"^([\w./]+) = (.+)$", settings, re.MULTILINE):
        if value.startswith("%"):
            value = repr(found.get(value[1:]))
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue  # a reference to a function, or the first line of something longer
    settings = {n: v for n, v in found.items() if "." in n and not n.startswith("VideoDataset.")}
    return {n: v for n, v in settings.items() if isinstance(v, (bool, int, float, str))}


def _write_charts() -> None:
    charts = [
        layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=patterns))
        for title, patterns in CHARTS.items()
    ]
    layout = layout_pb2.Layout(category=[layout_pb2.Category(title="search", chart=charts)])
    tf.summary.experimental.write_raw_pb(custom_scalar.pb(layout).SerializeToString())
