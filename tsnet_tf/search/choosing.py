"""From a trained supernet to one model: candidates, their scores, successive halving."""

import itertools
import json
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import evolution, halving, selection, trials
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import GMACS
from tsnet_tf.search.task import Task
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.hand_made import hand_made_within
from tsnet_tf.space.two_stream import Space, choices, values_of
from tsnet_tf.training import fused_optimizers, run_folder
from tsnet_tf.training.determinism import set_seed
from tsnet_tf.training.optimizers import weight_optimizer
from tsnet_tf.training.strategy import of_chief

MOST_PROBABLE = "the most probable architecture within the target"


def choose(task: Task) -> tuple[TwoStreamModel, str]:
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
        if own.hand_made:  # always among the last
            gmacs = task.target if task.cost_model is GMACS else complexity(genotypes[0]).gmacs
            hand = hand_made_within(task.space, gmacs)
            genotypes = [hand, *(one for one in genotypes if values_of(one) != values_of(hand))]
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


def _candidates(task: Task) -> tuple[list[list[int]], str]:
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
    best = [one.architecture.tolist() for one in sorted(scored, key=lambda one: (-one.score, one.cost))]
    if own.trials:
        return _tried(task, budget, best), f"the best of {own.trials} trained for {own.trial_epochs:g} epochs"
    return best, f"the best of {len(scored)}, scored with shared weights on the validation videos"


def _evolved(task: Task, budget: BudgetedDistribution) -> np.ndarray:
    """As many architectures as are scored at the end, found by evolution."""
    own, measure = task.settings, selection.score_and_top1(task.model.network)
    batches = itertools.cycle(list(_validation_batches(task)))
    with console.progress("evolution with shared weights", own.evolution) as bar:

        def score(architecture: Sequence[int]) -> float:
            bar.advance()
            return float(measure(tf.constant(architecture), *next(batches))[0])

        first = selection.random_within(budget, min(evolution.POPULATION, own.evolution), own.seed)
        competing = max(2, len(first) // 4)
        return evolution.evolve(budget, score, first, own.evolution, own.refine, own.seed, competing)


def _tried(task: Task, budget: BudgetedDistribution, best: list[list[int]]) -> list[list[int]]:
    """Candidates from the best to the worst, by evolution with trainings from scratch; it begins with the ``best``.

    What has been measured is in ``trials.json``; a run that is stopped goes on from there.
    """
    own, path = task.settings, "trials.json"
    hand_made = [_indices(task.space, hand_made_within(task.space, budget.most))] if own.hand_made else []
    first = np.array([*hand_made, *best][: max(2, own.trials // 3)], np.int32)
    there = os.path.join(task.workdir, path)
    measured = {tuple(one): score for one, score in run_folder.read_json(there)} if tf.io.gfile.exists(there) else {}
    pace, score_of = own.pace(own.trial_epochs), None
    with console.progress("trials from scratch", own.trials) as bar:

        def score(architecture: Sequence[int]) -> float:
            nonlocal score_of
            if tuple(architecture) not in measured:
                score_of = score_of or _trials(task, pace.steps)
                measured[tuple(architecture)] = score_of(architecture)
                atomic.write_json(os.path.join(task.own_folder, path), list(measured.items()))
            bar.advance()
            return measured[tuple(architecture)]

        # So few trials are spent near the best.
        return evolution.evolve(budget, score, first, own.trials, own.trials, own.seed, len(first) // 2).tolist()


def _trials(task: Task, steps: int) -> Callable[[Sequence[int]], float]:
    own = task.settings
    network, optimizer = task.fresh(task.space), weight_optimizer(steps, own.batch_size)
    fused_optimizers.build_for(optimizer, network)
    training = task.clips(own.dataset, own.train_splits, own.batch_size, 2).take(steps)
    return trials.trials(network, optimizer, training, _validation_batches(task))


def _indices(space: Space, genotype: Space) -> list[int]:
    """The candidates that a genotype of ``space`` has taken."""
    values = values_of(genotype)
    return [choice.values.index(values[choice.label]) for choice in choices(space)]


def score_random(task: Task) -> None:
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


def _validation_batches(task: Task) -> tf.data.Dataset:
    """The validation videos once, without augmentation, in large batches, of which BN takes its statistics."""
    own = task.settings
    size = min(own.validation_batch_size, own.dataset.num_videos(own.validation_splits))
    return task.clips(own.dataset.plain(), own.validation_splits, size, 1, repeat=False)


def _estimate(task: Task, architecture: np.ndarray) -> float:
    return float(task.model.costs.of(tf.constant(architecture[None]))[0])


def _write_front(task: Task, scored: list[selection.Scored]) -> None:
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
