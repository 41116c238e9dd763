"""X3D's weights out of checkpoints made by hand; with the `bench` extra, out of PyTorchVideo's own."""

import dataclasses
import io
import json

import gin
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf import settings
from tsnet_tf.benchmark import machine, pytorch
from tsnet_tf.errors import UserError
from tsnet_tf.models.inheritance import named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.pretrained import clips, torch_file, x3d
from tsnet_tf.pretrained.import_weights import class_names, import_weights
from tsnet_tf.space import genotype
from tsnet_tf.training import run_folder

CLASSES = 5


@pytest.fixture(autouse=True)
def published(request):
    """Settings as bin/import_weights.py has them."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") or "x3d_xs"
    settings.apply(settings.read([], under=clips.settings_of(name)))
    yield
    gin.clear_config()


def made(name):
    return TwoStreamModel(dataclasses.replace(genotype.load(name), classes=CLASSES))


@pytest.fixture(scope="module")
def small(filled):
    return filled(made("x3d_xs"))


@pytest.mark.parametrize(
    "name, sequence, slowfast, prefix",
    [
        ("x3d_xs", False, False, ""),
        ("x3d_xs", True, True, "module."),
        pytest.param("x3d_s", True, False, "module.model.", marks=pytest.mark.slow),
        pytest.param("x3d_m", False, True, "", marks=pytest.mark.slow),
        pytest.param("x3d_l", False, False, "module.", marks=pytest.mark.slow),
        pytest.param("x3d_l", True, True, "", marks=pytest.mark.slow),
    ],
)
def test_an_imported_run_has_the_weights_and_the_logits(
    opcodes, filled, state_of, as_slowfast, tmp_path, name, sequence, slowfast, prefix
):
    model = filled(made(name))
    state = state_of(model)
    if slowfast:
        state = as_slowfast(state)
        norm = model.groups[0][0].blocks[0].shortcut_norm
        for weight, value in zip(
            (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance), (1.5, 0.5, 0.25, 0.75), strict=True
        ):
            weight.assign(np.full(24, value))
    state = {prefix + key: value for key, value in state.items()}
    around = lambda value: opcodes.dictionary({"epoch": opcodes.whole(1), "model_state": value})  # noqa: E731
    (tmp_path / "x3d.pyth").write_bytes(opcodes.written(state, sequence, around=around))

    summary = import_weights(checkpoint=str(tmp_path / "x3d.pyth"), genotype=name, workdir=str(tmp_path / "run"))
    loaded, space, labels = run_folder.load_trained(str(tmp_path / "run"))
    assert summary["genotype"] == space.name == name and labels == ["0", "1", "2", "3", "4"]
    expected = named_weights(model)
    for path, weight in named_weights(loaded).items():
        np.testing.assert_array_equal(np.array(weight), np.array(expected[path]), err_msg=path)
    pixels = np.random.default_rng(0).integers(0, 256, (1, space.frames, 32, 32, 3), np.uint8)
    logits = model(tf.constant(pixels))
    assert np.ptp(logits) > 0.01
    np.testing.assert_array_equal(loaded(tf.constant(pixels)), logits)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_precisions_become_float32(small, state_of, dtype):
    state = {key: value.astype(dtype) if value.dtype.kind == "f" else value for key, value in state_of(small).items()}
    model = made("x3d_xs")
    x3d.assign(model, state)
    for path, weight in named_weights(model).items():
        if "shortcut_norm" not in path:
            expected = np.array(named_weights(small)[path]).astype(dtype).astype(np.float32)
            np.testing.assert_array_equal(np.array(weight), expected, err_msg=path)


FIRST, BIAS = "blocks.1.res_blocks.0.branch2.conv_a.weight", "blocks.5.proj.bias"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop(FIRST), f"found 1 that do not fit: '{FIRST}': expected (54, 24, 1, 1, 1), found none"),
        (
            lambda s: s.update({FIRST: np.zeros((54, 24, 3, 1, 1), np.float32)}),
            f"'{FIRST}': expected (54, 24, 1, 1, 1), found (54, 24, 3, 1, 1)",
        ),
        (lambda s: s.update({FIRST: np.zeros((54, 24, 1, 1, 1), int)}), "expected floating-point numbers, found int64"),
        (
            lambda s: s.update({FIRST: np.full((54, 24, 1, 1, 1), np.nan)}),
            f"'{FIRST}': expected finite numbers, found others",
        ),
        (
            lambda s: s.update({"head.lin_5_bn.weight": np.zeros(2048)}),
            "'head.lin_5_bn.weight': expected none, found (2048,)",
        ),
        (
            lambda s: s.pop("blocks.1.res_blocks.0.branch1_conv.weight"),
            "branch1_conv.weight': expected (24, 24, 1, 1, 1)",
        ),
        (lambda s: s.pop("blocks.2.res_blocks.0.branch1_norm.bias"), "branch1_norm.bias': expected (48,), found none"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_taken(small, state_of, change, message):
    state, model = state_of(small), made("x3d_xs")
    before = {path: np.array(weight) for path, weight in named_weights(model).items()}
    change(state)
    with pytest.raises(UserError) as error:
        x3d.assign(model, state)
    assert message in str(error.value)
    for path, weight in named_weights(model).items():
        np.testing.assert_array_equal(np.array(weight), before[path])


def test_another_size_is_named(small, state_of):
    with pytest.raises(UserError, match=r"expected the weights of x3d_l, found \d+ that do not fit: .*; and \d+ more$"):
        x3d.assign(made("x3d_l"), state_of(small))


@pytest.mark.parametrize("bias", [None, np.zeros((5, 1)), np.zeros(0)])
def test_classes_are_those_of_the_classifier(small, state_of, bias):
    state = state_of(small)
    assert x3d.classes_in(state) == CLASSES
    state.pop(BIAS)
    with pytest.raises(UserError, match=rf"expected '{BIAS}' of the shape \(classes,\), found"):
        x3d.classes_in(state if bias is None else {**state, BIAS: bias})


def test_another_model_is_told():
    with pytest.raises(
        UserError, match="expected the weights of an X3D, found none that is called blocks.0.conv.conv_t"
    ):
        x3d.classes_in({"conv1.weight": np.zeros(3)})


NAMES = ["abseiling", "playing cards", "zumba"]


@pytest.mark.parametrize(
    "text",
    [
        "abseiling\nplaying cards\nzumba\n",
        json.dumps(NAMES),
        json.dumps({"zumba": 2, '"playing cards"': 1, "abseiling": 0}),  # Kinetics' kinetics_classnames.json
    ],
)
def test_names_of_classes(tmp_path, text):
    (tmp_path / "names").write_text(text)
    assert class_names(str(tmp_path / "names"), 3) == NAMES
    with pytest.raises(
        UserError, match="--labels: expected different names for the checkpoint's 4 classes in .*, found 3"
    ):
        class_names(str(tmp_path / "names"), 4)


@pytest.mark.parametrize(
    "name, clip", [("x3d_xs", (4, 12, 160)), ("x3d_s", (13, 6, 160)), ("x3d_m", (16, 5, 224)), ("x3d_l", (16, 5, 312))]
)
def test_clips_are_those_of_the_training(name, clip):
    from tsnet_tf.data.video_dataset import VideoDataset

    dataset = VideoDataset()
    assert (dataset.dense_frames, dataset.dense_stride, dataset.crop) == clip
    assert dataset.sparse_frames == dataset.dense_frames and dataset.test_short_side == dataset.train_jitter[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", clips.PUBLISHED)
def test_logits_are_those_of_pytorchvideo(tmp_path, name):
    """Its own model, its own files in both formats."""
    pytest.importorskip("torch")
    pytest.importorskip("pytorchvideo")
    torch, space = pytorch.load(machine.THREADS), genotype.load(name)
    theirs = pytorch.x3d_of(torch, space).eval()
    pixels = np.random.default_rng(0).integers(
        0, 256, (1, space.frames, space.resolution, space.resolution, 3), np.uint8
    )
    with torch.no_grad():
        expected = theirs(pytorch.clips_as(torch, pixels, "default")).numpy()
    for in_zip in (True, False):
        file = io.BytesIO()
        torch.save({"model_state": theirs.state_dict()}, file, _use_new_zipfile_serialization=in_zip)
        ours = TwoStreamModel(space)
        x3d.assign(ours, torch_file.weights(file.getvalue(), name))
        np.testing.assert_allclose(ours(tf.constant(pixels)), expected, rtol=0, atol=1e-4)
