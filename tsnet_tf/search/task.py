"""A search step that is ready to run: everything checked, the supernet made."""

import dataclasses

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import protocol
from tsnet_tf.models.inheritance import inherit
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import evidence, joint_settings, selection
from tsnet_tf.search.cost_tables import CostModel, CostTables
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.search.search_settings import SearchSettings, cost_model_and_target, space_of_data
from tsnet_tf.space.two_stream import (
    Space,
    choices,
    entropy_of_uniform,
    only,
    pick,
    restrict,
    values_at,
    values_of,
)
from tsnet_tf.training import run_folder
from tsnet_tf.training.determinism import set_seed
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.precision import precision
from tsnet_tf.training.strategy import strategy as make_strategy


@dataclasses.dataclass(frozen=True)
class Task:
    """A search step that is ready to run."""

    settings: SearchSettings
    workdir: str
    own_folder: str
    strategy: tf.distribute.Strategy
    space: Space
    cost_model: CostModel
    target: float
    model: SearchModel
    pace: Pace
    labels: list[str]

    def clips(
        self, dataset: VideoDataset, splits: tuple[str, ...], batch_size: int, offset: int, **where
    ) -> tf.data.Dataset:
        """Training clips of this step's length in frames."""
        return pipeline.train_clips(
            dataset,
            splits,
            batch_size=batch_size,
            frames=self.space.frames,
            frame_stride=dataset.span // self.space.frames,
            seed=2 * self.settings.seed + offset,
            **where,
        )

    def training_and_validation(self, context: tf.distribute.InputContext, done: int) -> tf.data.Dataset:
        """Batches of a joint step; those for validation are not augmented."""
        own, where = self.settings, {"input_context": context, "skip_batches": done}
        return tf.data.Dataset.zip(
            self.clips(own.dataset, own.train_splits, own.batch_size, 0, **where),
            self.clips(own.dataset.plain(), own.validation_splits, own.validation_batch_size, 1, **where),
        )

    def genotype(self, architecture: np.ndarray, how: str) -> Space:
        """One architecture, given as candidate indices."""
        name = self.settings.name
        return dataclasses.replace(
            pick(self.space, values_at(self.space, architecture)),
            name=f"{self.space.name}_{name}",
            notes=(f"Found by the search step '{name}': {how}; target {self.target:g} {self.cost_model.unit}.",),
        )

    def fixed(self, genotype: Space) -> TwoStreamModel:
        """The model of one architecture, with the supernet's weights."""
        network = self.fresh(genotype)
        inherit(network, self.model.network)
        return network

    def fresh(self, genotype: Space) -> TwoStreamModel:
        """The model of one architecture, with random weights."""
        set_seed(self.settings.seed)
        with self.strategy.scope(), precision():
            return TwoStreamModel(
                genotype, synchronized=self.settings.synchronized, branch_gamma=self.settings.branch_gamma
            )


def prepare(own: SearchSettings, workdir: str, previous: str | None) -> Task:
    """Checks everything that can be checked, and makes the supernet and the run folder."""
    strategy = make_strategy()
    protocol.named(own.views)
    if own.evolution and not own.refine:
        raise UserError("search.evolution: expected search.refine above 0, how many of its best are scored; found 0")
    if own.trials and (strategy.num_replicas_in_sync > 1 or not own.refine):
        raise UserError(
            f"search.trials: expected one replica and search.refine above 0, found {strategy.num_replicas_in_sync} and "
            f"{own.refine}"
        )
    own.check_splits()
    labels = own.dataset.labels()
    before = _previous_step(previous, own.after)
    fixed = values_of(before[1]) if before else {}
    space = restrict(only(space_of_data(own, labels), own.streams), own.free, fixed)
    cost_model, target = cost_model_and_target(own)
    selection.check_target(space, CostTables(space, cost_model), target)
    pace = dataclasses.replace(own.pace(own.epochs), profile_steps=own.profile_steps)
    set_seed(own.seed)
    console.say(
        f"{own.name}: {len(choices(space))} choices, {entropy_of_uniform(space):.1f} nats, target {target:g} "
        f"{cost_model.unit}, {pace.steps} steps"
    )
    with strategy.scope(), precision():
        network = TwoStreamModel(
            space, execution=own.execution, synchronized=own.synchronized, branch_gamma=own.branch_gamma
        )
        if before:
            inherit(network, before[0])
        model = SearchModel(
            network,
            joint_settings.settings_from_gin(),
            target=target,
            least=own.least,
            cost_model=cost_model,
            alpha_optimizer=alpha_optimizer(),
            alpha_warmup_steps=round(own.alpha_warmup * pace.steps),
            seed=own.seed,
        )
        model.compile(weight_optimizer(pace.steps, pace.batch_size))
    most = max((len(choice.values) for choice in choices(space)), default=1)
    rate = float(tf.convert_to_tensor(model.alpha_optimizer.learning_rate))
    for line in evidence.before(own, len(labels), pace.steps, rate, most):
        console.warn(line)
    own_folder = run_folder.start(workdir, strategy, {"previous": previous})
    return Task(own, workdir, own_folder, strategy, space, cost_model, target, model, pace, labels)


def _previous_step(previous: str | None, after: str | None) -> tuple[TwoStreamModel, Space] | None:
    """Model and genotype of the step before."""
    if after is None:
        if previous is not None:
            raise UserError(f"--previous: this step is the first, expected none; found '{previous}'")
        return None
    if previous is None:
        raise UserError(f"--previous: expected the run folder of the step '{after}', found none")
    summary = run_folder.summary_of(previous)
    if summary is None:
        raise UserError(f"--previous: expected the finished run folder of the step '{after}', found '{previous}'")
    if summary.get("step") != after:
        raise UserError(
            f"--previous: expected the run folder of the step '{after}', found that of the step "
            f"'{summary.get('step', 'unknown')}': '{previous}'"
        )
    model, space, _ = run_folder.load_trained(previous)
    return model, space
