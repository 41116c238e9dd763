"""One step of the progressive search, from gin settings to a run folder (paper, section 4.2)."""

import dataclasses
import itertools
import json
import math
import os
import time

import gin
import numpy as np
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.data import pipeline
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import protocol
from tsnet_tf.evaluation.evaluate import evaluate
from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.models.inheritance import inherit
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import (  # noqa: F401 (spaces: what gin files can name)
    evidence,
    evolution,
    halving,
    latency,
    monitor,
    selection,
    spaces,
)
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import GMACS, PARAMS, CostModel, CostTables
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.hand_made import hand_made_within
from tsnet_tf.space.two_stream import (
    Space,
    choices,
    entropy_of_uniform,
    for_clips,
    only,
    pick,
    restrict,
    values_at,
    values_of,
)
from tsnet_tf.training import run_folder, tensorboard
from tsnet_tf.training.determinism import set_seed
from tsnet_tf.training.loop import Pace, train_loop
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.precision import precision
from tsnet_tf.training.recorder import Recorder, seconds_of
from tsnet_tf.training.strategy import of_chief
from tsnet_tf.training.strategy import strategy as make_strategy

joint = gin.external_configurable(SearchModel, "joint")

NOT_SEARCHING = ("train",)  # configurables that a search never asks for
TARGETS = ("gmacs", "params_m", "latency_ms")
MOST_PROBABLE = "the most probable architecture within the target"


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
        steps = max(1, math.ceil(epochs * self.dataset.num_videos(self.train_splits) / self.batch_size))
        return Pace(steps, self.report_every, self.checkpoint_every, self.batch_size)


settings_from_gin = gin.external_configurable(SearchSettings, "search")


@dataclasses.dataclass(frozen=True)
class _Task:
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


def search(*, workdir: str, previous: str | None, **settings) -> dict:
    """Searches one step and leaves the found architecture, with its weights, in the run folder.

    Args:
      workdir: run folder.
      previous: run folder of the step before; None for the first.
      **settings: of `SearchSettings`, besides what gin binds.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      UserError: a setting, the previous step or the target does not fit.
    """
    own = settings_from_gin(**settings)
    run_folder.check_settings(workdir, {"previous": previous}, without=NOT_SEARCHING)
    finished = run_folder.summary_of(workdir)
    if finished is not None:
        console.say(f"{own.name}: already finished in {workdir}")
        return finished
    started = time.monotonic() - seconds_of(workdir)
    task = _prepare(own, workdir, previous)
    _run(task)
    if own.scored_random:
        _score_random(task)
    model, how = _select(task)
    return _finish(task, model, how, started)


def _prepare(own: SearchSettings, workdir: str, previous: str | None) -> _Task:
    """Checks everything that can be checked, and makes the supernet and the run folder."""
    strategy = make_strategy()
    protocol.named(own.views)
    if own.evolution and not own.refine:
        raise UserError("search.evolution: expected search.refine above 0, how many of its best are scored; found 0")
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
        model = joint(
            network,
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
    return _Task(own, workdir, own_folder, strategy, space, cost_model, target, model, pace, labels)


def _run(task: _Task) -> None:
    """Trains the shared weights and alpha, or goes on from the last checkpoint."""
    written = run_folder.write_settings(task.own_folder, task.labels)
    atomic.write_text(os.path.join(task.own_folder, "space.json"), dumps(task.space))
    first, _ = next(iter(task.training_and_validation(tf.distribute.InputContext(), 0)))
    tensorboard.write_start(task.own_folder, written, first, task.labels, task.space.sparse.frames)
    watched = monitor.Monitor(task.model, task.settings.seed)
    recorder = Recorder(
        task.own_folder,
        f"search: {task.settings.name}",
        measure=watched.measure,
        arrays=watched.arrays,
        pictures=watched.pictures,
        shown=watched.shown,
    )
    train_loop(
        task.model,
        task.training_and_validation,
        task.strategy,
        workdir=task.workdir,
        recorder=recorder,
        pace=task.pace,
    )


def _select(task: _Task) -> tuple[TwoStreamModel, str]:
    """The model that is taken, and how it was found."""
    own = task.settings
    # What is measured may come out otherwise the next time: training that was stopped goes on with what was taken.
    taken = "taken.json"
    if tf.io.gfile.exists(os.path.join(task.workdir, taken)):
        architectures, how = run_folder.read_json(os.path.join(task.workdir, taken))
        console.say(f"{own.name}: going on with {how}")
    else:
        architectures, how = _candidates(task)
        if own.finetune_epochs or own.rounds:
            atomic.write_json(os.path.join(task.own_folder, taken), [architectures, how])
    genotypes = [task.genotype(np.array(one, np.int32), how) for one in architectures]
    set_seed(own.seed)  # what follows is the same, whatever was drawn before
    if own.rounds:
        if own.hand_made:
            gmacs = task.target if task.cost_model is GMACS else complexity(genotypes[0]).gmacs
            genotypes.insert(0, hand_made_within(task.space, gmacs))
        return halving.halve(
            genotypes,
            own.rounds,
            task.fresh if own.from_scratch else task.fixed,
            own,
            task.strategy,
            task.workdir,
            task.own_folder,
        )
    model = task.fixed(genotypes[0])
    if own.finetune_epochs:
        halving.train_alone(model, own, own.finetune_epochs, task.strategy, os.path.join(task.workdir, "finetune"))
    return model, how


def _candidates(task: _Task) -> tuple[list[list[int]], str]:
    """Candidate indices of the architectures that alpha and the shared weights think best, and how they were found."""
    own, logits = task.settings, tf.convert_to_tensor(task.model.alpha)
    target = task.target
    if task.cost_model.measure:

        def measured_cost(architecture: np.ndarray) -> float:
            model = task.fixed(task.genotype(architecture, "a candidate"))
            return of_chief(task.cost_model.measure(model), task.strategy)

        most_probable, cost = selection.most_probable_as_measured(
            task.space, logits, target, task.cost_model, measured_cost
        )
        if cost > target:
            console.warn(f"{own.name}: nothing was found within the target of {target:g}; taking one of {cost:.4g}")
        target *= _estimate(task, most_probable) / cost  # in the estimate's terms
    budget = BudgetedDistribution(task.space, target, own.least * target, task.cost_model)
    if not task.cost_model.measure:
        most_probable = budget.most_probable(logits)
    if not own.refine:
        return [most_probable.tolist()], MOST_PROBABLE
    if own.evolution:
        drawn = _evolved(task, budget)
    else:
        drawn = selection.draw(budget, logits, own.refine, own.seed)
        drawn[0] = most_probable
    scored = selection.supernet_scores(task.model.network, drawn, _validation_batches(task), task.model.costs)
    _write_front(task, scored)
    how = f"the best of {len(scored)}, scored with shared weights on the validation videos"
    return [one.architecture.tolist() for one in sorted(scored, key=lambda one: (-one.score, one.cost))], how


def _evolved(task: _Task, budget: BudgetedDistribution) -> np.ndarray:
    """As many architectures as are scored at the end, found by evolution."""
    own, measure = task.settings, selection.score_and_top1(task.model.network)
    batches = itertools.cycle(list(_validation_batches(task)))
    with console.progress("evolution with shared weights", own.evolution) as bar:

        def score(architecture: np.ndarray) -> float:
            bar.advance()
            return float(measure(tf.constant(architecture), *next(batches))[0])

        return evolution.evolve(budget, score, own.evolution, own.refine, own.seed)


def _score_random(task: _Task) -> None:
    """Writes ``scores.json``: random architectures within the target, and their log-loss with the shared weights."""
    path = "scores.json"
    if tf.io.gfile.exists(os.path.join(task.workdir, path)):
        return
    budget = BudgetedDistribution(task.space, task.target, task.settings.least * task.target, task.cost_model)
    drawn = selection.random_within(budget, task.settings.scored_random, 0)
    scored = selection.supernet_scores(task.model.network, drawn, _validation_batches(task), task.model.costs)
    rows = [
        {"genotype": json.loads(dumps(task.genotype(one.architecture, "random"))), "log_loss": -one.score}
        for one in scored
    ]
    atomic.write_json(os.path.join(task.own_folder, path), rows)


def _validation_batches(task: _Task) -> tf.data.Dataset:
    """The validation videos once, without augmentation, in large batches, of which BN takes its statistics."""
    own = task.settings
    size = min(own.validation_batch_size, own.dataset.num_videos(own.validation_splits))
    return task.clips(own.dataset.plain(), own.validation_splits, size, 1, repeat=False)


def _finish(task: _Task, model: TwoStreamModel, how: str, started: float) -> dict:
    """Evaluates what was found, and writes it down."""
    own, genotype = task.settings, model.space
    clips = task.clips(own.dataset, own.train_splits, own.batch_size, 0).map(lambda clip, _: clip)
    recalibrate(model, clips, own.recalibration_batches)
    result = evaluate(model, own.dataset, own.test_split, own.views)
    tensorboard.write_evaluation(task.own_folder, result, task.pace.steps)
    cost, cost_model = complexity(genotype), task.cost_model
    summary = {
        "step": own.name,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        cost_model.name: float(CostTables(genotype, cost_model).of(tf.zeros([1, 0], tf.int32))[0]),
        f"target_{cost_model.name}": task.target,
        **({f"measured_{cost_model.name}": cost_model.measure(model)} if cost_model.measure else {}),
        "entropy_nats": {"start": entropy_of_uniform(task.space), "end": task.model.state_of_search()["entropy"]},
        "seconds": time.monotonic() - started,
        "test_top1": result["top1"],
        "selection": how,
        "evolution": own.evolution,
        "steps": task.pace.steps,
        "samples": task.model.samples,
        "seed": own.seed,
    }
    run_folder.finish(task.own_folder, model, summary)
    for line in evidence.after(summary, cost_model.name, own.alpha_warmup):
        console.warn(line)
    return summary


def space_of_data(own: SearchSettings, labels: list[str]) -> Space:
    """The whole space, for the data at hand: their classes, crop and frames."""
    data = own.dataset
    return dataclasses.replace(
        for_clips(own.space, data.crop, data.sparse_frames, data.dense_frames), classes=len(labels)
    )


def _estimate(task: _Task, architecture: np.ndarray) -> float:
    return float(task.model.costs.of(tf.constant(architecture[None]))[0])


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


def _write_front(task: _Task, scored: list[selection.Scored]) -> None:
    """Writes ``front.json`` and the genotypes it names."""
    rows, best = [], selection.best(scored)
    for number, one in enumerate(selection.pareto_front(scored)):
        genotype = task.genotype(one.architecture, "on the front")
        path = os.path.join("front", f"{number}.json")
        atomic.write_text(os.path.join(task.own_folder, path), dumps(genotype))
        cost = complexity(genotype)
        rows.append(
            {
                "genotype": path,
                "gmacs": cost.gmacs,
                "params_m": cost.params_m,
                task.cost_model.name: one.cost,
                "validation_top1": one.top1,
                "validation_log_loss": -one.score,
                "selected": one is best,
            }
        )
    atomic.write_json(os.path.join(task.own_folder, "front.json"), rows)


def show(summaries: list[dict]) -> None:
    """Prints search steps in the manner of the paper's Table 5."""

    def target_and_found(summary: dict) -> tuple[str, str]:
        name = next(key for key in summary if key.startswith("target_")).removeprefix("target_")
        unit = {"gmacs": "", "params_m": " M", "latency_ms": " ms"}[name]
        return f"{summary[f'target_{name}']:.4g}{unit}", f"{summary.get(f'measured_{name}', summary[name]):.4g}{unit}"

    console.table(
        "Search steps (GMACs are multiply-adds per view)",
        ["step", "target", "found", "GMACs", "params M", "entropy nats", "seconds", "top-1 %"],
        [
            [
                s["step"],
                *target_and_found(s),
                f"{s['gmacs']:.4g}",
                f"{s['params_m']:.3g}",
                f"{s['entropy_nats']['start']:.1f} → {s['entropy_nats']['end']:.1f}",
                f"{s['seconds']:.0f}",
                f"{100 * s['test_top1']:.1f}",
            ]
            for s in summaries
        ],
    )


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
