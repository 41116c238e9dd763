"""Sampled sizes on shared weights, executed in one of two ways that give the same numbers.

``slice``: tensors have the sampled sizes, so a sampled architecture costs its own multiply-adds (dynamic shapes).
``mask``: tensors have the largest sizes and are zero beyond the sampled ones (static shapes: XLA and TPU).

A sampled architecture takes the first channels of every weight and the centre of every kernel; that is all there is to
it. Features follow: where weights, scales, offsets and biases are zero, so is what they make.
"""

from collections.abc import Hashable, Sequence
from typing import Literal

import keras
import tensorflow as tf

from tsnet_tf.kernels import shared_trace
from tsnet_tf.kernels.placement import on_host

Size = int | tf.Tensor
Execution = Literal["slice", "mask"]
Statistics = Literal["batch", "moving", "folded"]


class ElasticLayer(keras.layers.Layer):
    """A layer with weights of the largest size, which is called with the sampled sizes.

    Args:
      execution: "slice" or "mask".
      statistics: of batch normalisation: "batch", always those of the batch; "moving", running ones are kept and used
        outside training; "folded", normalisation has gone into the convolutions, which have biases then.
      synchronized: whether replicas share the batch's statistics. Off, each replica uses its own part of the batch.
      stream: which stream the layer is in; "" for what belongs to several.

    Attributes:
      alike: what tells this layer's computation from that of others of its class, apart from weights; None where it is
        not known, or not needed.
    """

    alike: Hashable = None

    def __init__(
        self,
        *,
        execution: Execution = "slice",
        statistics: Statistics = "moving",
        synchronized: bool = False,
        stream: str = "",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.execution, self.statistics, self.synchronized, self.stream = execution, statistics, synchronized, stream
        self.folded = statistics == "folded"

    @property
    def of_parts(self) -> dict:
        """The settings that a layer hands on to those it is made of."""
        return {"execution": self.execution, "statistics": self.statistics, "synchronized": self.synchronized}

    def __call__(self, *args, **kwargs):
        """As in Keras; in a supernet, layers that are `alike` share what is traced for one of them."""
        if self.alike is None or self.statistics != "batch" or self.synchronized or self.execution != "slice":
            return super().__call__(*args, **kwargs)  # masks are for XLA, which compiles every call for its own shapes
        sizes = {name: value for name, value in kwargs.items() if name != "training"}
        return shared_trace.call(self, super().__call__, (self.stream, self.alike), args, sizes)


def cut(x: tf.Tensor, sizes: Sequence[Size | None], centred: Sequence[int] = ()) -> tf.Tensor:
    """The part of a weight that a sampled architecture uses.

    Args:
      x: a weight of the largest size.
      sizes: the sampled size of every axis; None for all of it.
      centred: axes of which the middle is taken (kernels, of odd size); of the others, the first entries.
    """
    if all(size is None or (isinstance(size, int) and size == x.shape[axis]) for axis, size in enumerate(sizes)):
        return x
    largest = [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]
    full = [largest[axis] if size is None else size for axis, size in enumerate(sizes)]
    begin = [(largest[axis] - size) // 2 if axis in centred else 0 for axis, size in enumerate(full)]
    # The gradient of tf.slice is tf.pad, which is fast for matrices; that of a strided slice is for kernels.
    y = tf.strided_slice(x, begin, tf.add(begin, full)) if centred else tf.slice(x, begin, full)
    return tf.ensure_shape(y, [size if isinstance(size, int) else None for size in full])


def zero_outside(x: tf.Tensor, sizes: Sequence[Size | None], centred: Sequence[int] = ()) -> tf.Tensor:
    """``x`` with zeros where `cut` would leave something away."""
    for axis, size in enumerate(sizes):
        largest = x.shape[axis]
        if size is None or (isinstance(size, int) and size == largest):
            continue
        places = tf.range(largest)
        inside = tf.abs(places - largest // 2) <= size // 2 if axis in centred else places < size
        x *= tf.reshape(tf.cast(inside, x.dtype), [largest if i == axis else 1 for i in range(x.shape.rank)])
    return x


def sampled(
    execution: Execution, weight: tf.Tensor | keras.Variable, sizes: Sequence[Size | None], centred: Sequence[int] = ()
) -> tf.Tensor:
    """A weight as a sampled architecture uses it: `cut`, or with zeros (`zero_outside`), as the execution has it."""
    return (cut if execution == "slice" else zero_outside)(tf.convert_to_tensor(weight), sizes, centred)


def zero_beyond(x: tf.Tensor, channels: Size) -> tf.Tensor:
    """``x`` with zeros from channel ``channels`` on."""
    return zero_outside(x, [None] * (x.shape.rank - 1) + [channels])


def flag_times(flag: bool | tf.Tensor, size: Size) -> Size:
    """``size`` where ``flag`` is true, else 0: an operation that is off has size zero."""
    if isinstance(flag, bool):
        return size if flag else 0
    with on_host():
        return tf.cast(flag, tf.int32) * size


def flag_not(flag: tf.Tensor) -> tf.Tensor:
    """The opposite of a sampled flag."""
    with on_host():
        return tf.logical_not(flag)


def add_prefix(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """``x`` plus ``y`` in the first channels; ``y`` may have fewer channels than ``x``, or none, at no cost."""
    if y.shape[-1] is not None and x.shape[-1] == y.shape[-1]:
        return x + y

    @tf.custom_gradient  # of a condition that is shared between layers, TensorFlow finds no gradient
    def add(x, y):
        channels = tf.shape(y)[-1]

        def padded():
            return x + tf.pad(y, [[0, 0]] * (x.shape.rank - 1) + [[0, tf.shape(x)[-1] - channels]])

        total = tf.cond(channels > 0, padded, lambda: tf.identity(x))
        return tf.ensure_shape(total, x.shape), lambda dy: (dy, dy[..., :channels])

    return add(x, y)


def fit_channels(x: tf.Tensor, channels: int) -> tf.Tensor:
    """``x`` cut or filled up with zeros to ``channels`` channels (both static)."""
    if x.shape[-1] >= channels:
        return x[..., :channels]
    return tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[0, channels - x.shape[-1]]])
