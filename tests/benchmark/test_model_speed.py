"""What the speed benchmark computes from its measurements; the figures themselves are no matter of a test."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.benchmark import depthwise, growth, machine, model_speed, pytorch, roofline
from tsnet_tf.errors import UserError
from tsnet_tf.kernels.depthwise import depthwise_conv3d
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity


def test_check_says_what_fell(tmp_path):
    path = tmp_path / "speed.json"
    stored = {"kept": 1.0, "fallen": 1.0, "risen": 1.0, "left out": 2.0}
    path.write_text(json.dumps({"ratios": stored}))
    rows = model_speed.check(str(path), {"kept": 0.81, "fallen": 0.79, "risen": 1.3, "added": 3.0})
    assert [(row["ratio"], row["says"]) for row in rows] == [
        ("kept", "as before"),
        ("fallen", "fell"),
        ("risen", "rose"),
        ("added", "new"),
        ("left out", "gone"),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ratios": {"a": "b"}}'])
def test_check_refuses_other_files(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UserError, match="--check: expected a file .* found"):
        model_speed.check(str(path), {})


def test_spread_is_half_the_distance_of_the_quartiles():
    assert machine.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((4 - 2) / 2 / 3)
    assert machine.spread([7.0]) == 0.0


def test_exponent_of_a_power():
    assert growth.exponent([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2.0)


def test_growth_varies_one_size():
    space = genotype.load("x3d_s")
    middle = complexity(growth._changed(space, 13, 160, 1.0)).gmacs
    assert middle == complexity(space).gmacs
    assert complexity(growth._changed(space, 26, 160, 1.0)).gmacs == pytest.approx(2 * middle, rel=0.01)
    # Pointwise convolutions, most of it, grow with the square; the head's fully connected layers are small.
    assert 3.5 * middle < complexity(growth._changed(space, 13, 160, 2.0)).gmacs < 4 * middle


def test_what_the_convolution_is_compared_with_is_the_same_convolution():
    draw = np.random.default_rng(0)
    x, kernel = (tf.constant(draw.normal(size=s), tf.float32) for s in ((2, 4, 6, 6, 3), (3, 5, 5, 3)))
    rows = tf.reshape(tf.transpose(x, [1, 0, 2, 3, 4]), [8, 6, 6, 3])
    expected = tf.transpose(tf.reshape(depthwise_conv3d(rows, kernel, 4), [4, 2, 6, 6, 3]), [1, 0, 2, 3, 4])
    np.testing.assert_allclose(depthwise.taps_by_autodiff(x, kernel), expected, atol=1e-5)


@pytest.mark.parametrize("bandwidth", [1e9, 1e-9])
def test_floor_by_hand(monkeypatch, bandwidth):
    # X3D-S at 16 pixels: the second kind of block has 13 frames of 4 x 4, 24 to 24 channels by 54 (2.25 x 24):
    # 208 positions x 24 x 54 x 2 products; 208 x (2 x 24 + 2 x 54 + 3 x 54 + 2 x 24) numbers.
    monkeypatch.setattr(roofline, "matrix_rate", lambda *arguments: 1e-6)  # 1,000 multiply-adds a second
    monkeypatch.setattr(roofline, "bandwidth", lambda repeats: bandwidth)
    monkeypatch.setattr(roofline, "_seconds", lambda *arguments: 1.0)
    row = roofline.blocks(growth._changed(genotype.load("x3d_s"), 13, 16, 1.0), 1, 1)[1]
    assert row["block"].startswith("13 x 4², 24 to 24 by 54")
    products, numbers = 208 * 24 * 54 * 2, 208 * (48 + 108 + 162 + 48)
    seconds = max(products / 1e3, 4 * numbers / (bandwidth * 1e9))
    assert row["floor"] == pytest.approx(1e3 * seconds) and row["ratio"] == pytest.approx(1 / seconds)
    assert row["megabytes"] == pytest.approx(4 * numbers / 1e6)


def test_pytorchs_model_with_the_same_weights_gives_the_same_logits():
    pytest.importorskip("torch")
    pytest.importorskip("pytorchvideo")
    torch = pytorch.load(machine.THREADS)
    ours = TwoStreamModel(genotype.load("x3d_s"))
    theirs = pytorch.x3d_of(torch, ours.space).eval()
    pytorch.copy_weights(ours, theirs)
    clips = np.random.default_rng(0).integers(0, 256, (1, 13, 160, 160, 3), np.uint8)
    with torch.no_grad():
        expected = theirs(pytorch.clips_as(torch, clips, "default")).numpy()
    np.testing.assert_allclose(ours(tf.constant(clips)), expected, rtol=0, atol=1e-3 * np.abs(expected).max())
