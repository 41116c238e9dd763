"""The schedule's values and which weights are pulled towards zero."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.training import fused_optimizers
from tsnet_tf.training.optimizers import alpha_optimizer, weight_optimizer


def test_linear_warm_up_then_half_a_cosine():
    """100 steps, the first 10 of them warm-up to 0.4, then 0.2 (1 + cos(pi x)) over the other 90."""
    rate = weight_optimizer(100, learning_rate=0.4, warmup=0.1)._learning_rate
    expected = {0: 0.0, 5: 0.2, 10: 0.4, 40: 0.3, 55: 0.2, 70: 0.1, 100: 0.0}
    assert {step: pytest.approx(float(rate(step)), abs=1e-6) for step in expected} == expected


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"batch_size": 4}, 0.025),  # 0.4 x 4 / 64
        ({"batch_size": 512}, 3.2),
        ({"batch_size": 64}, 0.4),
        ({}, 0.4),
        ({"batch_size": 4, "rate_is_for": None}, 0.4),
        ({"batch_size": 4, "rate_is_for": 8}, 0.2),
        ({"batch_size": 4, "kind": "adam"}, 0.4),
    ],
)
def test_rate_of_sgd_follows_the_batch(settings, expected):
    optimizer = weight_optimizer(100, learning_rate=0.4, warmup=0.1, **settings)
    assert float(optimizer._learning_rate(10)) == pytest.approx(expected)
    assert optimizer.highest_learning_rate == pytest.approx(expected)


def test_run_of_one_step_has_a_schedule():
    rate = weight_optimizer(1)._learning_rate
    assert np.isfinite([float(rate(step)) for step in range(3)]).all()


def test_settings_of_the_paper():
    optimizer = weight_optimizer(100)
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, optimizer.decay) == (0.9, True, 5e-5)
    alphas = alpha_optimizer()
    assert isinstance(alphas, keras.optimizers.Adam) and alphas.weight_decay is None
    assert float(alphas.learning_rate) == pytest.approx(0.025)


def test_only_kernels_decay():
    """With zero gradients, a first step takes learning rate x decay off the kernels, nine tenths of it a second time by
    Nesterov's momentum; and nothing off the rest."""
    norm = BatchNorm(3, gamma=1.0)
    conv = DepthwiseConv3D(2, 3, 3, 3, execution="slice")
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    variables = [*norm.trainable_weights, *conv.trainable_weights, *dense.trainable_weights]
    for variable in variables:
        variable.assign(tf.ones_like(variable))
    optimizer = weight_optimizer(100, learning_rate=0.4, warmup=0.1, weight_decay=0.1)
    optimizer.build(variables)
    optimizer.iterations.assign(10)  # the top of the schedule: 0.4
    optimizer.apply([tf.zeros_like(v) for v in variables], variables)
    kept = {v.path.rsplit("/", 1)[-1]: np.array(v) for v in variables}
    assert set(kept) == {"gamma", "beta", "depthwise_kernel", "kernel", "bias"}
    for name, value in kept.items():
        expected = 1 - 0.4 * 0.1 * 1.9 if "kernel" in name else 1.0
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=name)


def test_weight_decay_is_that_of_the_anchors():
    """X3D's 5e-5 is an L2 penalty under a momentum of 0.9: of a weight without a gradient 0.819 are left after 2,000
    steps of the paper's schedule (a mean rate of 0.2: exp(-2000 x 0.205 x 5e-5 / (1 - 0.9))); outside of the momentum
    0.980 would be."""
    weight = keras.Variable([1.0], name="kernel")
    optimizer = weight_optimizer(2000)
    optimizer.build([weight])

    @tf.function
    def run(steps):
        for _ in tf.range(steps):
            optimizer.apply([tf.zeros([1])], [weight])

    run(2000)
    assert float(np.array(weight)[0]) == pytest.approx(0.819, abs=0.003)


def test_clipping_is_of_the_global_norm():
    variables = [keras.Variable([0.0]), keras.Variable([0.0])]
    optimizer = weight_optimizer(100, learning_rate=1.0, warmup=0.1, momentum=0.0, weight_decay=0.0, clip_norm=1.0)
    optimizer.build(variables)
    optimizer.iterations.assign(10)
    optimizer.apply([tf.constant([3.0]), tf.constant([4.0])], variables)
    np.testing.assert_allclose([float(np.array(v)[0]) for v in variables], [-0.6, -0.8], rtol=1e-5)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize(
    "name, settings", [("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"momentum": 0.9}), ("Adam", {})]
)
def test_one_kernel_per_weight_gives_what_keras_gives(name, settings, clip_norm):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 20)
    settings = {**settings, "global_clipnorm": clip_norm}
    inside = name == "SGD" and clip_norm is None  # Keras has no L2 penalty: it is added to the gradient by hand
    decay = 0.1 if inside or name == "Adam" else 0.0
    plain = getattr(keras.optimizers, name)(schedule, weight_decay=None if inside else decay or None, **settings)
    fused = getattr(fused_optimizers, name)(schedule, decay=decay, **settings)
    ends = []

    def apply(optimizer, variables, gradients):
        if inside and optimizer is plain:
            gradients = [gradients[0] + decay * tf.cast(variables[0], tf.float32), *gradients[1:]]
        optimizer.apply(gradients, variables)

    for optimizer in (plain, fused):
        random = np.random.default_rng(0)
        variables = [
            keras.Variable(random.normal(size=shape), name=n) for shape, n in (((3, 4), "kernel"), (4, "bias"))
        ]
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        optimizer.build(variables)
        step = tf.function(functools.partial(apply, optimizer, variables))
        for _ in range(10):
            step([tf.constant(random.normal(size=v.shape), tf.float32) for v in variables])
        ends.append([np.array(v) for v in variables])
    for expected, found in zip(*ends, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def optimizer_and_weight(**settings):
    """Plain gradient descent with rate 1 on one weight that starts at 1."""
    weight = keras.Variable([1.0])
    optimizer = fused_optimizers.SGD(1.0, momentum=0.0, **settings)
    optimizer.build([weight])
    return optimizer, weight


def test_average_of_the_weights_by_hand():
    """The weight is 1, then 2, 4, 8; momenta are (1 + t) / (10 + t) up to 1/5: 1/10, 2/11, 1/5.

    1/10 x 1 + 9/10 x 2 = 1.9; 2/11 x 1.9 + 9/11 x 4 = 39.8/11; 1/5 x 39.8/11 + 4/5 x 8 = 391.8/55.
    """
    optimizer, weight = optimizer_and_weight(use_ema=True, ema_momentum=0.2)
    averages = []
    for step in (1.0, 2.0, 4.0):
        optimizer.apply([tf.constant([-step])], [weight])
        averages.append(float(np.array(optimizer._model_variables_moving_average[0])[0]))
    assert float(np.array(weight)[0]) == 8.0
    np.testing.assert_allclose(averages, [1.9, 39.8 / 11, 391.8 / 55], rtol=1e-6)
    optimizer.finalize_variable_values([weight])
    np.testing.assert_allclose(np.array(weight), [391.8 / 55], rtol=1e-6)


def test_average_is_a_setting():
    optimizer = weight_optimizer(100, average=0.999)
    assert optimizer.use_ema and optimizer.ema_momentum == 0.999
    assert not weight_optimizer(100).use_ema


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("in_graph", [True, False])
def test_gradient_that_is_not_finite_changes_nothing_and_is_counted(bad, in_graph):
    weights = [keras.Variable([1.0, 2.0], name="a"), keras.Variable([3.0], name="b")]
    optimizer = fused_optimizers.Adam(0.1, decay=0.1, global_clipnorm=1.0, use_ema=True)
    optimizer.build(weights)
    apply = (tf.function if in_graph else lambda f: f)(lambda *gradients: optimizer.apply(gradients, weights))
    apply(tf.constant([1.0, 1.0]), tf.constant([1.0]))

    def state():
        counters = (optimizer.iterations, optimizer.skipped, optimizer.skipped_at)
        return [np.array(v) for v in (*weights, *optimizer.variables) if not any(v is counter for counter in counters)]

    before = state()
    for _ in range(2):
        apply(tf.constant([1.0, bad]), tf.constant([1.0]))
    for found, expected in zip(state(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (int(optimizer.skipped), int(optimizer.skipped_at), int(optimizer.iterations)) == (2, 2, 3)
    apply(tf.constant([1.0, 1.0]), tf.constant([1.0]))
    assert all((found != expected).any() for found, expected in zip(state()[:2], before[:2], strict=True))


def scaled():
    """A weight and plain gradient descent with a rate of 1, whose losses are scaled."""
    weight = keras.Variable([1.0])
    optimizer = fused_optimizers.SGD(1.0)
    optimizer.scale_losses()
    optimizer.build([weight])
    return optimizer, weight


def test_a_scaled_loss_moves_a_weight_as_the_loss_does():
    """The loss 0.25 w: its gradient comes 32,768 times as large, and 0.25 is taken off."""
    optimizer, weight = scaled()
    with tf.GradientTape() as tape:
        loss = optimizer.scale_loss(0.25 * weight[0])
    assert float(loss) == 0.25 * 32768
    optimizer.apply(tape.gradient(loss, [weight.value]), [weight])
    assert np.array(weight).tolist() == [0.75] and float(optimizer.loss_scale) == 32768


def test_a_gradient_that_is_not_finite_halves_the_scale():
    optimizer, weight = scaled()
    optimizer.apply([tf.constant([np.inf])], [weight])
    assert np.array(weight).tolist() == [1.0] and float(optimizer.loss_scale) == 16384 and int(optimizer.skipped) == 0
    optimizer.loss_scale.assign(1.0)  # nothing is left to halve: the gradient itself is too large
    optimizer.apply([tf.constant([np.inf])], [weight])
    assert float(optimizer.loss_scale) == 1 and int(optimizer.skipped) == 1 and int(optimizer.skipped_at) == 2


def test_the_scale_doubles_after_2000_finite_updates():
    optimizer, weight = scaled()
    optimizer._finite_updates.assign(1998)
    scales = []
    for _ in range(3):
        optimizer.apply([tf.zeros([1])], [weight])
        scales.append(float(optimizer.loss_scale))
    assert scales == [32768, 65536, 65536] and int(optimizer._finite_updates) == 1


def test_losses_are_scaled_for_float16_alone():
    for policy, scales in (("mixed_float16", True), ("mixed_bfloat16", False), ("float32", False)):
        network = keras.Sequential([keras.layers.Dense(1)])
        network.build((None, 1))
        network.dtype_policy = keras.DTypePolicy(policy)
        optimizer = fused_optimizers.Adam(0.1)
        fused_optimizers.build_for(optimizer, network)
        assert (optimizer.loss_scale is not None) == scales
