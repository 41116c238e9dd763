"""One step of the progressive search, from gin settings to a run folder (paper, section 4.2)."""

import os
import time

import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.evaluation.evaluate import evaluate
from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import evidence, monitor, spaces  # noqa: F401 (spaces: what gin files can name)
from tsnet_tf.search.choosing import choose, score_random
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.search_settings import NOT_SEARCHING, settings_from_gin
from tsnet_tf.search.task import Task, prepare
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.two_stream import entropy_of_uniform
from tsnet_tf.training import run_folder, tensorboard
from tsnet_tf.training.loop import train_loop
from tsnet_tf.training.recorder import Recorder, seconds_of


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
    finished = run_folder.finished_before(workdir, own.name, {"previous": previous}, without=NOT_SEARCHING)
    if finished is not None:
        return finished
    started = time.monotonic() - seconds_of(workdir)
    task = prepare(own, workdir, previous)
    _run(task)
    if own.scored_random:
        score_random(task)
    model, how = choose(task)
    return _finish(task, model, how, started)


def _run(task: Task) -> None:
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


def _finish(task: Task, model: TwoStreamModel, how: str, started: float) -> dict:
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
        "samples": task.model.settings.samples,
        "seed": own.seed,
    }
    run_folder.finish(task.own_folder, model, summary)
    for line in evidence.after(summary, cost_model.name, own.alpha_warmup):
        console.warn(line)
    return summary


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
