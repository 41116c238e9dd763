"""Whole models: clips per second of inference and training, beside PyTorchVideo's X3D-S if wanted; stored ratios."""

from __future__ import annotations

import copy
import functools
import json
import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tsnet_tf.benchmark import depthwise, pytorch, roofline
from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio, process_with_threads, spread
from tsnet_tf.benchmark.steps import forward_pass, random_batch, training_step
from tsnet_tf.errors import UserError
from tsnet_tf.models.folding import fold
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity

YARDSTICK, TWO_STREAMS = "x3d_s", "manual_tsnet_70"  # 1.96 and 2.01 GMACs
SIDE_BY_SIDE = f"{TWO_STREAMS}, one thread per operation"
LOGIT_TOLERANCE = 1e-3
FELL = 0.8  # of a stored ratio
_PAUSE = 0.25


def inference(batch_sizes: Sequence[int], repeats: int, torch=None) -> list[dict]:
    """Clips per second with batch normalisation folded; PyTorch's model with the same weights, if it is given.

    The model of two streams is measured twice: with all threads for every operation, as TensorFlow does it, and with
    one for each, so that the streams are computed side by side.

    Returns:
      For each batch size: ``batch_size``, median clips per second of every model and the ``spread`` of ours, and median
      ratios ``ours / other``, by the clock.

    Raises:
      UserError: with the same weights, PyTorch's logits are others than ours.
    """
    ours = TwoStreamModel(genotype.load(YARDSTICK))
    theirs = _same_in_pytorch(torch, ours) if torch else {}
    folded = {YARDSTICK: fold(ours), TWO_STREAMS: fold(TwoStreamModel(genotype.load(TWO_STREAMS)))}
    forward = {name: forward_pass(model) for name, model in folded.items()}
    rows = []
    with process_with_threads(1, _forward_of_batch, TWO_STREAMS) as side_by_side:
        for batch_size in batch_sizes:
            clips = {name: random_batch(model.space, batch_size)[0] for name, model in folded.items()}
            actions: dict[str, Callable] = {
                name: lambda call=call, given=clips[name]: call(given).numpy() for name, call in forward.items()
            }
            actions[SIDE_BY_SIDE] = lambda batch_size=batch_size: side_by_side(batch_size)
            for layout, model in theirs.items():
                given = pytorch.clips_as(torch, clips[YARDSTICK].numpy(), layout)
                actions[f"PyTorch {layout}"] = lambda model=model, given=given: _without_gradient(torch, model, given)
                _expect_same(actions[YARDSTICK](), actions[f"PyTorch {layout}"](), layout)
            rows.append(_row(batch_size, actions, repeats))
    return rows


def training(batch_size: int, repeats: int, torch=None) -> list[dict]:
    """Clips per second of one step of SGD with momentum, as `inference` has them."""
    ours = TwoStreamModel(genotype.load(YARDSTICK))
    theirs = _same_in_pytorch(torch, ours) if torch else {}
    clips, labels = random_batch(ours.space, batch_size)
    step = training_step(ours)
    actions: dict[str, Callable] = {YARDSTICK: lambda: float(step(clips, labels))}
    for layout, model in theirs.items():
        given = pytorch.clips_as(torch, clips.numpy(), layout)
        actions[f"PyTorch {layout}"] = pytorch.training_step(
            torch, model.train(), given, torch.from_numpy(labels.numpy())
        )
    return [_row(batch_size, actions, repeats)]


def ratios(repeats: int) -> dict[str, float]:
    """What should not fall from one version to the next, whatever the machine: higher is better."""
    found = inference([4], repeats)[0]
    rate = roofline.matrix_rate(repeats)
    gmacs = {name: complexity(genotype.load(name)).gmacs for name in (YARDSTICK, TWO_STREAMS)}
    trained = training(4, repeats)[0]
    layers = depthwise.measure(repeats)
    return {
        f"inference: {YARDSTICK}, share of the rate of matrix products": found[YARDSTICK] * gmacs[YARDSTICK] / rate,
        **{
            f"inference: {name} / {YARDSTICK}, clips": 1 / found[f"{YARDSTICK} / {name}"]
            for name in (TWO_STREAMS, SIDE_BY_SIDE)
        },
        # A gradient by features and one by weights are as many products as the forward pass, each.
        f"training: {YARDSTICK}, share of that rate": 3 * trained[YARDSTICK] * gmacs[YARDSTICK] / rate,
        **{
            f"depthwise, {kind}: taps by autodiff / ours": statistics.geometric_mean(
                row[f"{kind} taps / ours"] for row in layers
            )
            for kind in ("forward", "both")
        },
    }


def check(path: str, found: Mapping[str, float]) -> list[dict]:
    """The ratios of now beside those that a file has stored.

    Returns:
      For each: ``ratio`` (its name), ``stored``, ``found``, and ``says``: "fell" below 0.8 of what was stored, "rose"
      above 1 / 0.8 of it, "as before", or "new".

    Raises:
      UserError: the file is missing or has no table of ratios.
    """
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)["ratios"]
            stored = {name: float(value) for name, value in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"--check: expected a file that `bin/benchmark.py model --check` has written, found {error} in '{path}'"
        ) from error
    rows = [
        {"ratio": name, "stored": stored.get(name), "found": value, "says": _verdict(stored.get(name), value)}
        for name, value in found.items()
    ]
    gone = [name for name in stored if name not in found]
    return rows + [{"ratio": name, "stored": stored[name], "found": None, "says": "gone"} for name in gone]


def _verdict(stored: float | None, found: float) -> str:
    if stored is None:
        return "new"
    return "fell" if found < FELL * stored else "rose" if found > stored / FELL else "as before"


def _forward_of_batch(name: str) -> Callable[[int], np.ndarray]:
    """The folded model's forward pass, as a function of the number of clips."""
    model = fold(TwoStreamModel(genotype.load(name)))
    forward, clips = forward_pass(model), functools.cache(lambda batch_size: random_batch(model.space, batch_size)[0])
    return lambda batch_size: forward(clips(batch_size)).numpy()


def _row(batch_size: int, actions: Mapping[str, Callable], repeats: int) -> dict:
    seconds = interleaved_seconds(actions, repeats, _PAUSE)
    return {
        "batch_size": batch_size,
        **{name: batch_size / statistics.median(found) for name, found in seconds.items()},
        "spread": spread(seconds[YARDSTICK]),
        **{
            f"{YARDSTICK} / {name}": median_ratio(found, seconds[YARDSTICK])
            for name, found in seconds.items()
            if name != YARDSTICK
        },
    }


def _same_in_pytorch(torch, ours: TwoStreamModel) -> dict:
    """PyTorchVideo's model in each layout, its weights in ``ours`` too."""
    theirs = pytorch.x3d_of(torch, ours.space).eval()
    pytorch.copy_weights(ours, theirs)
    return {layout: pytorch.in_layout(torch, copy.deepcopy(theirs), layout) for layout in pytorch.LAYOUTS}


def _without_gradient(torch, model, clips) -> np.ndarray:
    with torch.no_grad():
        return model(clips).numpy()


def _expect_same(ours: np.ndarray, theirs: np.ndarray, layout: str) -> None:
    distance = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not distance < LOGIT_TOLERANCE:
        raise UserError(f"PyTorch {layout}: expected logits within {LOGIT_TOLERANCE} of ours, found {distance:.2g}")
