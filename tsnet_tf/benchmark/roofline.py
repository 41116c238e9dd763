"""How far every block is from what the machine can do: its products at the rate of matrix products, its bytes at the
bandwidth of memory."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable

import tensorflow as tf

from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.ops import Block
from tsnet_tf.space.two_stream import Space

_FLOAT = 4  # bytes
_COPIED = 64 * 2**20  # bytes: more than caches hold
_MATRIX = (20_000, 96, 216)  # a pointwise convolution of X3D-S: positions, channels in and out


def matrix_rate(repeats: int, rows: int = _MATRIX[0], inputs: int = _MATRIX[1], outputs: int = _MATRIX[2]) -> float:
    """10^9 multiply-adds per second of a product ``[rows, inputs]`` by ``[inputs, outputs]``."""
    a, b = tf.random.normal([rows, inputs]), tf.random.normal([inputs, outputs])
    return rows * inputs * outputs / _seconds(lambda x: x @ b, a, repeats) / 1e9


def bandwidth(repeats: int) -> float:
    """10^9 bytes per second that are read and written by the sum of two large tensors."""
    a = tf.random.normal([_COPIED // _FLOAT])
    return 3 * _COPIED / _seconds(lambda x: x + a, a, repeats) / 1e9


def blocks(genotype: Space, batch_size: int, repeats: int) -> list[dict]:
    """Every kind of block of an architecture, folded, by itself.

    The floor is the time that its pointwise convolutions take at the rates of matrix products of their shapes, or its
    bytes at the bandwidth of memory, whichever is longer. Bytes are those that have to be moved if every operation is
    fused with what follows: the features before and after each of the three convolutions, and the shortcut.

    Returns:
      For each: ``block``, ``count`` of its kind, ``mmacs`` and ``megabytes`` for the batch, ``floor`` and ``measured``
      milliseconds, ``ratio``.
    """
    kinds = Counter(op for part in blueprint(genotype) for op in part.ops if isinstance(op, Block))
    speed = bandwidth(repeats)
    return [_row(block, count, batch_size, speed, repeats) for block, count in kinds.items()]


def _row(block: Block, count: int, batch_size: int, speed: float, repeats: int) -> dict:
    before = block.frames * batch_size * block.side**2
    after = block.frames * batch_size * block.output_side**2
    products = [(before, block.in_channels, block.expanded_channels), (after, block.expanded_channels, block.channels)]
    rates = [matrix_rate(repeats, *product) for product in products]
    numbers = before * (2 * block.in_channels + 2 * block.expanded_channels) + after * (
        3 * block.expanded_channels + 2 * block.channels
    )
    floor = max(
        sum(math.prod(product) / rate for product, rate in zip(products, rates, strict=True)), _FLOAT * numbers / speed
    )
    layer = MBConv3D(
        block.frames,
        stride=block.stride,
        may_change_width=block.in_channels != block.channels,
        statistics="folded",
        **block.sizes,
    )
    x = tf.random.normal([block.frames * batch_size, block.side, block.side, block.in_channels])
    measured = _seconds(lambda x: layer(x, training=False, **block.sizes), x, repeats)
    return {
        "block": f"{block.frames} x {block.side}², {block.in_channels} to {block.channels} by {block.expanded_channels}"
        f"{', stride 2' if block.stride == 2 else ''}{', SE' if block.se_channels else ''}",
        "count": count,
        "mmacs": batch_size * block.cost.macs / 1e6,
        "megabytes": _FLOAT * numbers / 1e6,
        "floor": floor / 1e6,
        "measured": 1e3 * measured,
        "ratio": 1e9 * measured / floor,
    }


def _seconds(function: Callable, given: tf.Tensor, repeats: int) -> float:
    compiled = tf.function(function, autograph=False).get_concrete_function(given)
    compiled(given)
    found = []
    for _ in range(max(repeats, 3)):
        started = time.perf_counter()
        compiled(given)
        found.append(time.perf_counter() - started)
    return statistics.median(found)
