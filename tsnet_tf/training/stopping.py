"""Why a training loop ends before its last step: signals, gradients that are not finite, full disks, lost workers."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from tsnet_tf.errors import NoSpace, NotFinite, TryAgain, UserError, lost_worker, no_space, out_of_memory
from tsnet_tf.interruption import AGAIN


class Stopped(Exception):
    """Somebody wants the machine back; everything is between two steps."""


def said(last_good: str | None) -> str:
    """What there is to go on from."""
    return f"last good checkpoint: {last_good or 'none yet'}"


def under_way(title: str, done: int, steps: int, last_good: str | None) -> str:
    """What a loop is at that has done ``steps`` steps after ``done`` ones of an earlier process, and what is lost."""
    if not steps:
        return f"{title} was still tracing and computing its first step, so nothing is lost; {said(last_good)}"
    return f"{title} was still at step {done + steps + 1}, or saving what it had; {said(last_good)}"


def wanted(strategy: tf.distribute.Strategy, received: list[int]) -> Callable[[], bool]:
    """Whether a signal has come: to this process or, so that all workers save the same step, to any of them.

    What the others have is asked for with one step and read with the next, so that nobody waits for it.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return lambda: bool(received)

    @tf.function
    def sum_of_workers(signals: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(lambda: signals), axis=None)

    asked: list[tf.Tensor] = []

    def any_has() -> bool:
        asked.append(sum_of_workers(tf.constant(float(len(received)))))
        return len(asked) > 1 and bool(asked.pop(0) > 0)

    return any_has


def skipped(model: keras.Model, allowed: int, title: str, what_now: str) -> dict[str, int]:
    """How many updates the optimizers have left out so far, if any may be.

    Raises:
      NotFinite: more than ``allowed``.
    """
    optimizers = (model.optimizer, getattr(model, "alpha_optimizer", None))
    guarded = [optimizer for optimizer in optimizers if hasattr(optimizer, "skipped")]
    counts = [int(tf.convert_to_tensor(optimizer.skipped)) for optimizer in guarded]
    total = sum(counts)
    if total > allowed:
        places = [int(tf.convert_to_tensor(optimizer.skipped_at)) for optimizer in guarded]
        first = min(place for place, count in zip(places, counts, strict=True) if count)
        raise NotFinite(
            f"{title}: the gradient is not finite at step {first} (updates left out: {total}, "
            f"train_loop.skipped_allowed: {allowed}); {what_now}"
        )
    return {"skipped_updates": total} if allowed else {}


def foreseen(error: Exception, title: str, last_good: str | None) -> UserError | None:
    """What a person should read of an error that ended the loop; None if nobody foresaw it."""
    if no_space(error):
        return NoSpace(f"{title}: the disk is full; {said(last_good)}; make room and {AGAIN}")
    if out_of_memory(error):
        return UserError(
            f"{title}: expected a step that fits into the device's memory, found one that does not: raise microbatches "
            "(train.microbatches, joint.microbatches), lower batch_size, or set precision.policy = 'mixed_bfloat16' "
            f"(bin/complexity.py --memory says what they need); {said(last_good)}"
        )
    if lost_worker(error):
        return TryAgain(f"{title}: another worker is gone; {said(last_good)}; {AGAIN}, on every worker")
    return None
