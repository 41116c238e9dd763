"""Depthwise 3-D convolution, which neither Keras nor TensorFlow's CPU kernels have.

A t x k x k depthwise convolution is a sum over the t temporal taps of a k x k depthwise convolution of shifted frames.
With frames first, a shift is a view of consecutive rows, and a tap near the border touches only the frames it reaches.
The gradient is written out with the 2-D kernels' own gradients, so that kernel sizes and width may be dynamic without a
copy of every tap being kept.

Where a convolution can add to what is there, and frames are so many that zeros around them hardly count, the taps go
over all frames one after the other. Elsewhere they go over the frames that they reach and are added up afterwards, as
with a stride, whose outputs are so small that to add them takes less time than zeros around the inputs.
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from tsnet_tf.kernels import depthwise_xla, placement, plain, plane

Size = int | tf.Tensor
_ZEROS = 1 / 6  # of the work, at most, for zeros before and after the frames
_SAMPLED_TAPS = 5  # at most, as far as that share goes


def depthwise_conv3d(
    x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int = 1, offset: tf.Tensor | None = None
) -> tf.Tensor:
    """Depthwise 3-D convolution with zero padding of half the kernel on every side, as in PyTorch.

    Args:
      x: ``[frames * batch, h, w, c]``, frames first.
      kernel: ``[t, k, k, c]``, t and k odd; sizes may be dynamic.
      frames: number of frames in ``x``.
      stride: spatial stride.
      offset: ``[c]``, added to the output.

    Returns:
      ``[frames * batch, ceil(h / stride), ceil(w / stride), c]``.
    """
    if plain.is_wanted():
        return plain.depthwise_conv3d(x, kernel, frames, stride, offset)
    if placement.compiled_by_xla() and depthwise_xla.takes(x, kernel):
        y = depthwise_xla.convolve(x, kernel, frames, stride, functools.partial(_filter_gradient, frames, stride))
        return y if offset is None else tf.nn.bias_add(y, tf.cast(offset, x.dtype))
    x = _with_zeros(x, kernel, stride)

    @tf.custom_gradient
    def convolve(x, kernel, *offset):
        def gradient(dy):
            def by_features(tap):
                weights = kernel[tap.index][..., None]
                return plane.features_gradient(tap.source.shape(x), weights, tap.target.of(dy), stride)

            if stride == 1:
                dx = _convolved(dy, kernel[::-1, ::-1, ::-1], frames)
            else:
                taps = _taps(kernel, frames, tf.shape(x)[0] // frames)
                dx, around = taps.sum(by_features, lambda tap: tap.source), plane.border(kernel.shape[1], stride)
                dx = tf.slice(dx, [0, around, around, 0], tf.shape(x)) if around else dx
            by_kernel = _gradient_by_taps(x, kernel, dy, frames, stride)
            return dx, by_kernel, *(tf.reduce_sum(dy, [0, 1, 2]) for _ in offset)

        return _convolved(x, kernel, frames, stride, *offset), gradient

    return convolve(x, kernel) if offset is None else convolve(x, kernel, tf.cast(offset, x.dtype))


def _with_zeros(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """Features as the kernels want them: with zeros around, unless they pad by themselves."""
    if plane.pads_itself(kernel.shape[1], stride):
        return x
    half = _size(kernel, 1) // 2
    return tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]])


def _filter_gradient(frames: int, stride: int, x: tf.Tensor, kernel: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
    """The gradient by the kernel."""
    return _gradient_by_taps(_with_zeros(x, kernel, stride), kernel, dy, frames, stride)


def _gradient_by_taps(x: tf.Tensor, kernel: tf.Tensor, dy: tf.Tensor, frames: int, stride: int) -> tf.Tensor:
    """That of features `_with_zeros`."""

    def by_kernel(tap):
        weights = kernel[tap.index][..., None]
        return plane.filter_gradient(tap.source.of(x), weights, tap.target.of(dy), stride)[..., 0]

    return _taps(kernel, frames, tf.shape(x)[0] // frames).stack(by_kernel)


def _convolved(
    x: tf.Tensor, kernel: tf.Tensor, frames: int, stride: int = 1, offset: tf.Tensor | None = None
) -> tf.Tensor:
    """The values of `depthwise_conv3d`."""
    if kernel.shape[1] == 1 and stride == 1:
        flat = plane.convolve(_time_by_place(x, frames), kernel[:, 0, :, :, None], 1, offset)
        return tf.reshape(flat, tf.shape(x))
    reach = (kernel.shape[0] or _SAMPLED_TAPS) // 2
    few_zeros = reach * (reach + 1) <= _ZEROS * frames * (2 * reach + 1)
    if stride == 1 and few_zeros and plane.adds_in_place(x):
        return _added_in_place(x, kernel, frames, offset)
    known = kernel.shape[0] is not None

    def term(tap):
        # The middle tap reaches every frame of the output, once.
        added = offset if known and tap.index == kernel.shape[0] // 2 else None
        return plane.convolve(tap.source.of(x), kernel[tap.index][..., None], stride, added)

    y = _taps(kernel, frames, tf.shape(x)[0] // frames).sum(term, lambda tap: tap.target)
    return y if known or offset is None else tf.nn.bias_add(y, offset)


def _added_in_place(x: tf.Tensor, kernel: tf.Tensor, frames: int, offset: tf.Tensor | None) -> tf.Tensor:
    """The sum over all taps of all frames, zeros before and after them, each convolution adding to those before it."""
    taps, flat = _size(kernel, 0), tf.reshape(x, [frames, -1])
    padded = tf.pad(flat, [[taps // 2, taps // 2], [0, 0]])

    def add(tap, total):
        reached = tf.reshape(_rows(padded, tap, frames), tf.shape(x))
        return plane.convolve(tf.ensure_shape(reached, x.shape), kernel[tap][..., None], added=total)

    y = plane.convolve(tf.reshape(_rows(padded, 0, frames), tf.shape(x)), kernel[0][..., None], offset=offset)
    if isinstance(taps, int):
        return functools.reduce(lambda total, tap: add(tap, total), range(1, taps), y)
    specs = (tf.TensorShape([]), y.shape)
    return tf.while_loop(lambda i, _: i < taps, lambda i, y: (i + 1, add(i, y)), (tf.constant(1), y), specs)[1]


def _size(x: tf.Tensor, axis: int) -> Size:
    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


def _time_by_place(x: tf.Tensor, frames: int) -> tf.Tensor:
    """``[1, frames, batch * h * w, c]``: pictures in which a kernel over time alone is one column."""
    return tf.reshape(x, tf.stack([1, frames, -1, tf.shape(x)[-1]]))


@dataclasses.dataclass(frozen=True)
class _Frames:
    """``count`` of ``total`` frames of a feature map with ``batch`` rows a frame, from ``start`` on."""

    start: Size
    count: Size
    total: int
    batch: tf.Tensor

    def of(self, x: tf.Tensor) -> tf.Tensor:
        """These frames of ``x``; no copy, if a frame is a multiple of the 64 bytes that TensorFlow aligns to."""
        if isinstance(self.count, int) and self.count == self.total:
            return x
        taken = _rows(self._by_frame(x), self.start, self.count)
        return tf.reshape(taken, [-1, *x.shape[1:]] if x.shape[1:].is_fully_defined() else self.shape(x))

    def shape(self, x: tf.Tensor) -> tf.Tensor:
        """The shape of what `of` takes from ``x``."""
        return tf.concat([[self.count * self.batch], tf.shape(x)[1:]], 0)

    def add(self, x: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        """``x`` with ``part`` added to these frames of it."""
        flat, after = self._by_frame(x), self.start + self.count
        there = _rows(flat, self.start, self.count) + tf.reshape(part, [self.count, -1])
        # What is not touched is a view: to put it all together again takes less time than to fill ``part`` up by zeros.
        return tf.reshape(tf.concat([flat[: self.start], there, flat[after:]], 0), tf.shape(x))

    def _by_frame(self, x: tf.Tensor) -> tf.Tensor:
        # Row by row is frame by frame: a picture by itself, of few positions, would seldom be a multiple of 64 bytes.
        return tf.reshape(x, [self.total, -1])


def _rows(flat: tf.Tensor, start: Size, count: Size) -> tf.Tensor:
    return tf.slice(flat, [start, 0], [count, -1])


@dataclasses.dataclass(frozen=True)
class _Tap:
    """One of a kernel's temporal taps, and the frames of the input and of the output that it connects."""

    index: Size
    source: _Frames
    target: _Frames


def _tap(middle: Size, offset: Size, frames: int, batch: tf.Tensor) -> _Tap:
    largest = max if isinstance(offset, int) else tf.maximum
    count = frames - abs(offset)
    source = _Frames(largest(offset, 0), count, frames, batch)
    target = _Frames(largest(-offset, 0), count, frames, batch)
    return _Tap(middle + offset, source, target)


def _taps(kernel: tf.Tensor, frames: int, batch: tf.Tensor) -> "_FixedTaps | _SampledTaps":
    return (_SampledTaps if kernel.shape[0] is None else _FixedTaps)(kernel, frames, batch)


class _FixedTaps:
    """The taps of a kernel of known size, written out."""

    def __init__(self, kernel: tf.Tensor, frames: int, batch: tf.Tensor):
        middle = kernel.shape[0] // 2
        self._unreached = max(0, middle - (frames - 1))  # taps at either end that no frame is far enough from
        reach = middle - self._unreached
        self._taps = [_tap(middle, offset, frames, batch) for offset in range(-reach, reach + 1)]

    def sum(self, term: Callable[[_Tap], tf.Tensor], place: Callable[[_Tap], _Frames]) -> tf.Tensor:
        """Sum over the taps of ``term(tap)``, features for the frames ``place(tap)``.

        Added up between the places where terms begin or end, so that nothing is added that is not there.
        """
        terms = [term(tap) for tap in self._taps]
        whole = terms[len(terms) // 2]  # the middle tap connects all frames
        if len(terms) == 1:
            return whole
        places = [place(tap) for tap in self._taps]
        flat = [tf.reshape(value, [frames.count, -1]) for value, frames in zip(terms, places, strict=True)]
        edges = sorted({edge for frames in places for edge in (frames.start, frames.start + frames.count)})
        sums = []
        for start, end in zip(edges[:-1], edges[1:], strict=True):
            there = [
                _rows(value, start - frames.start, end - start)
                for value, frames in zip(flat, places, strict=True)
                if frames.start <= start and end <= frames.start + frames.count
            ]
            # Not AddN: it begins with whichever input it can write over, and of views that depends on who still reads.
            sums.append(functools.reduce(tf.add, there))
        return tf.reshape(tf.concat(sums, 0), tf.shape(whole))

    def stack(self, term: Callable[[_Tap], tf.Tensor]) -> tf.Tensor:
        """``term(tap)`` of every tap; zeros of those that reach no frame."""
        stacked = tf.stack([term(tap) for tap in self._taps])
        return tf.pad(stacked, [[self._unreached, self._unreached], [0, 0], [0, 0], [0, 0]])


class _SampledTaps:
    """The taps of a kernel of sampled size, in a loop of the graph."""

    def __init__(self, kernel: tf.Tensor, frames: int, batch: tf.Tensor):
        self._count, self._frames, self._batch = tf.shape(kernel)[0], frames, batch
        self._reach = tf.minimum(self._count // 2, frames - 1)

    def sum(self, term: Callable[[_Tap], tf.Tensor], place: Callable[[_Tap], _Frames]) -> tf.Tensor:
        """Sum over the taps of ``term(tap)``, features for the frames ``place(tap)``."""
        return self._loop(term, lambda tap, total: place(tap).add(total, term(tap)))

    def stack(self, term: Callable[[_Tap], tf.Tensor]) -> tf.Tensor:
        """``term(tap)`` of every tap; zeros of those that reach no frame."""

        def alone(tap: _Tap) -> tf.Tensor:
            value = term(tap)
            return tf.one_hot(tap.index, self._count, dtype=value.dtype)[:, None, None, None] * value[None]

        return self._loop(alone, lambda tap, total: total + alone(tap))

    def _loop(self, first: Callable[[_Tap], tf.Tensor], step: Callable[[_Tap, tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """``total = step(tap, total)`` for all taps, after ``first`` of the middle one, which connects all frames."""
        middle = self._count // 2

        def body(i, total):
            with placement.on_host():
                offset = i - self._reach + tf.cast(i >= self._reach, tf.int32)
            return i + 1, tf.ensure_shape(step(_tap(middle, offset, self._frames, self._batch), total), start.shape)

        start = first(_tap(middle, 0, self._frames, self._batch))
        specs = (tf.TensorShape([]), start.shape)
        return tf.while_loop(lambda i, _: i < 2 * self._reach, body, (tf.constant(0), start), specs)[1]
