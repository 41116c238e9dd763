"""Whether a search can decide anything with what it has, and whether it did: warnings with figures."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tsnet_tf.console import counted

FEW_VIDEOS = 30  # of which one moves an accuracy by more than 3 %
FEW_OF_A_CLASS = 10  # training videos, in the mean
UNDECIDED = 0.95  # part of the entropy at the start
SURE = 0.5  # probability that a candidate should be able to reach
TOLERANCE = 0.02  # of a target


def before(settings, classes: int, steps: int, alpha_rate: float, most_candidates: int) -> Iterator[str]:
    """What is known when a search begins.

    Args:
      settings: of the search (`tsnet_tf.search.search_settings.SearchSettings`).
      classes: of the data.
      steps: length of the search.
      alpha_rate: learning rate of alpha, whose optimizer (Adam) moves a logit by about that much in a step.
      most_candidates: of any choice.
    """
    data = settings.dataset
    validation, training = data.num_videos(settings.validation_splits), data.num_videos(settings.train_splits)
    if validation < FEW_VIDEOS:
        yield (
            f"search.validation_splits: {counted(validation, 'video', 'decide')} between architectures; one of them is "
            f"{100 / validation:.1f} % of the accuracy on them"
        )
    if training < FEW_OF_A_CLASS * classes:
        there = f"{counted(training, 'video')} of {counted(classes, 'class')}"
        yield f"search.train_splits: {there} are few to train shared weights on"
    moving = round(steps * (1 - settings.alpha_warmup))
    if settings.alpha_warmup < 1 and most_candidates > 1:
        gain = math.exp(min(2 * moving * alpha_rate, 100))  # one logit up, the others down
        highest = gain / (gain + most_candidates - 1)
        if highest < SURE:
            yield (
                f"alpha moves in {moving} of {steps} steps, by about {alpha_rate:g} each: of {most_candidates} "
                f"candidates none can become more probable than {100 * highest:.0f} %; more search.epochs, or a higher "
                "alpha_optimizer.learning_rate, can decide"
            )


def after(summary: dict, cost_name: str, alpha_warmup: float) -> Iterator[str]:
    """What has come of it.

    Args:
      summary: of the search.
      cost_name: of the cost model that its target is about.
      alpha_warmup: part of the run in which alpha stood still.
    """
    start, end = summary["entropy_nats"]["start"], summary["entropy_nats"]["end"]
    if alpha_warmup < 1 and start > 0 and end > UNDECIDED * start:
        yield (
            f"{summary['step']}: the search has decided next to nothing, its entropy went from {start:.1f} to "
            f"{end:.1f} nats; what was taken is {summary['selection']}"
        )
    target = summary[f"target_{cost_name}"]
    found = summary.get(f"measured_{cost_name}", summary[cost_name])
    if found > (1 + TOLERANCE) * target:
        yield f"{summary['step']}: expected {cost_name} of at most {target:.4g}, found {found:.4g}"
