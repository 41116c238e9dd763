"""Training one architecture from scratch (paper, section 5.2)."""

import dataclasses
import math
import time

import gin
import keras
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype as genotypes
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space
from tsnet_tf.training import run_folder, tensorboard
from tsnet_tf.training.loop import Pace, train_loop
from tsnet_tf.training.optimizers import weight_optimizer
from tsnet_tf.training.recorder import Recorder
from tsnet_tf.training.strategy import strategy as make_strategy


@gin.configurable
def train(
    *,
    workdir: str,
    genotype: str,
    dataset: VideoDataset = gin.REQUIRED,
    train_splits: tuple[str, ...] = ("train",),
    epochs: float = gin.REQUIRED,
    batch_size: int = 64,
    report_every: int = 20,
    checkpoint_every: int = 500,
    profile_steps: tuple[int, int] | None = None,
    synchronized: bool = False,
    branch_gamma: float = 0.0,
    label_smoothing: float = 0.0,
    seed: int = 0,
) -> dict:
    """Trains a genotype from random weights and leaves it in the run folder.

    Args:
      workdir: run folder.
      genotype: name of a published architecture or path of a genotype file.
      dataset: the videos.
      train_splits: splits to train on.
      epochs: length, in passes over the training videos.
      batch_size: clips per step, over all replicas.
      report_every, checkpoint_every: in steps.
      profile_steps: first and last step to trace for TensorBoard's profiler; None for none.
      synchronized: whether replicas share BN statistics.
      branch_gamma: how much of each block's branch there is at the start (`tsnet_tf.layers.mbconv3d.MBConv3D`).
      label_smoothing: probability spread over the other classes.
      seed: of initial weights and clips.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      UserError: a setting or the genotype does not fit.
    """
    finished = run_folder.summary_of(workdir)
    if finished is not None:
        console.say(f"training: already finished in {workdir}")
        return finished
    started = time.monotonic()
    labels = dataset.labels()
    space = dataclasses.replace(genotypes.load(genotype), classes=len(labels), resolution=dataset.crop)
    cost = complexity(space)
    steps = max(1, math.ceil(epochs * dataset.num_videos(train_splits) / batch_size))
    tf.keras.utils.set_random_seed(seed)
    console.say(
        f"training: {space.name}, {cost.gmacs:.4g} GMACs per view, {cost.params_m:.3g} M parameters, {steps} steps"
    )
    strategy = make_strategy()
    with strategy.scope():
        model = TwoStreamModel(space, synchronized=synchronized, branch_gamma=branch_gamma)
    settings = run_folder.write_settings(workdir, labels)
    clips = next(iter(_clips(model.space, dataset, train_splits, batch_size, seed)))
    tensorboard.write_start(workdir, settings, clips, labels, model.space.sparse.frames)
    fit(
        model,
        dataset,
        train_splits,
        strategy,
        workdir=workdir,
        title="training",
        pace=Pace(steps, report_every, checkpoint_every, batch_size, profile_steps),
        label_smoothing=label_smoothing,
        seed=seed,
    )
    summary = {
        "step": "train",
        "genotype": space.name,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        "steps": steps,
        "seed": seed,
        "seconds": time.monotonic() - started,
    }
    run_folder.finish(workdir, model, summary)
    return summary


def fit(
    model: TwoStreamModel,
    dataset: VideoDataset,
    splits: tuple[str, ...],
    strategy: tf.distribute.Strategy,
    *,
    workdir: str,
    title: str,
    pace: Pace,
    label_smoothing: float = 0.0,
    seed: int = 0,
) -> None:
    """Trains a fixed model on the clips of ``splits``, from the weights it has or the latest checkpoint in ``workdir``.

    Args:
      model: made under ``strategy``.
      dataset: the videos.
      splits: splits to train on.
      strategy: how the work is spread.
      workdir: folder of checkpoints, metrics and TensorBoard events.
      title: what is being done, for the progress bar.
      pace: how long, how often to report and save, and the clips per step.
      label_smoothing: probability spread over the other classes.
      seed: of the clips.
    """
    space = model.space
    accuracy = keras.metrics.CategoricalAccuracy if dataset.mixes else keras.metrics.SparseCategoricalAccuracy
    with strategy.scope():
        model.compile(
            weight_optimizer(pace.steps),
            loss=_SmoothedCrossEntropy(space.classes, label_smoothing),
            metrics=[accuracy(name="accuracy")],
            jit_compile=False,
        )
        model.optimizer.build(model.trainable_variables)

    def make_dataset(context: tf.distribute.InputContext, done: int) -> tf.data.Dataset:
        return _clips(space, dataset, splits, pace.batch_size, seed, input_context=context, skip_batches=done)

    recorder = Recorder(
        workdir, title, shown=lambda m: {"loss": f"{m['loss']:.2f}", "accuracy": f"{m['accuracy']:.2f}"}
    )
    train_loop(model, make_dataset, strategy, recorder=recorder, pace=pace)


def _clips(
    space: Space, dataset: VideoDataset, splits: tuple[str, ...], batch_size: int, seed: int, **where
) -> tf.data.Dataset:
    return pipeline.train_clips(
        dataset,
        splits,
        batch_size=batch_size,
        frames=space.frames,
        frame_stride=dataset.span // space.frames,
        seed=seed,
        soft_labels=True,
        **where,
    )


class _SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits with labels, ``smoothing`` of the probability spread over all classes.

    Labels are integers ``[batch]``, or each class's share ``[batch, classes]``, which mixed clips have.
    """

    def __init__(self, classes: int, smoothing: float):
        super().__init__(name="cross_entropy")
        self._classes, self._smoothing = classes, smoothing

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        if y_true.shape.rank == 2 and y_true.shape[-1] == self._classes:
            target = tf.cast(y_true, tf.float32)
        else:
            target = tf.one_hot(tf.reshape(tf.cast(y_true, tf.int32), [-1]), self._classes)
        target = target * (1.0 - self._smoothing) + self._smoothing / self._classes
        return tf.nn.softmax_cross_entropy_with_logits(target, y_pred)
