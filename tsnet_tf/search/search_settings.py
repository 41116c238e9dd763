"""What gin files say about a search step, and what follows from that and the data alone."""

import dataclasses

import gin

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.search import latency
from tsnet_tf.search.cost_tables import GMACS, PARAMS, CostModel
from tsnet_tf.space.two_stream import Space, for_clips
from tsnet_tf.training.pace import Pace, steps_of

NOT_SEARCHING = ("train",)  # configurables that a search never asks for
TARGETS = ("gmacs", "params_m", "latency_ms")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What one search step does; in gin files ``search.``.

    Attributes:
      name: name of this step.
      after: name of the step that the previous run folder must be of; None for the first.
      space: the whole space, of which ``streams`` and ``free`` leave a part; resolution and frames
        are those of the data set.
      streams: streams the model of this step has.
      free: patterns of the labels that are searched (see `tsnet_tf.space.two_stream.restrict`).
      target_gmacs: what the architecture may cost, multiply-adds per view, in all; None if the target is another.
      least: the part of the target that it must cost at least; 0 for a ceiling and nothing else. For comparisons at
        equal cost.
      target_params_m: millions of parameters, in all.
      target_latency_ms: milliseconds of a forward pass: estimated by ``latency_table``, and measured at the end.
      latency_table: the file written by ``bin/benchmark.py latency``.
      refine: how many architectures drawn from P(A | alpha) within the target are scored with the shared weights on
        the validation videos, the most probable one among them; their front is left in ``front.json``. 0: the most
        probable one is taken unmeasured.
      evolution: evaluations of plain evolution over the shared weights, each on one validation batch, whose best are
        scored in the place of those drawn from P(A | alpha); 0 for none (see `tsnet_tf.search.evolution`).
      trials: trainings from scratch, each of a few epochs, by evolution that begins with the best scored and, if it is
        to be among them, the hand-made architecture: their best are what goes on. On one replica only; 0 for none.
      trial_epochs: of each (see `tsnet_tf.search.trials`).
      rounds: successive halving of the best of them: of each round, how many are left, and for how many epochs each is
        trained by itself (see `tsnet_tf.search.halving`). The winner's weights are kept.
      from_scratch: whether these trainings begin with random weights, and not with the shared ones: slower, and closer
        to what counts where the architecture is to be trained from scratch.
      scored_random: how many random architectures within the target, the first of those that `bin/study.py` trains, get
        scores with the shared weights in ``scores.json``: for rank correlations, the search does not see them.
      hand_made: whether the hand-made architecture of this space and target is among them
        (`tsnet_tf.space.hand_made.hand_made_within`).
      dataset: the videos.
      train_splits: for the weights.
      validation_splits: for the indicator that moves alpha, and for every choice between architectures.
      test_split: for the accuracy that is reported; the search never sees it.
      views: protocol of that accuracy.
      epochs: length, in passes over the training videos.
      alpha_warmup: part of the run in which alpha stands still.
      finetune_epochs: how much longer the found architecture is trained by itself, from the shared weights.
      batch_size, validation_batch_size: clips per step, over all replicas.
      recalibration_batches: batches over which BN statistics are measured for the found architecture.
      report_every, checkpoint_every: in steps.
      profile_steps: first and last step to trace for TensorBoard's profiler; None for none.
      execution: "slice" or "mask".
      synchronized: whether replicas share BN statistics.
      branch_gamma: how much of each block's branch there is at the start (`tsnet_tf.layers.mbconv3d.MBConv3D`).
      seed: of initial weights, clips and sampled architectures.
    """

    name: str = gin.REQUIRED
    after: str | None = None
    space: Space = gin.REQUIRED
    streams: tuple[str, ...] = gin.REQUIRED
    free: tuple[str, ...] = gin.REQUIRED
    target_gmacs: float | None = None
    least: float = 0.0
    target_params_m: float | None = None
    target_latency_ms: float | None = None
    latency_table: str | None = None
    refine: int = 0
    evolution: int = 0
    trials: int = 0
    trial_epochs: float = 5.0
    rounds: tuple[tuple[int, float], ...] = ()
    from_scratch: bool = False
    scored_random: int = 0
    hand_made: bool = False
    dataset: VideoDataset = gin.REQUIRED
    train_splits: tuple[str, ...] = ("train",)
    validation_splits: tuple[str, ...] = ("validation",)
    test_split: str = "test"
    views: str = "1-center"
    epochs: float = gin.REQUIRED
    alpha_warmup: float = 0.1
    finetune_epochs: float = 0.0
    batch_size: int = 64
    validation_batch_size: int = 64
    recalibration_batches: int = 16
    report_every: int = 10
    checkpoint_every: int = 500
    profile_steps: tuple[int, int] | None = None
    execution: str = "slice"
    synchronized: bool = False
    branch_gamma: float = 0.0
    seed: int = 0

    def check_splits(self) -> None:
        """Refuses splits that are empty, or that the data do not have."""
        self.dataset.check_splits(
            {
                "search.train_splits": self.train_splits,
                "search.validation_splits": self.validation_splits,
                "search.test_split": (self.test_split,),
            }
        )

    def pace(self, epochs: float) -> Pace:
        """So many passes over the training videos."""
        steps = steps_of(epochs, self.dataset.num_videos(self.train_splits), self.batch_size)
        return Pace(steps, self.report_every, self.checkpoint_every, self.batch_size)


settings_from_gin = gin.external_configurable(SearchSettings, "search")


def space_of_data(own: SearchSettings, labels: list[str]) -> Space:
    """The whole space, for the data at hand: their classes, crop and frames."""
    data = own.dataset
    return dataclasses.replace(
        for_clips(own.space, data.crop, data.sparse_frames, data.dense_frames), classes=len(labels)
    )


def cost_model_and_target(own: SearchSettings) -> tuple[CostModel, float]:
    """The one target that is given, and the cost model it is about."""
    targets = {name: getattr(own, f"target_{name}") for name in TARGETS}
    given = {name: target for name, target in targets.items() if target is not None}
    if len(given) != 1:
        known = ", ".join(f"search.target_{name}" for name in targets)
        found = " and ".join(f"target_{name} = {target:g}" for name, target in given.items()) or "none"
        raise UserError(f"expected one of {known}, the others None; found {found}")
    [(name, target)] = given.items()
    return cost_model(name, own), target


def cost_model(name: str, own: SearchSettings) -> CostModel:
    """The cost model of this name (`TARGETS`)."""
    if name != "latency_ms":
        return {"gmacs": GMACS, "params_m": PARAMS}[name]
    if own.latency_table is None:
        raise UserError("search.latency_table: expected the file of 'bin/benchmark.py latency', found none")
    return latency.cost_model(own.latency_table)
