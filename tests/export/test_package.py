"""A real two-stream model in all its exported forms says what the evaluation says."""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import clips, schema
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.evaluate import evaluation, predict_videos, probabilities_of, recorded
from tsnet_tf.export import formats, lite
from tsnet_tf.export.package import package
from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.models.folding import fold
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import pick, variables

pytestmark = pytest.mark.slow  # traces and converts a model several times

LABELS = ["a", "b", "c"]
CLIPS, FRAMES, CROP = 20, 8, 24


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, write_records):
    """20 videos of coloured blocks, larger than they are tested at, so that they are resized."""
    draw = np.random.default_rng(0)

    def video():
        blocks = draw.integers(0, 256, (16 + draw.integers(8), 4, 6, 3), np.uint8)
        return blocks.repeat(10, axis=1).repeat(10, axis=2)

    videos = [(f"{i}.mp4", i % 3, video()) for i in range(CLIPS)]
    return write_records(tmp_path_factory.mktemp("records"), videos, labels=LABELS)


@pytest.fixture(scope="module")
def model():
    """Both streams, a fusion of each kind, attention; weights that hide nothing."""
    space = table1(
        sparse_frames=2,
        dense_frames=FRAMES,
        sparse_width=0.25,
        depths=((1,), (1,), (1,)),
        resolution=CROP,
        hidden=16,
        classes=len(LABELS),
        glore_ratio=0.5,
    )
    fusions = iter(["time_to_channel", "time_strided_sampling", "time_strided_conv"])
    chosen = {}
    for variable in variables(space):
        is_place = variable.kind == "fusion" and len(variable.values) > 1
        chosen[variable.label] = next(fusions) if is_place else variable.values[-1]
    keras.utils.set_random_seed(0)
    model = TwoStreamModel(pick(space, chosen))
    draw = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if weight.name == "gamma":
            weight.assign(draw.uniform(0.5, 1.5, weight.shape))
        elif not np.any(weight):
            weight.assign(draw.normal(0.0, 0.2, weight.shape))
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, BatchNorm)]
    for norm in norms:
        norm.momentum = 0.0
    blocks = draw.integers(0, 256, (16, FRAMES, 4, 4, 3), np.uint8)
    model(blocks.repeat(CROP // 4, axis=2).repeat(CROP // 4, axis=3), training=True)
    return model


@pytest.fixture(scope="module")
def packaged(model, dataset, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("package") / "saved_model")
    package(model, LABELS, dataset, output, accuracy={"top1": 0.5}, precisions=formats.PRECISIONS, train_split="test")
    return output


@pytest.fixture(scope="module")
def expected(model, dataset):
    """What the evaluation says about the one centre view of every video, ``[20, 3]``."""
    found = predict_videos(probabilities_of(model), model.space, dataset, "test", "1-center", 7).probabilities
    assert len(found) == CLIPS and np.ptp(found, axis=0).min() > 0.1  # it does depend on the clip
    return found


@pytest.fixture(scope="module")
def requests(dataset):
    """The JPEG frames of the centre view of every video, string ``[20, frames]``."""
    rows = []
    for record in tf.data.TFRecordDataset([path for path, _ in dataset.shards(["test"])]):
        encoded, _, _ = schema.parse_video(record)
        start = clips.uniform_starts(tf.size(encoded), dataset.span, 1)
        rows.append(tf.gather(encoded, clips.frame_indices(start, FRAMES, 2, tf.size(encoded))[0]))
    return tf.stack(rows)


@pytest.fixture(scope="module")
def crops(requests, dataset):
    """The clips themselves, uint8 ``[20, frames, crop, crop, 3]``."""
    from tsnet_tf.export.preprocessing import from_jpeg

    return from_jpeg(requests, FRAMES, dataset.test_short_side, dataset.crop).numpy()


def test_signatures_equal_the_evaluation(packaged, requests, expected):
    signatures = tf.saved_model.load(packaged).signatures
    frames = tf.stack([clips.decode_frames(row) for row in requests])
    for answer in (signatures["serving_default"](frames=frames), signatures["jpeg"](encoded_frames=requests)):
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=0, atol=1e-5)
        best = np.argsort(-expected, axis=1)
        assert answer["top_k_labels"].numpy().tolist() == np.array(LABELS, "S")[best].tolist()


@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-3), ("float16", 1e-2), ("int8", 0.2)])
def test_lite_models_agree(packaged, crops, expected, precision, tolerance):
    with open(os.path.join(packaged, "assets.extra", f"{precision}.tflite"), "rb") as file:
        content = file.read()
    found = lite.interpreter(content)(crops)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    stated = json.load(open(os.path.join(packaged, "assets", "metadata.json")))["lite"][precision]
    assert (stated["videos"], stated["views"], stated["bytes"]) == (CLIPS, "1-center", len(content))
    assert stated["top1"] == pytest.approx((found.argmax(axis=1) == np.arange(CLIPS) % 3).mean())


def test_whole_numbers_make_it_smaller(packaged):
    sizes = [os.path.getsize(os.path.join(packaged, "assets.extra", f"{p}.tflite")) for p in formats.PRECISIONS]
    assert sizes == sorted(sizes, reverse=True)


def test_keras_archive_is_the_same_model(packaged, model, crops):
    again = keras.saving.load_model(os.path.join(packaged, "assets.extra", "model.keras"))
    assert again.space == model.space
    np.testing.assert_array_equal(again(crops[:4]), model(crops[:4]))


def test_metadata_says_where_it_comes_from(packaged, model, dataset):
    metadata = json.load(open(os.path.join(packaged, "assets", "metadata.json")))
    assert genotype.loads(json.dumps(metadata["genotype"])) == model.space
    assert metadata["gmacs"] == complexity(model.space, CROP).gmacs
    assert metadata["params_m"] == complexity(model.space, CROP).params_m
    assert metadata["data_set"] == os.path.basename(dataset.directory)
    assert metadata["accuracy"] == {"top1": 0.5}
    assert (metadata["frames"], metadata["frame_stride"], metadata["labels"]) == (FRAMES, 2, LABELS)
    assert metadata["sampling"] == dataclasses.asdict(dataset.frame_sampling)


def test_accuracy_is_that_of_the_evaluation(model, dataset, tmp_path):
    assert recorded(str(tmp_path), LABELS) is None
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    result = evaluation(model, LABELS, dataset, strategy, str(tmp_path), views="1-center")
    accuracy = recorded(str(tmp_path), LABELS)
    assert accuracy.items() <= result.items() and accuracy["views"] == "1-center"
    with pytest.raises(UserError, match="expected the evaluation of the model's 3 classes, found other labels in"):
        recorded(str(tmp_path), ["a", "c", "b"])


def test_what_does_not_fit_together_is_refused(model, dataset, write_records, tmp_path):
    other = write_records(tmp_path / "other", [("x.mp4", 0, np.zeros((16, 30, 30, 3), np.uint8))], labels=["a", "b"])
    output = str(tmp_path / "model")
    with pytest.raises(UserError, match="expected a data set with the model's 3 classes, found 2"):
        package(model, LABELS, other, output, accuracy=None, precisions=["int8"])
    with pytest.raises(UserError, match="the model's classes, 'c' as number 0, found 'a'"):
        package(model, ["c", "b", "a"], dataset, output, accuracy=None)
    with pytest.raises(UserError, match="whose span the model's 8 frames divide, found 10 x 2 source frames"):
        package(model, LABELS, dataclasses.replace(dataset, dense_frames=10), output, accuracy=None)
    assert os.listdir(tmp_path) == ["other"]


def test_nothing_but_weights_is_saved(packaged, model):
    """The state that dropout draws from is another one in every process."""
    saved = tf.train.load_checkpoint(os.path.join(packaged, "variables", "variables")).get_variable_to_dtype_map()
    dtypes = [dtype for name, dtype in saved.items() if name.startswith("model_variables")]
    assert dtypes == [tf.float32] * len(fold(model).weights)
