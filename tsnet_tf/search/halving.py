"""Successive halving: the last candidates are trained by themselves, the better ones for longer.

Shared weights say which architectures are worth a look. Which of those is best, only a training of its own can tell; a
short one tells most of it (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization").
"""

import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.evaluation.evaluate import predict_videos, probabilities_of
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.two_stream import Space
from tsnet_tf.training import run_folder
from tsnet_tf.training.train import fit

FOLDER = "halving"
EVALUATION_BATCH = 32  # clips per replica


def halve(
    genotypes: Sequence[Space],
    rounds: Sequence[tuple[int, float]],
    make: Callable[[Space], TwoStreamModel],
    settings,
    strategy: tf.distribute.Strategy,
    workdir: str,
    own_folder: str,
) -> tuple[TwoStreamModel, str]:
    """Trains candidates, round after round, and keeps those with the least validation log-loss.

    Every training, also in later rounds, begins with the weights that ``make`` gives and has the whole schedule, so
    that rounds need not agree about it. What has been measured is in ``halving/rounds.json``; a run that is stopped
    goes on from there.

    Args:
      genotypes: candidates, those with the highest hopes first.
      rounds: ``(candidates, epochs)`` of each round, the first over as many of ``genotypes``.
      make: the model of a candidate before its training.
      settings: of the search (`tsnet_tf.search.search_settings.SearchSettings`).
      strategy: how the work is spread.
      workdir: run folder of the search.
      own_folder: where this process writes.

    Returns:
      The trained model of the best, and how it was found.
    """
    left, path = list(range(len(genotypes))), os.path.join(FOLDER, "rounds.json")
    for number, genotype in enumerate(genotypes):
        atomic.write_text(os.path.join(own_folder, FOLDER, f"{number}.json"), dumps(genotype))
    there = os.path.join(workdir, path)
    losses = run_folder.read_json(there) if tf.io.gfile.exists(there) else {}
    for index, (count, epochs) in enumerate(rounds):
        left = left[:count]
        for place, number in enumerate(left):
            name = f"round{index + 1}_{number}"
            if name not in losses:
                console.say(f"round {index + 1} of {len(rounds)}, candidate {place + 1} of {len(left)}")
                model = make(genotypes[number])
                train_alone(model, settings, epochs, strategy, os.path.join(workdir, FOLDER, name))
                losses[name] = _log_loss(model, settings, strategy)
                atomic.write_json(os.path.join(own_folder, path), losses)
        left.sort(key=lambda number, index=index: losses[f"round{index + 1}_{number}"])
    # The winner is restored from its last checkpoint, also where it has just been trained.
    model = make(genotypes[left[0]])
    train_alone(
        model, settings, rounds[-1][1], strategy, os.path.join(workdir, FOLDER, f"round{len(rounds)}_{left[0]}")
    )
    tried = " of ".join(f"{count} trained for {epochs:g} epochs" for count, epochs in reversed(rounds))
    return model, f"the best of {tried}, of {len(genotypes)} candidates"


def train_alone(model: TwoStreamModel, settings, epochs: float, strategy: tf.distribute.Strategy, workdir: str) -> None:
    """Trains a fixed model on the search's training videos, or goes on with it."""
    fit(
        model,
        settings.dataset,
        settings.train_splits,
        strategy,
        workdir=workdir,
        title=f"training: {os.path.basename(workdir)}",
        pace=settings.pace(epochs),
        seed=2 * settings.seed + 2,
    )


def _log_loss(model: TwoStreamModel, settings, strategy: tf.distribute.Strategy) -> float:
    """Mean negative log-likelihood of the validation videos' labels."""
    found = []
    for split in settings.validation_splits:
        predicted = predict_videos(
            probabilities_of(model), model.space, settings.dataset, split, settings.views, EVALUATION_BATCH, strategy
        )
        likelihood = predicted.probabilities[np.arange(len(predicted.labels)), predicted.labels]
        found.extend(-np.log(np.maximum(likelihood, 1e-7)))
    return float(np.mean(found))
