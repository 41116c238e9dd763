"""What a run leaves behind, and how the next one picks it up.

A run folder holds ``config.gin`` (the settings in force), ``labels.json``, ``genotype.json``, ``checkpoints/``,
TensorBoard events in ``events/``, ``metrics.jsonl`` and, written last, ``summary.json``: a run that has one is
finished. A search also has ``space.json``, whose open choices are the rows of ``probabilities`` in ``metrics.jsonl``.
"""

import json
import os

import gin
import keras
import tensorflow as tf

from tsnet_tf import atomic
from tsnet_tf.errors import UserError
from tsnet_tf.models.inheritance import named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.two_stream import Space

SUMMARY = "summary.json"
FINAL = "checkpoints/final"


def summary_of(workdir: str) -> dict | None:
    """The summary of a finished run; None if there is none."""
    path = os.path.join(workdir, SUMMARY)
    return read_json(path) if tf.io.gfile.exists(path) else None


def read_json(path: str):
    """The contents of a JSON file, on any file system."""
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


def write_settings(workdir: str, labels: list[str]) -> str:
    """Writes the gin settings in force and the label map; returns the settings."""
    settings = gin.operative_config_str()
    atomic.write_text(os.path.join(workdir, "config.gin"), settings)
    atomic.write_json(os.path.join(workdir, "labels.json"), labels)
    return settings


def weights_checkpoint(model: keras.Model) -> tf.train.Checkpoint:
    """A checkpoint of every weight of ``model`` by name.

    TensorFlow's own walk through the model's attributes misses layers that stand in lists, without a word.
    """
    return tf.train.Checkpoint(weights={name: weight.value for name, weight in named_weights(model).items()})


def finish(workdir: str, model: keras.Model, summary: dict) -> None:
    """Writes the fixed model's weights and genotype, then the summary that marks the run as finished."""
    weights_checkpoint(model).write(os.path.join(workdir, FINAL))
    atomic.write_text(os.path.join(workdir, "genotype.json"), genotype.dumps(model.space))
    atomic.write_json(os.path.join(workdir, SUMMARY), summary)


def load_trained(workdir: str) -> tuple[TwoStreamModel, Space, list[str]]:
    """The fixed model of a finished run (a search step or a training), its genotype and its labels.

    Raises:
      UserError: there is no finished run in ``workdir``, or its files do not fit together.
    """
    if summary_of(workdir) is None:
        found = "no such folder" if not tf.io.gfile.exists(workdir) else f"no {SUMMARY} in it"
        raise UserError(f"expected the folder of a finished run, found {found}: '{workdir}'")
    with tf.io.gfile.GFile(os.path.join(workdir, "genotype.json")) as file:
        space = genotype.loads(file.read(), os.path.join(workdir, "genotype.json"))
    labels = read_json(os.path.join(workdir, "labels.json"))
    if len(labels) != space.classes:
        raise UserError(
            f"expected a label for each of the genotype's {space.classes} classes in '{workdir}', found {len(labels)}"
        )
    model = TwoStreamModel(space)
    try:
        weights_checkpoint(model).read(os.path.join(workdir, FINAL)).assert_consumed()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        said = str(error).splitlines()[0]
        raise UserError(
            f"expected weights of the genotype in '{os.path.join(workdir, FINAL)}', found: {said}"
        ) from error
    return model, space, labels
