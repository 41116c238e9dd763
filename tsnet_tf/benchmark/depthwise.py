"""The depthwise 3-D convolution: ours, the sum over temporal taps by automatic gradients, and PyTorch's."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf.benchmark import pytorch
from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio, spread
from tsnet_tf.kernels.depthwise import depthwise_conv3d

# Batch, frames, side, channels, temporal and spatial kernel: places of the searched models.
SHAPES = ((2, 4, 20, 528, 3, 5), (2, 4, 20, 528, 1, 5), (2, 32, 20, 96, 3, 3), (2, 32, 40, 72, 5, 5))
CHAINED = 24  # convolutions one after the other in a forward measurement, so that the call itself hardly counts
_PAUSE = 0.05


def measure(repeats: int, torch=None) -> list[dict]:
    """Forward, and forward with both gradients, at `SHAPES`; PyTorch's in either layout if it is given.

    Returns:
      For each shape: ``shape``; median milliseconds ``forward`` and ``both`` of ``ours``, ``taps`` and each of
      PyTorch's layouts; the ``spread`` of ours; median ratios ``other / ours``.
    """
    return [_row(shape, repeats, torch) for shape in SHAPES]


def taps_by_autodiff(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The sum over the taps of shifted 2-D convolutions, ``[batch, frames, h, w, c]`` with ``[t, k, k, c]``."""
    frames, half = x.shape[1], kernel.shape[0] // 2
    padded = tf.pad(x, [[0, 0], [half, half], [0, 0], [0, 0], [0, 0]])
    flat = (-1, *x.shape[2:])
    shifted = (tf.reshape(padded[:, tap : tap + frames], flat) for tap in range(kernel.shape[0]))
    terms = [
        tf.nn.depthwise_conv2d(one, kernel[tap][..., None], [1, 1, 1, 1], "SAME") for tap, one in enumerate(shifted)
    ]
    return tf.reshape(tf.add_n(terms), (-1, *x.shape[1:]))


def _row(shape: tuple[int, ...], repeats: int, torch) -> dict:
    batch, frames, side, channels, t, k = shape
    draw = np.random.default_rng(0)
    x = draw.normal(size=(batch, frames, side, side, channels)).astype(np.float32)
    kernel = (draw.normal(size=(t, k, k, channels)) / (t * k * k)).astype(np.float32)
    rows = np.ascontiguousarray(x.swapaxes(0, 1)).reshape(-1, side, side, channels)
    made = {
        "ours": _tensorflow(lambda x, kernel: depthwise_conv3d(x, kernel, frames), rows, kernel),
        "taps": _tensorflow(taps_by_autodiff, x, kernel),
        **({layout: _pytorch(torch, x, kernel, layout) for layout in pytorch.LAYOUTS} if torch else {}),
    }
    row: dict = {"shape": f"{batch} x {frames} x {side}² x {channels}, {t}, {k}"}
    for index, kind in enumerate(("forward", "both")):
        seconds = interleaved_seconds({name: actions[index] for name, actions in made.items()}, repeats, _PAUSE)
        calls = CHAINED if kind == "forward" else 1
        row |= {f"{kind} {name}": 1e3 * statistics.median(found) / calls for name, found in seconds.items()}
        row[f"{kind} spread"] = spread(seconds["ours"])
        row |= {
            f"{kind} {name} / ours": median_ratio(found, seconds["ours"])
            for name, found in seconds.items()
            if name != "ours"
        }
    return row


def _tensorflow(convolve: Callable, x: np.ndarray, kernel: np.ndarray) -> tuple[Callable, Callable]:
    @tf.function(autograph=False)
    def forward(x, kernel):
        for _ in range(CHAINED):
            x = convolve(x, kernel)
        return x

    @tf.function(autograph=False)
    def both(x, kernel, dy):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolve(x, kernel)
        return y, *tape.gradient(y, [x, kernel], dy)

    x, kernel = tf.constant(x), tf.constant(kernel)
    dy = tf.ones_like(x)
    return lambda: forward(x, kernel), lambda: both(x, kernel, dy)


def _pytorch(torch, x: np.ndarray, kernel: np.ndarray, layout: str) -> tuple[Callable, Callable]:
    given = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 4, 1, 2, 3)))
    given = pytorch.in_layout(torch, given, layout).requires_grad_()
    channels, sizes = kernel.shape[-1], kernel.shape[:3]
    convolve = torch.nn.Conv3d(
        channels, channels, sizes, padding=[size // 2 for size in sizes], groups=channels, bias=False
    )
    with torch.no_grad():
        convolve.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))[:, None]))
    convolve = pytorch.in_layout(torch, convolve, layout)
    dy = torch.ones_like(given)

    def forward():
        with torch.no_grad():
            y = given
            for _ in range(CHAINED):
                y = convolve(y)
        return y

    def both():
        given.grad = convolve.weight.grad = None
        convolve(given).backward(dy)

    return forward, both
