"""Measured latency as a cost model: a table of what every operation of a space takes on this device.

Each distinct operation is measured once, in a loop of the graph so that calls from Python do not count, with weights of
the largest size of its kind, of which it uses a part. A whole model runs both streams at once and fuses operations, so
the sum over its operations is scaled to agree with a few whole models that are measured too.
"""

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf import console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.layers.fusion import FusionOperation
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.models.two_stream import Head, Stem, TwoStreamModel
from tsnet_tf.search.cost_tables import CostModel, CostTables
from tsnet_tf.space import ops
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.ops import Op
from tsnet_tf.space.two_stream import Space, choices, pick, values_at

WHOLE_MODELS = 6  # random ones, to which the sums are scaled
LOOP_SECONDS, REPEATS, REPEATS_OF_WHOLE_MODELS = 0.004, 3, 200
_KINDS = {kind.__name__: kind for kind in Op.__subclasses__()}
# Fields that have another name in the file.
_IN_FILE = {"in_channels": "before", "expanded_channels": "inner", "se_channels": "squeezed", "side": "size"}
_NORM = {"statistics": "moving", "synchronized": False, "execution": "slice"}


def measure(space: Space, batch_size: int = 1, seed: int = 0) -> dict:
    """Measures every distinct operation of ``space``, and a few whole models.

    Args:
      space: a space with open choices.
      batch_size: clips at once.
      seed: of the whole models.

    Returns:
      The table: ``space``, ``resolution``, ``batch_size``, ``scale``, ``whole_models`` (of each, milliseconds
      ``summed`` over its operations and ``measured``) and ``pieces`` (of each operation, its kind, fields and
      milliseconds).
    """
    families: dict[tuple, list[Op]] = {}
    for op in dict.fromkeys(op for part in blueprint(space) for selected in part.table.values for op in selected):
        families.setdefault(_family(op), []).append(op)
    milliseconds: dict[Op, float] = {}
    with console.progress("latency: operations", sum(map(len, families.values()))) as bar:
        for members in families.values():
            run = _elastic(members, batch_size)
            for op in members:
                milliseconds[op] = _milliseconds(lambda turns, op=op, run=run: run(turns, op))
                bar.advance()
    draw = np.random.default_rng(seed)
    tables = CostTables(space, CostModel("latency_ms", "ms", milliseconds.__getitem__))
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
        "pieces": [[type(op).__name__, _fields(op), ms] for op, ms in milliseconds.items()],
    }


def cost_model(path: str) -> CostModel:
    """The cost model of a table written by ``bin/benchmark.py latency``.

    Raises:
      UserError: no such file, not such a table, or (when it is used) an operation that it does not have.
    """
    path = paths.expanded(path)
    if not os.path.isfile(path):
        raise UserError(f"latency table: expected the file of 'bin/benchmark.py latency', found nothing at '{path}'")
    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
        milliseconds = {_op(kind, fields): table["scale"] * ms for kind, fields, ms in table["pieces"]}
        batch_size = int(table["batch_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected a latency table, found {type(error).__name__}: {error}") from error

    def cost(op: Op) -> float:
        if op not in milliseconds:
            raise UserError(f"{path}: expected a table of the searched space, found none for {op}")
        return milliseconds[op]

    return CostModel("latency_ms", f"ms per batch of {batch_size}", cost, lambda model: of_model(model, batch_size))


def of_model(model: TwoStreamModel, batch_size: int = 1) -> float:
    """Milliseconds of a fixed model's forward pass, measured as the operations are."""
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


def _fields(op: Op) -> dict:
    """The fields of an operation as the file names them."""
    return {_IN_FILE.get(name, name): value for name, value in vars(op).items() if name != "selected"}


def _op(kind: str, fields: dict) -> Op:
    """The operation of a file's fields."""
    names = {in_file: name for name, in_file in _IN_FILE.items()}
    return _KINDS[kind](**{names.get(name, name): value for name, value in fields.items()})


def _family(op: Op) -> tuple:
    """What operations must share to be measured with one elastic layer."""
    shared = {
        ops.Block: lambda op: (op.frames, op.side, op.stride, op.se_channels > 0),
        ops.Fusion: lambda op: (op.frames, op.side, op.ratio, op.kind),
        ops.Attention: lambda op: (op.frames, op.side),
    }
    kind = type(op)
    return (kind, *(shared[kind](op) if kind in shared else dataclasses.astuple(op)))


def _elastic(members: list[Op], batch_size: int) -> Callable:
    """One layer of the members' largest sizes: a function of the number of turns and the operation."""
    names = [name for name, value in vars(members[0]).items() if type(value) is int]
    largest = dataclasses.replace(members[0], **{name: max(getattr(op, name) for op in members) for name in names})
    call = _LAYERS[type(largest)](largest, batch_size)

    def sampled(sizes: tf.Tensor) -> Op:
        return dataclasses.replace(largest, **dict(zip(names, tf.unstack(sizes), strict=True)))

    run = _looped(lambda sizes: call(sampled(sizes)))
    return lambda turns, op: run(turns, tf.constant([getattr(op, name) for name in names]))


def _features(frames: int, side: int, batch_size: int, channels: int) -> tf.Tensor:
    return tf.random.stateless_normal([frames * batch_size, side, side, channels], [0, 0])


def _block(largest: ops.Block, batch_size: int) -> Callable:
    layer = MBConv3D(largest.frames, stride=largest.stride, may_change_width=True, **largest.sizes)
    x = _features(largest.frames, largest.side, batch_size, largest.in_channels)
    return lambda op: layer(x[..., : op.in_channels], **op.sizes)


def _fusion(largest: ops.Fusion, batch_size: int) -> Callable:
    frames = largest.frames * largest.ratio
    layer = FusionOperation(largest.kind, frames, largest.ratio, largest.dense, largest.sparse)
    x = _features(frames, largest.side, batch_size, largest.dense)
    return lambda op: layer(x[..., : op.dense], dense=op.dense, sparse=op.sparse)


def _attention(largest: ops.Attention, batch_size: int) -> Callable:
    layer = GloRe(largest.frames, largest.channels, largest.nodes)
    x = _features(largest.frames, largest.side, batch_size, largest.channels)
    return lambda op: layer(x[..., : op.channels], channels=op.channels, nodes=op.nodes, on=tf.constant(True))


def _stem(largest: ops.Stem, batch_size: int) -> Callable:
    layer, x = Stem(largest, _NORM), _features(largest.frames, 2 * largest.side, batch_size, 3)
    return lambda op: layer(x)


def _head(largest: ops.Head, batch_size: int) -> Callable:
    layer, x = Head(largest, _NORM), _features(largest.frames, largest.side, batch_size, largest.channels)
    return lambda op: layer(x, in_channels=largest.channels)


def _classifier(largest: ops.Classifier, batch_size: int) -> Callable:
    x, weights = tf.zeros([batch_size, largest.hidden]), tf.zeros([largest.hidden, largest.classes])
    return lambda op: tf.matmul(x, weights)


_LAYERS = {
    ops.Block: _block,
    ops.Fusion: _fusion,
    ops.Attention: _attention,
    ops.Stem: _stem,
    ops.Head: _head,
    ops.Classifier: _classifier,
}
