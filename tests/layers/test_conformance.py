"""Every layer is listed once and put through everything that a layer must stand: see the tests' names."""

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tsnet_tf.layers
from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.layers.elastic import ElasticLayer
from tsnet_tf.layers.fusion import FusionOperation, TSFusion
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.squeeze_excite import SqueezeExcite

BATCH, FRAMES, RATIO, SIDE = 4, 8, 4, 6
ROWS = BATCH * FRAMES
FUSIONS = {"time_to_channel": False, "time_strided_sampling": False, "time_strided_conv": True}
FUSION = {"frames": FRAMES, "ratio": RATIO, "dense_channels": 4, "sparse_channels": 6}
BLOCK = {"expanded_channels": 8, "se_channels": 4, "temporal_kernel": 3, "spatial_kernel": 5}

# Constructor settings, shapes of the inputs, sampled sizes, shape of the output. Rows are frames x batch.
LAYERS = {
    Pointwise: (
        {"in_channels": 4, "out_channels": 6, "stride": 2, "use_bias": True},
        [(ROWS, SIDE, SIDE, 4)],
        {"in_channels": 4, "channels": 6},
        (ROWS, 3, 3, 6),
    ),
    BatchNorm: ({"channels": 4, "epsilon": 1e-4, "momentum": 0.8}, [(ROWS, 3, 3, 4)], {"channels": 4}, (ROWS, 3, 3, 4)),
    DepthwiseConv3D: (
        {"frames": FRAMES, "channels": 4, "temporal_kernel": 5, "spatial_kernel": 3, "stride": 2},
        [(ROWS, SIDE, SIDE, 4)],
        {"channels": 4, "temporal_kernel": 5, "spatial_kernel": 3},
        (ROWS, 3, 3, 4),
    ),
    SqueezeExcite: (
        {"frames": FRAMES, "channels": 4, "se_channels": 8},
        [(ROWS, 3, 3, 4)],
        {"channels": 4, "se_channels": 8},
        (ROWS, 3, 3, 4),
    ),
    MBConv3D: (
        {"frames": FRAMES, "in_channels": 4, "channels": 6, "stride": 2, "branch_gamma": 1.0, **BLOCK},
        [(ROWS, SIDE, SIDE, 4)],
        {"in_channels": 4, "channels": 6, **BLOCK},
        (ROWS, 3, 3, 6),
    ),
    FusionOperation: (
        {"kind": "time_strided_conv", **FUSION},
        [(ROWS, 3, 3, 4)],
        {"dense": 4, "sparse": 6},
        (ROWS // RATIO, 3, 3, 6),
    ),
    TSFusion: (
        {**FUSION, "candidates": tuple(FUSIONS)},
        [(ROWS // RATIO, 3, 3, 6), (ROWS, 3, 3, 4)],
        {"sparse_channels": 6, "dense_channels": 4, "selected": FUSIONS},
        (ROWS // RATIO, 3, 3, 6),
    ),
    GloRe: (
        {"frames": FRAMES, "channels": 4, "nodes": 3},
        [(ROWS, 3, 3, 4)],
        {"channels": 4, "nodes": 3, "on": True},
        (ROWS, 3, 3, 4),
    ),
}
every_layer = pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
both_executions = pytest.mark.parametrize("execution", ["slice", "mask"])


def make(cls, **settings):
    """The layer with weights that hide nothing."""
    layer = cls(**LAYERS[cls][0], name="tested", **settings)
    draw = np.random.default_rng(0)
    for weight in layer.weights:
        noise = draw.uniform(0.5, 1.5, weight.shape) if "variance" in weight.name else draw.normal(size=weight.shape)
        weight.assign(noise.astype(np.float32))
    return layer


def inputs_of(cls, seed=1):
    draw = np.random.default_rng(seed)
    return [draw.normal(size=shape).astype(np.float32) for shape in LAYERS[cls][1]]


def call(layer, inputs, training=False):
    sizes = LAYERS[type(layer)][2]
    knows_training = "training" in inspect.signature(layer.call).parameters
    return layer(*inputs, **sizes, **({"training": training} if knows_training else {}))


def same_up_to(found, expected, tolerance):
    found, expected = (np.asarray(tf.cast(x, tf.float32)) for x in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_every_layer_is_listed():
    found = set()
    for module in pkgutil.iter_modules(tsnet_tf.layers.__path__, "tsnet_tf.layers."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and issubclass(value, keras.layers.Layer) and not name.startswith("_"):
                found.add(value)
    assert found == {*LAYERS, ElasticLayer}


@every_layer
def test_shape(cls):
    assert call(make(cls), inputs_of(cls)).shape == LAYERS[cls][3]


@every_layer
def test_serialization_gives_the_same_layer(cls):
    """The configuration names every argument of the constructor, and a layer made from it gives the same output."""
    layer = make(cls, execution="mask")
    config = keras.saving.serialize_keras_object(layer)
    arguments = [name for name in inspect.signature(cls).parameters if name != "kwargs"]
    settings = layer.get_config()
    for name in arguments:
        default = inspect.signature(cls).parameters[name].default
        assert name in settings or LAYERS[cls][0].get(name, default) == default, name
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is cls and again.get_config() == settings
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(call(again, inputs_of(cls)), call(layer, inputs_of(cls)))


def model_of(cls):
    inputs = [keras.Input(shape=shape[1:], batch_size=shape[0]) for shape in LAYERS[cls][1]]
    return keras.Model(inputs, call(make(cls), inputs))


@every_layer
def test_save_and_load(cls, tmp_path):
    model, inputs = model_of(cls), inputs_of(cls)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))


@every_layer
def test_saved_model(cls, tmp_path):
    layer, inputs = make(cls), inputs_of(cls)
    module = tf.Module()
    module.layer = layer
    module.serve = tf.function(lambda *x: call(layer, x), input_signature=[tf.TensorSpec(x.shape) for x in inputs])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    same_up_to(loaded.serve(*map(tf.constant, inputs)), call(layer, inputs), 1e-5)


@pytest.fixture
def mixed_bfloat16():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy("float32")


@every_layer
def test_mixed_bfloat16(cls, mixed_bfloat16):
    """bfloat16 has 8 bits: what comes out agrees to a few percent, and the weights stay float32."""
    layer = make(cls)
    found = call(layer, inputs_of(cls))
    assert found.dtype == tf.bfloat16 and {w.dtype for w in layer.weights} == {"float32"}
    keras.mixed_precision.set_global_policy("float32")
    same_up_to(found, call(make(cls), inputs_of(cls)), 0.05)


@every_layer
@both_executions
def test_xla(cls, execution):
    layer, inputs = make(cls, execution=execution), list(map(tf.constant, inputs_of(cls)))
    compiled = tf.function(lambda *x: call(layer, x), jit_compile=True)
    same_up_to(compiled(*inputs), call(layer, inputs), 1e-4)


@every_layer
@both_executions
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_gradients_are_finite(cls, scale, execution):
    """Also where there is nothing to see (all zeros, no variance) and where numbers are large."""
    layer, inputs = make(cls, execution=execution), [tf.constant(scale * x) for x in inputs_of(cls)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = call(layer, inputs, training=True)
        loss = tf.reduce_mean(tf.sin(y))
    sources = [*inputs, *(weight.value for weight in layer.trainable_weights)]
    gradients = tape.gradient(loss, sources, unconnected_gradients="zero")
    assert all(np.isfinite(g).all() for g in gradients)
    assert scale == 0.0 or any(np.any(g) for g in gradients)


def test_two_replicas(programs):
    """In a process of its own (this file as a program): devices are set up once."""
    assert programs.run(__file__).stdout.split() == [cls.__name__ for cls in LAYERS]


def two_replicas():
    """Each replica takes half of the clips; outputs and summed gradients are those of one device."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for cls in LAYERS:
        alone, inputs = make(cls), inputs_of(cls)

        def step(layer, inputs):
            with tf.GradientTape() as tape:
                y = call(layer, inputs)
                loss = tf.reduce_sum(tf.sin(y))
            weights = [weight.value for weight in layer.trainable_weights]
            return y, tape.gradient(loss, weights, unconnected_gradients="zero")

        expected, expected_gradients = step(alone, inputs)
        with strategy.scope():
            shared = make(cls)
        # Rows are frames x batch: half of the clips of every frame.
        halves = [
            [x.reshape(-1, BATCH, *x.shape[1:])[:, part].reshape(-1, *x.shape[1:]) for x in inputs]
            for part in (slice(0, BATCH // 2), slice(BATCH // 2, BATCH))
        ]
        values = strategy.experimental_distribute_values_from_function(
            lambda context, halves=halves: tuple(tf.constant(x) for x in halves[context.replica_id_in_sync_group])
        )
        y, gradients = strategy.run(tf.function(lambda x, layer=shared: step(layer, x)), args=(values,))
        parts = [np.asarray(part) for part in strategy.experimental_local_results(y)]
        joined = np.concatenate([p.reshape(-1, BATCH // 2, *p.shape[1:]) for p in parts], 1)
        same_up_to(joined.reshape(expected.shape), expected, 1e-4)
        for gradient, one in zip(gradients, expected_gradients, strict=True):
            total = sum(np.asarray(g) for g in strategy.experimental_local_results(gradient))
            np.testing.assert_allclose(total, one, rtol=1e-3, atol=1e-3 * max(1.0, np.abs(one).max()))
        print(cls.__name__)


if __name__ == "__main__":
    two_replicas()
