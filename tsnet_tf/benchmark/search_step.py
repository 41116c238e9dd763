"""What searching costs: a sampled architecture against its fixed model, memory by K, and the first step."""

from __future__ import annotations

import statistics
import time

import numpy as np
import tensorflow as tf

from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio, peak_gigabytes
from tsnet_tf.benchmark.steps import forward_pass, gradients_of, random_batch, search_model, training_step
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.space.two_stream import Space, pick, values_at


def overhead(space: Space, batch_size: int, architectures: np.ndarray, repeats: int, mask: bool) -> list[dict]:
    """Forward and backward of architectures inside the supernet, and of the fixed models of the same genotypes.

    Args:
      space: a space with open choices.
      batch_size: clips per step.
      architectures: candidate indices, int32 ``[count, choices]``.
      repeats: measurements of each, interleaved.
      mask: whether the mask execution is measured too.

    Returns:
      For each architecture: ``gmacs``, median seconds ``slice``, ``fixed`` and perhaps ``mask``, and the median
      ratios ``slice_to_fixed`` and perhaps ``mask_to_slice``.
    """
    clips, labels = random_batch(space, batch_size)
    executions = ("slice", "mask") if mask else ("slice",)
    supernets = {name: gradients_of(TwoStreamModel(space, execution=name), clips, labels) for name in executions}
    gmacs = CostTables(space).of(tf.constant(architectures)).numpy()
    rows = []
    for architecture, cost in zip(architectures, gmacs, strict=True):
        fixed = gradients_of(TwoStreamModel(pick(space, values_at(space, architecture))), clips, labels)
        actions = {name: lambda step=step, a=architecture: step(tf.constant(a)) for name, step in supernets.items()}
        seconds = interleaved_seconds({**actions, "fixed": lambda step=fixed: step(None)}, repeats)
        row = {"gmacs": float(cost), **{name: statistics.median(found) for name, found in seconds.items()}}
        row["slice_to_fixed"] = median_ratio(seconds["slice"], seconds["fixed"])
        if mask:
            row["mask_to_slice"] = median_ratio(seconds["mask"], seconds["slice"])
        rows.append(row)
    return rows


def joint_price(space: Space, batch_size: int, samples: int, architecture: np.ndarray, repeats: int) -> dict:
    """A whole joint step, per sampled architecture, against training the fixed model of that architecture.

    Args:
      space: a space with open choices.
      batch_size: clips for the weights, and as many for alpha.
      samples: K of the joint step; of its mask execution, which takes long, 1.
      architecture: candidate indices of the one that is always drawn, int32 ``[choices]``.
      repeats: measurements of each, interleaved.

    Returns:
      ``gmacs``; median seconds per sample of a step ``joint`` and ``mask``, of the fixed model's training step and
      forward pass, ``training`` and ``forward``; median ratios ``joint_to_fixed``, where fixed is a training step and,
      for the validation pass, a forward pass, and ``mask_to_joint``.
    """
    fixed = TwoStreamModel(pick(space, values_at(space, architecture)))
    clips, labels = random_batch(space, batch_size)
    train = training_step(fixed)
    forward = forward_pass(fixed)
    joint_step_of = {"joint": (samples, "slice"), "mask": (1, "mask")}
    steps = {}
    for name, (count, execution) in joint_step_of.items():
        model = search_model(space, count, execution, architecture)
        steps[name] = tf.function(model.train_step, autograph=False)
    batch = clips, labels
    seconds = interleaved_seconds(
        {
            **{name: lambda step=step: float(step((batch, batch))["loss"]) for name, step in steps.items()},
            "training": lambda: float(train(clips, labels)),
            "forward": lambda: forward(clips).numpy(),
        },
        repeats,
    )
    per_sample = {name: [value / joint_step_of[name][0] for value in seconds[name]] for name in steps}
    whole = [a + b for a, b in zip(seconds["training"], seconds["forward"], strict=True)]
    medians = {name: statistics.median(found) for name, found in {**seconds, **per_sample}.items()}
    return {
        "gmacs": float(CostTables(space).of(tf.constant(architecture[None]))[0]),
        **medians,
        "joint_to_fixed": median_ratio(per_sample["joint"], whole),
        "mask_to_joint": median_ratio(per_sample["mask"], per_sample["joint"]),
    }


def joint_step(
    space: Space, batch_size: int, samples: int, architecture: list[int] | None = None, steps: int = 3
) -> dict:
    """Builds and runs a few joint steps in this process.

    Args:
      space: a space with open choices.
      batch_size: clips for the weights, and as many for alpha.
      samples: K.
      architecture: candidate indices of the one that is always drawn; None for uniform draws.
      steps: how many.

    Returns:
      Seconds to ``build`` the model and to ``trace`` the step, of the ``first_step`` and of a later ``step``, until
      the search is ``ready`` (trace and first step, less one step), and the process's ``peak_gigabytes``.
    """
    started = time.perf_counter()
    model = search_model(space, samples, "slice", architecture)
    built = time.perf_counter()
    batch = random_batch(space, batch_size)
    step = tf.function(model.train_step, autograph=False).get_concrete_function((batch, batch))
    traced = time.perf_counter()
    times = []
    for _ in range(steps):
        begun = time.perf_counter()
        float(step((batch, batch))["loss"])
        times.append(time.perf_counter() - begun)
    later = statistics.median(times[1:] or times)
    return {
        "samples": samples,
        "build": built - started,
        "trace": traced - built,
        "first_step": times[0],
        "step": later,
        "ready": traced - built + times[0] - later,
        "peak_gigabytes": peak_gigabytes(),
    }


def plain_training(space: Space, batch_size: int, architecture: list[int], steps: int) -> dict:
    """Peak memory of training one fixed model in this process, ``peak_gigabytes``."""
    step = training_step(TwoStreamModel(pick(space, values_at(space, architecture))))
    batch = random_batch(space, batch_size)
    for _ in range(steps):
        step(*batch)
    return {"peak_gigabytes": peak_gigabytes()}
