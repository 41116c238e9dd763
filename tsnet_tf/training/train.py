"""Training one architecture from scratch (paper, section 5.2)."""

import dataclasses
import time

import gin
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.layers.batch_norm import agree
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype as genotypes
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space
from tsnet_tf.training import run_folder, tensorboard
from tsnet_tf.training.classifier import Classifier
from tsnet_tf.training.determinism import set_seed
from tsnet_tf.training.loop import train_loop
from tsnet_tf.training.optimizers import weight_optimizer
from tsnet_tf.training.pace import Pace, steps_of
from tsnet_tf.training.precision import precision
from tsnet_tf.training.recorder import Recorder, seconds_of
from tsnet_tf.training.strategy import strategy as make_strategy

RECALIBRATION_BATCHES = 16
NOT_TRAINING = ("search", "joint", "alpha_optimizer", "table1", "space_file")  # configurables that it never asks for


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a genotype is trained from random weights; in gin files ``train.``.

    Attributes:
      dataset: the videos.
      train_splits: splits to train on.
      epochs: length, in passes over the training videos.
      batch_size: clips per step, over all replicas.
      report_every, checkpoint_every: in steps.
      profile_steps: first and last step to trace for TensorBoard's profiler; None for none.
      synchronized: whether replicas share BN statistics.
      branch_gamma: how much of each block's branch there is at the start (`tsnet_tf.layers.mbconv3d.MBConv3D`).
      label_smoothing: probability spread over the other classes.
      microbatches: into how many parts a replica's batch is cut to save memory; each has BN statistics of its own.
      seed: of initial weights and clips.
    """

    dataset: VideoDataset = gin.REQUIRED
    train_splits: tuple[str, ...] = ("train",)
    epochs: float = gin.REQUIRED
    batch_size: int = 64
    report_every: int = 20
    checkpoint_every: int = 500
    profile_steps: tuple[int, int] | None = None
    synchronized: bool = False
    branch_gamma: float = 0.0
    label_smoothing: float = 0.0
    microbatches: int = 1
    seed: int = 0

    def pace(self) -> Pace:
        steps = steps_of(self.epochs, self.dataset.num_videos(self.train_splits), self.batch_size)
        return Pace(steps, self.report_every, self.checkpoint_every, self.batch_size, self.profile_steps)


settings_from_gin = gin.external_configurable(TrainSettings, "train")


def train(*, workdir: str, genotype: str, **settings) -> dict:
    """Trains a genotype from random weights and leaves it in the run folder.

    Args:
      workdir: run folder.
      genotype: name of a published architecture or path of a genotype file.
      **settings: of `TrainSettings`, besides what gin binds.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      UserError: a setting or the genotype does not fit.
    """
    own = settings_from_gin(**settings)
    finished = run_folder.finished_before(workdir, "training", {"genotype": genotype}, without=NOT_TRAINING)
    if finished is not None:
        return finished
    started = time.monotonic() - seconds_of(workdir)
    strategy = make_strategy()
    own.dataset.check_splits({"train.train_splits": own.train_splits})
    labels = own.dataset.labels()
    space = dataclasses.replace(genotypes.load(genotype), classes=len(labels), resolution=own.dataset.crop)
    cost, pace = complexity(space), own.pace()
    set_seed(own.seed)
    console.say(
        f"training: {space.name}, {cost.gmacs:.4g} GMACs per view, {cost.params_m:.3g} M parameters, {pace.steps} steps"
    )
    with strategy.scope(), precision():
        model = TwoStreamModel(space, synchronized=own.synchronized, branch_gamma=own.branch_gamma)
    own_folder = run_folder.start(workdir, strategy, {"genotype": genotype})
    written = run_folder.write_settings(own_folder, labels)
    clips = next(iter(_clips(model.space, own.dataset, own.train_splits, own.batch_size, own.seed)))
    tensorboard.write_start(own_folder, written, clips, labels, model.space.sparse.frames)
    fit(
        model,
        own.dataset,
        own.train_splits,
        strategy,
        workdir=workdir,
        title="training",
        pace=pace,
        label_smoothing=own.label_smoothing,
        microbatches=own.microbatches,
        seed=own.seed,
    )
    summary = {
        "step": "train",
        "genotype": space.name,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        "steps": pace.steps,
        "seed": own.seed,
        "seconds": time.monotonic() - started,
    }
    run_folder.finish(own_folder, model, summary)
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
    microbatches: int = 1,
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
      microbatches: into how many parts a replica's batch is cut to save memory.
      seed: of the clips.
    """
    space = model.space
    with strategy.scope():
        training = Classifier(model, label_smoothing=label_smoothing, microbatches=microbatches)
        training.compile(weight_optimizer(pace.steps, pace.batch_size))

    def make_dataset(context: tf.distribute.InputContext, done: int) -> tf.data.Dataset:
        return _clips(space, dataset, splits, pace.batch_size, seed, input_context=context, skip_batches=done)

    recorder = Recorder(
        run_folder.own(workdir, strategy),
        title,
        shown=lambda m: {name: f"{m[name]:.2f}" for name in ("loss", "accuracy") if name in m},
    )
    train_loop(training, make_dataset, strategy, workdir=workdir, recorder=recorder, pace=pace)
    agree(model)
    if training.optimizer.use_ema:
        # The moving statistics of BN are those of the weights that the averages have replaced.
        recalibrate(
            model, lambda context: make_dataset(context, 0).map(lambda clip, _: clip), RECALIBRATION_BATCHES, strategy
        )


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
