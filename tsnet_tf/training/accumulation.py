"""The pieces of a step one after the other, so that only one of them is in memory at a time."""

from collections.abc import Callable

import tensorflow as tf

from tsnet_tf.errors import UserError


def one_after_another(body: Callable, carried, count: int | tf.Tensor, *, written_out: bool = False):
    """Calls ``carried = body(i, carried)`` for i below ``count``, and returns the last.

    A loop of the graph; but replicas cannot meet inside one, so where they have to it is ``written_out``.
    """
    if written_out:
        for i in range(count):
            # One operation that waits for all: each of the body's thousands would otherwise wait for each of them.
            with tf.control_dependencies([tf.group(tf.nest.flatten(carried))] if i else []):
                carried = body(i, carried)
        return carried
    _, carried = tf.while_loop(
        lambda i, _: i < count, lambda i, c: (i + 1, body(i, c)), (tf.constant(0), carried), parallel_iterations=1
    )
    return carried


def microbatch(batch: tf.Tensor, index: int | tf.Tensor, count: int) -> tf.Tensor:
    """Part ``index`` of ``count`` equal ones of a batch, ``[batch / count, ...]``.

    Raises:
      UserError: the batch cannot be divided so.
    """
    if count == 1:
        return batch
    size = batch.shape[0]
    if size is not None and size % count:
        raise UserError(f"microbatches: expected a divisor of a replica's batch of {size} clips, found {count}")
    parts = tf.reshape(batch, tf.concat([[count, -1], tf.shape(batch)[1:]], 0))
    return tf.ensure_shape(parts[index], [None if size is None else size // count, *batch.shape[1:]])
