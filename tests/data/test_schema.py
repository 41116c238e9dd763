import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import schema

FIELDS = dict(height=4, width=6, frame_rate=25.0, label_index=7, label_text="run", media_id="a/b.mp4")


def test_a_record_has_the_names_and_values_of_the_docstring():
    example = tf.train.SequenceExample.FromString(schema.serialize_video([b"x", b"yz"], **FIELDS))
    context = example.context.feature
    assert sorted(context) == [
        "clip/label/index",
        "clip/label/text",
        "clip/media_id",
        "image/channels",
        "image/format",
        "image/frame_rate",
        "image/height",
        "image/width",
    ]
    assert context["clip/label/index"].int64_list.value == [7]
    assert context["clip/label/text"].bytes_list.value == [b"run"]
    assert (context["image/height"].int64_list.value, context["image/width"].int64_list.value) == ([4], [6])
    assert context["image/frame_rate"].float_list.value == [25.0]
    frames = example.feature_lists.feature_list["image/encoded"].feature
    assert [frame.bytes_list.value[0] for frame in frames] == [b"x", b"yz"]


def test_parsing_returns_frames_label_and_frame_rate():
    frames, label, rate = schema.parse_video(tf.constant(schema.serialize_video([b"x", b"yz"], **FIELDS)))
    assert list(frames.numpy()) == [b"x", b"yz"] and label.numpy() == 7 and label.dtype == tf.int32
    assert rate.numpy() == 25.0


def test_equal_arguments_give_equal_bytes():
    assert len({schema.serialize_video([b"x"], **FIELDS) for _ in range(20)}) == 1


def test_the_model_garden_reads_our_records():
    video_input = pytest.importorskip("official.vision.dataloaders.video_input")
    jpegs = [tf.io.encode_jpeg(np.full([4, 6, 3], 10 * i, np.uint8), quality=100).numpy() for i in range(3)]
    decoded = video_input.Decoder().decode(tf.constant(schema.serialize_video(jpegs, **FIELDS)))
    assert decoded[video_input.LABEL_KEY].numpy().tolist() == [7]
    clip = video_input.process_image(
        decoded[video_input.IMAGE_KEY], is_training=False, num_frames=3, min_resize=4, crop_size=4
    )
    np.testing.assert_allclose(clip[:, 0, 0, 0], [0.0, 10 / 255, 20 / 255], atol=1 / 255)
