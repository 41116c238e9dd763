"""One step of the progressive search, from gin settings to a run folder (paper, section 4.2)."""

import dataclasses
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
from tsnet_tf.search import latency, monitor, selection, spaces  # noqa: F401 (spaces: what gin files can name)
from tsnet_tf.search.cost_tables import GMACS, PARAMS, CostModel, CostTables
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.genotype import dumps
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
from tsnet_tf.training import run_folder, tensorboard
from tsnet_tf.training.determinism import set_seed
from tsnet_tf.training.loop import Pace, train_loop
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.precision import precision
from tsnet_tf.training.recorder import Recorder
from tsnet_tf.training.strategy import of_chief
from tsnet_tf.training.strategy import strategy as make_strategy
from tsnet_tf.training.train import fit

joint = gin.external_configurable(SearchModel, "joint")


@gin.configurable
def search(
    *,
    workdir: str,
    previous: str | None,
    name: str = gin.REQUIRED,
    after: str | None = None,
    space: Space = gin.REQUIRED,
    streams: tuple[str, ...] = gin.REQUIRED,
    free: tuple[str, ...] = gin.REQUIRED,
    target_gmacs: float | None = None,
    target_params_m: float | None = None,
    target_latency_ms: float | None = None,
    latency_table: str | None = None,
    tolerance: float = 0.05,
    refine: int = 0,
    dataset: VideoDataset = gin.REQUIRED,
    train_splits: tuple[str, ...] = ("train",),
    validation_splits: tuple[str, ...] = ("validation",),
    test_split: str = "test",
    views: str = "1-center",
    epochs: float = gin.REQUIRED,
    alpha_warmup: float = 0.1,
    finetune_epochs: float = 0.0,
    batch_size: int = 64,
    validation_batch_size: int = 64,
    recalibration_batches: int = 16,
    report_every: int = 10,
    checkpoint_every: int = 500,
    profile_steps: tuple[int, int] | None = None,
    execution: str = "slice",
    synchronized: bool = False,
    branch_gamma: float = 0.0,
    seed: int = 0,
) -> dict:
    """Searches one step and leaves the found architecture, with its weights, in the run folder.

    Args:
      workdir: run folder.
      previous: run folder of the step before; None for the first.
      name: name of this step.
      after: name of the step that ``previous`` must be.
      space: the whole space, of which ``streams`` and ``free`` leave a part.
      streams: streams the model of this step has.
      free: patterns of the labels that are searched (see `tsnet_tf.space.two_stream.restrict`).
      target_gmacs: multiply-adds per view, in all; None if the target is another.
      target_params_m: millions of parameters, in all.
      target_latency_ms: milliseconds of a forward pass: estimated by ``latency_table``, and measured at the end.
      latency_table: the file written by ``bin/benchmark.py latency``.
      tolerance: how far the found architecture may be from the target, as a part of it.
      refine: how many architectures drawn from P(A | alpha) are measured on the validation videos, besides the most
        probable one; the best within the target is taken, and the front of all is left in ``front.json``. 0: the most
        probable one is taken unmeasured.
      dataset: the videos.
      train_splits: for the weights.
      validation_splits: for the indicator that moves alpha.
      test_split: for the accuracy that is reported; the search never sees it.
      views: protocol of that accuracy.
      epochs: length, in passes over the training videos.
      alpha_warmup: part of the run in which alpha stands still.
      finetune_epochs: how much longer the found architecture is trained by itself, in passes over the training videos.
      batch_size, validation_batch_size: clips per step, over all replicas.
      recalibration_batches: batches over which BN statistics are measured for the found architecture.
      report_every, checkpoint_every: in steps.
      profile_steps: first and last step to trace for TensorBoard's profiler; None for none.
      execution: "slice" or "mask".
      synchronized: whether replicas share BN statistics.
      branch_gamma: how much of each block's branch there is at the start (`tsnet_tf.layers.mbconv3d.MBConv3D`).
      seed: of initial weights, clips and sampled architectures.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      UserError: a setting, the previous step or the target does not fit.
    """
    run_folder.check_settings(workdir, {"previous": previous})
    finished = run_folder.summary_of(workdir)
    if finished is not None:
        console.say(f"{name}: already finished in {workdir}")
        return finished
    started = time.monotonic()
    strategy = make_strategy()
    protocol.named(views)
    dataset.check_splits(
        {
            "search.train_splits": train_splits,
            "search.validation_splits": validation_splits,
            "search.test_split": (test_split,),
        }
    )
    labels = dataset.labels()
    before = _previous_step(previous, after)
    fixed = values_of(before[1]) if before else {}
    space = dataclasses.replace(only(space, streams), classes=len(labels))
    space = restrict(space, free, fixed)
    cost_model, target = _cost_model_and_target(
        {"gmacs": target_gmacs, "params_m": target_params_m, "latency_ms": target_latency_ms}, latency_table
    )
    selection.check_target(space, CostTables(space, cost_model), target)
    videos = dataset.num_videos(train_splits)
    steps = max(1, math.ceil(epochs * videos / batch_size))
    set_seed(seed)
    console.say(
        f"{name}: {len(choices(space))} choices, {entropy_of_uniform(space):.1f} nats, target {target:g} "
        f"{cost_model.unit}, {steps} steps"
    )

    with strategy.scope(), precision():
        network = TwoStreamModel(space, execution=execution, synchronized=synchronized, branch_gamma=branch_gamma)
        if before:
            inherit(network, before[0])
        model = joint(
            network,
            target=target,
            cost_model=cost_model,
            alpha_optimizer=alpha_optimizer(),
            alpha_warmup_steps=round(alpha_warmup * steps),
            seed=seed,
        )
        model.compile(weight_optimizer(steps))

    def make_dataset(context: tf.distribute.InputContext, done: int) -> tf.data.Dataset:
        def clips(splits, size, offset):
            return pipeline.train_clips(
                dataset,
                splits,
                batch_size=size,
                frames=space.frames,
                frame_stride=dataset.span // space.frames,
                seed=2 * seed + offset,
                input_context=context,
                skip_batches=done,
            )

        return tf.data.Dataset.zip(
            clips(train_splits, batch_size, 0), clips(validation_splits, validation_batch_size, 1)
        )

    own_folder = run_folder.start(workdir, strategy, {"previous": previous})
    settings = run_folder.write_settings(own_folder, labels)
    atomic.write_text(os.path.join(own_folder, "space.json"), dumps(space))
    first, _ = next(iter(make_dataset(tf.distribute.InputContext(), 0)))
    tensorboard.write_start(own_folder, settings, first, labels, space.sparse.frames)
    title, watched = f"search: {name}", monitor.Monitor(model, seed)
    recorder = Recorder(
        own_folder,
        title,
        measure=watched.measure,
        arrays=watched.arrays,
        pictures=watched.pictures,
        shown=watched.shown,
    )
    pace = Pace(steps, report_every, checkpoint_every, batch_size, profile_steps)
    train_loop(model, make_dataset, strategy, workdir=workdir, recorder=recorder, pace=pace)

    clips = make_dataset(tf.distribute.InputContext(), 0).map(lambda train, _: train[0])

    def fixed(architecture: np.ndarray, how: str) -> TwoStreamModel:
        """The model of one architecture, with the supernet's weights."""
        genotype = dataclasses.replace(
            pick(space, values_at(space, architecture)),
            name=f"{space.name}_{name}",
            notes=(f"Found by the search step '{name}': {how} for {target:g} {cost_model.unit}.",),
        )
        with strategy.scope(), precision():
            network_of_one = TwoStreamModel(genotype, synchronized=synchronized)
            inherit(network_of_one, network)
        return network_of_one

    def validation_top1(architecture: np.ndarray) -> float:
        candidate = fixed(architecture, "a candidate")
        recalibrate(candidate, clips, recalibration_batches)
        results = [evaluate(candidate, dataset, split, views) for split in validation_splits]
        return of_chief(sum(r["top1"] * r["videos"] for r in results) / sum(r["videos"] for r in results), strategy)

    def estimate(architecture: np.ndarray) -> float:
        return float(model.costs.of(tf.constant(architecture[None]))[0])

    def measured_cost(architecture: np.ndarray) -> float:
        return of_chief(cost_model.measure(fixed(architecture, "a candidate")), strategy)

    def select() -> tuple[np.ndarray, str]:
        """The architecture that is taken, and how it was found."""
        logits = tf.convert_to_tensor(model.alpha)
        taken_from = (model.distribution, logits, model.costs, target, tolerance)
        if cost_model.measure:
            found, is_most_probable, cost_of_found = selection.most_probable_as_measured(*taken_from, measured_cost)
            if abs(cost_of_found / target - 1) > tolerance:
                console.warn(f"{name}: nothing was found within {tolerance:.0%} of the target, the nearest is taken")
        else:
            found, is_most_probable = selection.most_probable(*taken_from)
            cost_of_found = estimate(found)
        how = "the most probable architecture" + ("" if is_most_probable else " near the target")
        if not is_most_probable:
            console.say(f"{name}: the most probable architecture of all misses the target; taking {how}")
        if refine:
            drawn = model.distribution.sample(logits, refine, tf.stack([seed, steps])).numpy()
            candidates = np.concatenate([found[None], drawn])
            budget = target * (1 + tolerance) * estimate(found) / cost_of_found  # in the estimate's terms
            best, front = selection.refine(candidates, model.costs, budget, validation_top1)
            found, how = best.architecture, f"the best of {refine + 1} measured on the validation videos"
            _write_front(
                own_folder, front, best, [fixed(one.architecture, "on the front").space for one in front], cost_model
            )
        return found, how

    # What is measured may come out otherwise the next time: fine-tuning that was stopped goes on with what was taken.
    finetune = os.path.join(workdir, "finetune")
    taken = os.path.join("finetune", "taken.json")
    if finetune_epochs and tf.io.gfile.exists(os.path.join(workdir, taken)):
        architecture, how = run_folder.read_json(os.path.join(workdir, taken))
        found = np.array(architecture, np.int32)
        console.say(f"{name}: going on with {how}")
    else:
        found, how = select()
        if finetune_epochs:
            atomic.write_json(os.path.join(own_folder, taken), [found.tolist(), how])
    set_seed(seed)  # what follows is the same, whatever was drawn before
    fixed_model = fixed(found, how)
    genotype = fixed_model.space
    if finetune_epochs:
        fit(
            fixed_model,
            dataset,
            train_splits,
            strategy,
            workdir=finetune,
            title=f"fine-tuning: {name}",
            pace=Pace(math.ceil(finetune_epochs * videos / batch_size), report_every, checkpoint_every, batch_size),
            seed=2 * seed + 2,
        )
    recalibrate(fixed_model, clips, recalibration_batches)
    result = evaluate(fixed_model, dataset, test_split, views)
    tensorboard.write_evaluation(own_folder, result, steps)
    cost = complexity(genotype)
    summary = {
        "step": name,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        cost_model.name: estimate(found),
        f"target_{cost_model.name}": target,
        **({f"measured_{cost_model.name}": cost_model.measure(fixed_model)} if cost_model.measure else {}),
        "entropy_nats": {"start": entropy_of_uniform(space), "end": model.state_of_search()["entropy"]},
        "seconds": time.monotonic() - started,
        "val_top1": result["top1"],
        "selection": how,
        "steps": steps,
        "samples": model.samples,
        "seed": seed,
    }
    run_folder.finish(own_folder, fixed_model, summary)
    return summary


def _cost_model_and_target(targets: dict[str, float | None], latency_table: str | None) -> tuple[CostModel, float]:
    """The one target that is given, and the cost model it is about."""
    given = {name: target for name, target in targets.items() if target is not None}
    if len(given) != 1:
        names = ", ".join(f"search.target_{name}" for name in targets)
        found = " and ".join(f"target_{name} = {target:g}" for name, target in given.items()) or "none"
        raise UserError(f"expected one of {names}, the others None; found {found}")
    [(name, target)] = given.items()
    if name != "latency_ms":
        return {"gmacs": GMACS, "params_m": PARAMS}[name], target
    if latency_table is None:
        raise UserError("search.latency_table: expected the file of 'bin/benchmark.py latency', found none")
    return latency.cost_model(latency_table), target


def _write_front(
    workdir: str, front: list[selection.Scored], best: selection.Scored, genotypes: list[Space], cost_model: CostModel
) -> None:
    """Writes ``front.json`` and the genotypes it names."""
    rows = []
    for number, (one, genotype) in enumerate(zip(front, genotypes, strict=True)):
        path = os.path.join("front", f"{number}.json")
        atomic.write_text(os.path.join(workdir, path), dumps(genotype))
        found = complexity(genotype)
        rows.append(
            {
                "genotype": path,
                "gmacs": found.gmacs,
                "params_m": found.params_m,
                cost_model.name: one.cost,
                "validation_top1": one.score,
                "selected": one is best,
            }
        )
    atomic.write_json(os.path.join(workdir, "front.json"), rows)


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
                f"{100 * s['val_top1']:.1f}",
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
