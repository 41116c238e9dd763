"""What searching costs: a sampled architecture against its fixed model, memory by K, the first step, and records."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import gin
import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.benchmark.machine import interleaved_seconds, median_ratio, peak_gigabytes
from tsnet_tf.layers.elastic import Execution
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.search.monitor import Monitor
from tsnet_tf.search.task import joint
from tsnet_tf.space.two_stream import Space, choices, pick, values_at
from tsnet_tf.training import tensorboard
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer
from tsnet_tf.training.recorder import Recorder


def price(space: Space, batch_size: int, architectures: np.ndarray, repeats: int, mask: bool) -> list[dict]:
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


def architectures_between(space: Space, count: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    """``count`` random architectures of ``low`` to ``high`` GMACs, int32 ``[count, choices]``.

    Each is drawn with a leaning of its own, towards small or large candidates: uniform draws all cost about the same.
    """
    draw, costs = np.random.default_rng(seed), CostTables(space)
    found = []
    for _ in range(10_000):
        leaning = draw.uniform(0.2, 5.0)
        one = [int(len(c.values) * draw.beta(1.0, leaning)) for c in choices(space)]
        architecture = np.array(one, np.int32)
        if low <= float(costs.of(tf.constant(architecture[None]))[0]) <= high:
            found.append(architecture)
        if len(found) == count:
            return np.stack(found)
    raise ValueError(f"expected {count} architectures of {low} to {high} GMACs, found {len(found)} in 10000 draws")


def largest_drawn(space: Space, count: int, seed: int = 0) -> np.ndarray:
    """The most expensive of ``count`` architectures as a search draws them at its start, int32 ``[choices]``."""
    distribution = ArchitectureDistribution(space)
    drawn = distribution.sample(tf.zeros(distribution.shape), count, tf.constant([seed, 0]))
    return drawn[tf.argmax(CostTables(space).of(drawn))].numpy()


def gradients_of(model: TwoStreamModel, clips: tf.Tensor, labels: tf.Tensor) -> Callable:
    """A compiled function of an architecture (None for a fixed model) that computes the loss and all gradients."""
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function(reduce_retracing=True)
    def step(architecture):
        with tf.GradientTape() as tape:
            logits = model(clips, architecture, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        # A result that needs every gradient: TensorFlow does not compute what is only waited for.
        return tf.add_n([loss, *(tf.reduce_sum(gradient) for gradient in gradients)])

    return step


def random_batch(space: Space, batch_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 256, (batch_size, space.frames, space.resolution, space.resolution, 3), np.uint8)
    return tf.constant(clips), tf.constant(draw.integers(0, space.classes, batch_size))


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


def search_model(
    space: Space, samples: int, execution: Execution = "slice", architecture: Sequence[int] | None = None
) -> SearchModel:
    """A compiled search; of ``architecture`` alone, if one is given (candidate indices), else of uniform draws."""
    return search_model_of(TwoStreamModel(space, execution=execution), samples, architecture)


def search_model_of(network: TwoStreamModel, samples: int, architecture: Sequence[int] | None = None) -> SearchModel:
    """`search_model` of a supernet that is there."""
    # Without a budget, so that the one architecture may cost anything.
    model = SearchModel(network, target=1.0, samples=samples, alpha_optimizer=alpha_optimizer(), cost_term="hinge")
    model.compile(weight_optimizer(100))
    if architecture is not None:
        model.alpha.assign(1e3 * tf.one_hot(architecture, model.distribution.shape[1]))
    return model


def forward_pass(model: TwoStreamModel) -> Callable[[tf.Tensor], tf.Tensor]:
    """A compiled function of clips to logits, outside training."""
    return tf.function(lambda clips: model(clips, training=False), autograph=False)


def training_step(model: TwoStreamModel) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A compiled function of clips and labels that takes a step of `weight_optimizer` and gives the loss."""
    return training_step_and_optimizer(model)[0]


def training_step_and_optimizer(model: TwoStreamModel) -> tuple[Callable, keras.optimizers.Optimizer]:
    """`training_step`, and its optimizer."""
    optimizer = weight_optimizer(100)
    optimizer.build(model.trainable_variables)

    def step(clips, labels):
        with tf.GradientTape() as tape:
            logits = model(clips, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]), model.trainable_variables)
        return loss

    return tf.function(step, autograph=False), optimizer


def logging(space: Space, batch_size: int, steps: int, report_every: int, repeats: int) -> dict:
    """The same search with and without everything that it records, from its first step to its last; settings by gin.

    Args:
      space: a space with open choices.
      batch_size: clips for the weights, and as many for alpha.
      steps: length of the search.
      report_every: steps between two records.
      repeats: searches of each kind, interleaved.

    Returns:
      Median seconds of a search ``without`` and ``with`` records; the median of the ratios less 1, ``share``; the same
      for seconds of processor time, ``processor_share``; and ``inside``, the seconds that went by while recording over
      the other seconds of the same searches, where whatever else the machine does counts on both sides.
    """
    target = float(np.median(CostTables(space).of(tf.constant(_uniform_draws(space, 64)))))
    model = joint(TwoStreamModel(space), target=target, alpha_optimizer=alpha_optimizer())
    model.compile(weight_optimizer(steps))
    batch = random_batch(space, batch_size)
    step = tf.function(model.train_step, autograph=False)
    start = float(model.multiplier)
    recording, others = 0.0, 0.0

    def search(record: Callable[[int], object]) -> None:
        # Every search draws the same architectures: those are numbered by the optimizer's steps.
        model.optimizer.iterations.assign(0)
        model.alpha.assign(tf.zeros_like(model.alpha))
        model.multiplier.assign(start)
        for number in range(1, steps + 1):
            float(step((batch, batch))["loss"])
            if number % report_every == 0:
                record(number)

    def recorded(folder: str) -> None:
        nonlocal recording, others
        begun, spent = time.perf_counter(), 0.0
        labels = [f"class {index}" for index in range(space.classes)]
        tensorboard.write_start(folder, gin.operative_config_str(), batch, labels, space.sparse.frames)
        watched = Monitor(model, seed=0)
        recorder = Recorder(
            folder,
            "search",
            measure=watched.measure,
            arrays=watched.arrays,
            pictures=watched.pictures,
            shown=watched.shown,
        )
        spent += time.perf_counter() - begun

        def record(number: int) -> None:
            nonlocal spent
            started = time.perf_counter()
            metrics = {name: float(value) for name, value in model.get_metrics_result().items()}
            recorder.record(number, metrics, clips=report_every * batch_size, last=number == steps)
            spent += time.perf_counter() - started

        search(record)
        recorder.close()
        recording, others = recording + spent, others + time.perf_counter() - begun - spent

    step((batch, batch))  # traces
    seconds: dict[str, list] = {"without": [], "with": []}
    for _ in range(repeats):
        for name, action in (("without", lambda folder: search(lambda number: None)), ("with", recorded)):
            with tempfile.TemporaryDirectory() as folder:
                wall, processor = time.perf_counter(), time.process_time()
                action(folder)
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    (without, processor_without), (with_, processor_with) = (np.array(found).T for found in seconds.values())
    return {
        "without": float(np.median(without)),
        "with": float(np.median(with_)),
        "share": median_ratio(with_, without) - 1.0,
        "processor_share": median_ratio(processor_with, processor_without) - 1.0,
        "inside": recording / others,
    }


def _uniform_draws(space: Space, count: int) -> np.ndarray:
    """Architectures, every candidate equally probable: int32 ``[count, choices]``."""
    draw = np.random.default_rng(0)
    return np.stack([draw.integers(0, len(c.values), count) for c in choices(space)], 1).astype(np.int32)
