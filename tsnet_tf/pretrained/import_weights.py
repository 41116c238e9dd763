"""A finished run folder out of a public checkpoint."""

from __future__ import annotations

import dataclasses
import os
import time

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data.annotations import read_labels
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.pretrained import torch_file, x3d
from tsnet_tf.space import genotype as genotypes
from tsnet_tf.space.cost import complexity
from tsnet_tf.training import run_folder


def import_weights(*, checkpoint: str, genotype: str, workdir: str, labels: str | None = None) -> dict:
    """Leaves the model of a PyTorchVideo or PySlowFast checkpoint of X3D in a run folder, as a training would.

    Args:
      checkpoint: a file of ``torch.save``.
      genotype: x3d_xs, x3d_s, x3d_m or x3d_l. The first three have the same weights, and differ in their clips.
      workdir: run folder.
      labels: names of the classes in the checkpoint's order (`tsnet_tf.data.annotations.read_labels`); quotes around a
        name are left out. None numbers them from 0.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      UserError: the checkpoint cannot be read, does not fit the genotype, or has another number of classes than names.
    """
    flags = {"checkpoint": checkpoint, "genotype": genotype, "labels": labels}
    finished = run_folder.finished_before(workdir, "import", flags)
    if finished is not None:
        return finished
    started = time.monotonic()
    with tf.io.gfile.GFile(checkpoint, "rb") as file:
        state = torch_file.weights(file.read(), checkpoint)
    classes = x3d.classes_in(state)
    names = [str(number) for number in range(classes)] if labels is None else class_names(labels, classes)
    space = dataclasses.replace(genotypes.load(genotype), classes=classes)
    model = TwoStreamModel(space)
    x3d.assign(model, state)
    cost = complexity(space)
    VideoDataset()  # the settings in force are those that somebody has asked for
    own_folder = run_folder.start(workdir, None, flags)
    run_folder.write_settings(own_folder, names)
    summary = {
        "step": "import",
        "checkpoint": os.path.basename(checkpoint),
        "genotype": space.name,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        "steps": 0,
        "seconds": time.monotonic() - started,
    }
    run_folder.finish(own_folder, model, summary)
    console.say(f"import: {space.name}, {classes} classes, {cost.params_m:.3g} M parameters in {workdir}")
    if labels is None:
        console.warn("the classes have numbers for names: --labels names them, in the checkpoint's order")
    return summary


def class_names(path: str, classes: int) -> list[str]:
    """The names of so many classes in a file.

    Raises:
      UserError: the file cannot be read, has another number of them, or one of them twice.
    """
    # Kinetics' published names are in quotes where they have a space.
    names = [name.strip('"') for name in read_labels(path)]
    if len(names) != classes or len(set(names)) != classes:
        raise UserError(
            f"--labels: expected different names for the checkpoint's {classes} classes in '{path}', found "
            f"{len(set(names))}"
        )
    return names
