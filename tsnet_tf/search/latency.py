"""Measured latency as a cost model: a table of what every piece of a space takes on this device.

Each distinct piece is measured once, in a loop of the graph so that calls from Python do not count, with weights of
the largest size of its kind, of which the piece uses a part. A whole model runs both streams at once and fuses
operations, so the sum over its pieces is scaled to agree with a few whole models that are measured too.
"""

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import get_args

import numpy as np
import tensorflow as tf

from tsnet_tf import console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.layers.fusion import FusionOperation
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.models.two_stream import Head, Stem, TwoStreamModel
from tsnet_tf.search.cost_tables import CostModel, CostTables
from tsnet_tf.space import pieces
from tsnet_tf.space.cost import parts
from tsnet_tf.space.pieces import Piece
from tsnet_tf.space.two_stream import Space, Stream, choices, pick, values_at

WHOLE_MODELS = 6  # random ones, to which the sums are scaled
LOOP_SECONDS, REPEATS, REPEATS_OF_WHOLE_MODELS = 0.004, 3, 200
_KINDS = {kind.__name__: kind for kind in get_args(Piece)}
_NORM = {"statistics": "moving", "synchronized": False, "execution": "slice"}


def measure(space: Space, batch_size: int = 1, seed: int = 0) -> dict:
    """Measures every distinct piece of ``space``, and a few whole models.

    Args:
      space: a space with open choices.
      batch_size: clips at once.
      seed: of the whole models.

    Returns:
      The table: ``space``, ``resolution``, ``batch_size``, ``scale``, ``whole_models`` (of each, milliseconds
      ``summed`` over its pieces and ``measured``) and ``pieces`` (of each, its kind, fields and milliseconds).
    """
    families: dict[tuple, list[Piece]] = {}
    for piece in dict.fromkeys(piece for part in parts(space) for row in part.pieces for piece in row):
        families.setdefault(_family(piece), []).append(piece)
    found: dict[Piece, float] = {}
    with console.progress("latency: pieces", sum(map(len, families.values()))) as bar:
        for members in families.values():
            run = _elastic(members, batch_size)
            for piece in members:
                found[piece] = _milliseconds(lambda n, piece=piece, run=run: run(n, piece))
                bar.advance()
    draw = np.random.default_rng(seed)
    tables = CostTables(space, CostModel("latency_ms", "ms", found.__getitem__))
    whole = []
    for _ in range(WHOLE_MODELS):
        indices = [int(draw.integers(len(choice.values))) for choice in choices(space)]
        summed = float(tables.of(tf.constant([indices], tf.int32))[0])
        model = TwoStreamModel(pick(space, values_at(space, indices)))
        whole.append({"summed": summed, "measured": of_model(model, batch_size)})
    return {
        "space": space.name,
        "resolution": space.resolution,
        "batch_size": batch_size,
        "scale": statistics.median(row["measured"] / row["summed"] for row in whole),
        "whole_models": whole,
        "pieces": [[type(piece).__name__, dataclasses.asdict(piece), ms] for piece, ms in found.items()],
    }


def cost_model(path: str) -> CostModel:
    """The cost model of a table written by ``bin/benchmark.py latency``.

    Raises:
      UserError: no such file, not such a table, or (when it is used) a piece that it does not have.
    """
    path = paths.expanded(path)
    if not os.path.isfile(path):
        raise UserError(f"latency table: expected the file of 'bin/benchmark.py latency', found nothing at '{path}'")
    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
        found = {_KINDS[kind](**fields): table["scale"] * ms for kind, fields, ms in table["pieces"]}
        batch_size = int(table["batch_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected a latency table, found {type(error).__name__}: {error}") from error

    def price(piece: Piece) -> float:
        if piece not in found:
            raise UserError(f"{path}: expected a table of the searched space, found none for {piece}")
        return found[piece]

    return CostModel("latency_ms", f"ms per batch of {batch_size}", price, lambda model: of_model(model, batch_size))


def of_model(model: TwoStreamModel, batch_size: int = 1) -> float:
    """Milliseconds of a fixed model's forward pass, measured as the pieces are."""
    space = model.space
    clips = tf.zeros([batch_size, space.frames, space.resolution, space.resolution, 3], tf.uint8)
    return _milliseconds(_looped(lambda: model(clips)), REPEATS_OF_WHOLE_MODELS)


def _milliseconds(run: Callable[[tf.Tensor], object], repeats: int = REPEATS) -> float:
    """Of one turn of ``run(turns)``: the least of a few measurements, each long enough to be read off a clock."""

    def seconds(turns: int) -> float:
        started = time.perf_counter()
        run(tf.constant(turns))
        return time.perf_counter() - started

    seconds(1)
    turns = max(1, round(LOOP_SECONDS / seconds(1)))
    return 1e3 * min(seconds(turns) / turns for _ in range(repeats))


def _looped(call: Callable[..., tf.Tensor]) -> Callable:
    """``call`` as a function of the number of turns (and its arguments), each of which waits for the one before."""

    @tf.function
    def run(turns, *arguments):
        def turn(i, carried):
            with tf.control_dependencies([carried]):
                return i + 1, tf.reshape(call(*arguments), [-1])[0]

        return tf.while_loop(lambda i, _: i < turns, turn, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1)

    return run


def _family(piece: Piece) -> tuple:
    """What pieces must share to be measured with one elastic layer."""
    fields = {
        pieces.Block: lambda p: (p.frames, p.size, p.stride, p.squeezed > 0),
        pieces.Fusion: lambda p: (p.frames, p.size, p.ratio, p.kind),
        pieces.Attention: lambda p: (p.frames, p.size),
    }
    kind = type(piece)
    return (kind, *(fields[kind](piece) if kind in fields else dataclasses.astuple(piece)))


def _elastic(members: list[Piece], batch_size: int) -> Callable:
    """One layer of the members' largest sizes: a function of the number of turns and the piece."""
    one = members[0]
    names = [field.name for field in dataclasses.fields(one)]
    largest = {n: max(getattr(p, n) for p in members) for n in names if not isinstance(getattr(one, n), str)}
    call = _LAYERS[type(one)](one, largest, batch_size)

    run = _looped(lambda sizes: call(dict(zip(largest, tf.unstack(sizes), strict=True))))
    return lambda turns, piece: run(turns, tf.constant([getattr(piece, name) for name in largest]))


def _features(piece: Piece, batch_size: int, channels: int) -> tf.Tensor:
    return tf.random.stateless_normal([piece.frames * batch_size, piece.size, piece.size, channels], [0, 0])


def _block(one: pieces.Block, largest: dict, batch_size: int) -> Callable:
    layer = MBConv3D(
        one.frames,
        largest["before"],
        largest["channels"],
        largest["inner"],
        largest["squeezed"],
        largest["temporal_kernel"],
        largest["spatial_kernel"],
        one.stride,
        may_change_width=True,
    )
    x = _features(one, batch_size, largest["before"])
    names = ("channels", "inner", "squeezed", "temporal_kernel", "spatial_kernel")
    return lambda s: layer(x[..., : s["before"]], in_channels=s["before"], **{name: s[name] for name in names})


def _fusion(one: pieces.Fusion, largest: dict, batch_size: int) -> Callable:
    frames = one.frames * one.ratio
    layer = FusionOperation(one.kind, frames, one.ratio, largest["dense"], largest["sparse"])
    x = _features(dataclasses.replace(one, frames=frames), batch_size, largest["dense"])
    return lambda s: layer(x[..., : s["dense"]], dense=s["dense"], sparse=s["sparse"])


def _attention(one: pieces.Attention, largest: dict, batch_size: int) -> Callable:
    layer = GloRe(one.frames, largest["channels"], largest["nodes"])
    x = _features(one, batch_size, largest["channels"])
    return lambda s: layer(x[..., : s["channels"]], channels=s["channels"], nodes=s["nodes"], on=tf.constant(True))


def _stem(one: pieces.Stem, largest: dict, batch_size: int) -> Callable:
    layer = Stem(Stream("sparse", one.frames, one.channels, one.temporal_kernel, 1, ()), _NORM)
    frames = tf.random.stateless_normal([one.frames * batch_size, 2 * one.size, 2 * one.size, 3], [0, 0])
    return lambda s: layer(frames)


def _head(one: pieces.Head, largest: dict, batch_size: int) -> Callable:
    layer = Head(Stream("sparse", one.frames, 1, 1, one.width, ()), one.channels, one.hidden, _NORM)
    x = _features(one, batch_size, one.channels)
    return lambda s: layer(x, in_channels=one.channels)


def _classifier(one: pieces.Classifier, largest: dict, batch_size: int) -> Callable:
    x, weights = tf.zeros([batch_size, one.hidden]), tf.zeros([one.hidden, one.classes])
    return lambda s: tf.matmul(x, weights)


_LAYERS = {
    pieces.Block: _block,
    pieces.Fusion: _fusion,
    pieces.Attention: _attention,
    pieces.Stem: _stem,
    pieces.Head: _head,
    pieces.Classifier: _classifier,
}
