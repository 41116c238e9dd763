"""Parts of videos, folders of pictures and records of other programs: what their frames are, and what is rejected."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import decode, media, prepare, schema
from tsnet_tf.data.annotations import Annotation, check_files
from tsnet_tf.data.frames import open_frames
from tsnet_tf.data.video_file import VideoError
from tsnet_tf.errors import UserError


@pytest.mark.parametrize(
    "path, file, said",
    [
        ("a/b.mp4", "a/b.mp4", {}),
        ("a.mp4#t=10.5,20", "a.mp4", {"t": (10.5, 20.0)}),
        ("a.mp4#frames=0,131", "a.mp4", {"frames": (0.0, 131.0)}),
        ("s3://b/17#fps=12", "s3://b/17", {"fps": (12.0,)}),
        ("17#t=1,2&fps=29.97", "17", {"t": (1.0, 2.0), "fps": (29.97,)}),
        ("train#byte=512", "train", {"byte": (512.0,)}),
        ("take #3.mp4", "take #3.mp4", {}),
        ("take#t=3.mp4", "take#t=3.mp4", {}),
        ("a#b#t=1,2", "a#b", {"t": (1.0, 2.0)}),
    ],
)
def test_a_path_says_its_file_and_what_of_it(path, file, said):
    assert (media.file_of(path), media.fragment(path)) == (file, said)


@pytest.mark.parametrize(
    "path, with_rate",
    [
        ("78687.webm", "78687#fps=12"),
        ("17", "17#fps=12"),
        ("v1.2", "v1.2#fps=12"),
        ("v_a.mp4#t=1,2", "v_a#t=1,2&fps=12"),
        ("train.ts#byte=512", "train.ts#byte=512&fps=12"),
    ],
)
def test_a_folder_of_pictures_is_named_as_the_video(path, with_rate):
    assert media.with_rate(path, 12.0) == with_rate


def levels(source, path, short_side=None, limits=decode.NO_LIMITS):
    """Grey level of each frame, and the frame rate."""
    with open_frames(source, path, short_side=short_side, limits=limits) as video:
        return [round(float(frame.mean())) for frame in video], video.frame_rate


def near(found, expected):
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=3)


@pytest.mark.parametrize(
    "said, frames",
    [
        ("t=0.2,0.4", range(5, 10)),  # at 25 per second
        ("t=0,0.48", range(12)),
        ("t=0.4,0.5", range(10, 12)),  # 12 frames: ends at 0.48
        ("frames=3,7", range(3, 7)),
        ("frames=0,13", range(12)),  # an end that counts one too many
    ],
)
def test_a_part_of_a_video_has_its_frames(tmp_path, write_video, said, frames):
    path = write_video(tmp_path / "a.mp4")
    found, rate = levels(path, f"a.mp4#{said}")
    near(found, [20 + 5 * number for number in frames])
    assert rate == 25


@pytest.mark.parametrize(
    "said, reason",
    [
        ("t=1,2", "has 0 of the 25 frames from frame 25 on"),
        ("t=0.4,2", "has 2 of the 40 frames from frame 10 on"),
        ("frames=0,20", "has 12 of the 20 frames from frame 0 on"),
        ("t=0.4,0.2", "is a part that does not end after its beginning"),
        ("t=0.2,0.2", "is a part that does not end after its beginning"),
        ("frames=7,3", "is a part that does not end after its beginning"),
    ],
)
def test_a_part_that_is_not_there_is_rejected(tmp_path, write_video, said, reason):
    path = write_video(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=reason):
        levels(path, f"a.mp4#{said}")


def jpeg(level, height=36, width=48):
    return tf.io.encode_jpeg(np.full([height, width, 3], level, np.uint8), quality=95).numpy()


def write_pictures(folder, **pictures):
    folder.mkdir(parents=True)
    for name, content in pictures.items():
        (folder / name.replace("__", ".")).write_bytes(content if isinstance(content, bytes) else jpeg(content))
    return str(folder)


def test_a_folder_of_pictures_is_a_video(tmp_path):
    pictures = {f"{number:05d}__jpg": 10 * number for number in range(1, 13)}
    folder = write_pictures(tmp_path / "17", **pictures, notes__txt=b"", flow_x_00001__jpg=0)
    found, rate = levels(folder, "17#fps=12")
    near(found, range(10, 130, 10))
    assert rate == 12
    near(levels(folder, "17#t=0.5,1&fps=12")[0], range(70, 130, 10))
    with open_frames(folder, "17#fps=12", short_side=18, limits=decode.Limits()) as video:
        assert {frame.shape for frame in video} == {(18, 24, 3)}


def test_pictures_may_be_png(tmp_path):
    square = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    folder = write_pictures(tmp_path / "17", **{f"{n}__png": tf.io.encode_png(square + n).numpy() for n in range(3)})
    with open_frames(folder, "17#fps=12", short_side=12, limits=decode.Limits()) as video:
        for number, frame in enumerate(video):
            np.testing.assert_array_equal(frame, square + number)


def test_pictures_are_in_the_order_of_their_numbers(tmp_path):
    folder = write_pictures(tmp_path / "17", **{f"img_{number}__jpg": 5 * number for number in range(8, 12)})
    near(levels(folder, "17#fps=12")[0], [40, 45, 50, 55])


@pytest.mark.parametrize(
    "pictures, reason",
    [
        ({"a__jpg": 1}, "has no pictures with a number"),
        ({"1__jpg": 1, "2__jpg": 1, "4__jpg": 1}, "lacks picture 3 of 1 to 4"),
        ({"1__jpg": 1, "01__jpg": 1}, "has pictures that are named in two ways, 01.jpg and 1.jpg"),
        ({"a_1__jpg": 1, "b_2__jpg": 1}, "has pictures that are named in two ways, a_1.jpg and b_2.jpg"),
        ({"1__jpg": 1, "2__jpg": b"none"}, "has a frame 1 that is no JPEG or PNG"),
        ({"1__png": b"\x89PNG"}, "has a frame 0 that is no JPEG or PNG"),
        ({"1__jpg": jpeg(1)[:-40]}, "has a frame 0 that is no JPEG or PNG"),
        ({"1__jpg": 1, "2__jpg": jpeg(1, 20, 20)}, "changes its size at frame 1"),
    ],
)
def test_a_faulty_folder_of_pictures_is_rejected(tmp_path, pictures, reason):
    folder = write_pictures(tmp_path / "17", **pictures)
    with pytest.raises(VideoError, match=reason):
        levels(folder, "17#fps=12")


@pytest.mark.parametrize(
    "limits, reason",
    [
        (decode.Limits(frames=3), "has more than 3 frames"),
        (decode.Limits(seconds=0.5), "lasts more than 0.5 seconds"),
        (decode.Limits(pixels=100), "has frames of 48 x 36 pixels, more than 100"),
    ],
)
def test_pictures_keep_within_the_limits(tmp_path, limits, reason):
    folder = write_pictures(tmp_path / "17", **{f"{number:05d}__jpg": number for number in range(12)})
    with pytest.raises(VideoError, match=reason):
        levels(folder, "17#fps=12", limits=limits)


def write_record(path, levels_of_frames, label, rate=None):
    example = tf.train.SequenceExample()
    example.context.feature["clip/label/index"].int64_list.value.append(label)
    if rate:
        example.context.feature["image/frame_rate"].float_list.value.append(rate)
    for level in levels_of_frames:
        example.feature_lists.feature_list["image/encoded"].feature.add().bytes_list.value.append(jpeg(level))
    return example.SerializeToString()


def test_a_record_is_a_video(tmp_path):
    first, second = write_record(tmp_path, [10, 20], 0), write_record(tmp_path, [30, 40, 50], 1, rate=15.0)
    path = str(tmp_path / "train.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(first)
        writer.write(second)
    found, rate = levels(path, "train.tfrecord#byte=0&fps=10")
    near(found, [10, 20])
    assert rate == 10
    found, rate = levels(path, f"train.tfrecord#byte={len(first) + 16}&fps=10")
    near(found, [30, 40, 50])
    assert rate == 15
    for byte in (5, 10**6):
        with pytest.raises(VideoError, match=f"has no record at byte {byte}"):
            levels(path, f"train.tfrecord#byte={byte}")


def test_parts_of_one_file_may_have_two_labels_but_not_two_splits():
    def check(*videos):
        check_files([Annotation(*video) for video in videos], lambda path: f"/videos/{media.file_of(path)}")

    check(("a.mp4#t=0,1", "run", "train"), ("a.mp4#t=1,2", "walk", "train"), ("a.mp4", "sit", "train"))
    with pytest.raises(
        UserError, match="'a.mp4#t=0,1' as 'run' in train and the same file, named 'a.mp4#t=1,2', as 'r"
    ):
        check(("a.mp4#t=0,1", "run", "train"), ("a.mp4#t=1,2", "run", "test"))
    with pytest.raises(
        UserError, match="found 'a.mp4#t=0,1' as 'run' in train and the same file, named './a.mp4#t=0,1'"
    ):
        check(("a.mp4#t=0,1", "run", "train"), ("./a.mp4#t=0,1", "walk", "train"))


def test_segments_become_clips(programs, tmp_path, write_video):
    write_video(tmp_path / "videos" / "v_aaa.mp4", frames=50)
    annotations = [
        {"segment": [0, 1], "label": "run"},
        {"segment": [1, 1.6], "label": "walk"},
        {"segment": [7, 9], "label": "run"},
    ]
    net = {"database": {"aaa": {"subset": "training", "annotations": annotations}}}
    (tmp_path / "net.json").write_text(json.dumps(net))
    flags = [f"--annotations={tmp_path}/net.json", f"--videos={tmp_path}/videos", "--short_side=24"]
    programs.run("prepare_data.py", *flags, f"--output={tmp_path}/data")
    train = json.loads((tmp_path / "data" / "manifest.json").read_text())["splits"]["train"]
    assert (train["videos"], train["frames"], train["classes"]) == (2, 25 + 15, {"run": 1, "walk": 1})
    with open(tmp_path / "data" / "rejects.csv") as file:
        [reject] = csv.DictReader(file)
    assert reject["path"] == "v_aaa.mp4#t=7,9" and reject["reason"] == "has 0 of the 50 frames from frame 175 on"


def test_frame_folders_become_records(programs, tmp_path):
    for number in (34870, 9223):
        pictures = {f"{frame:05d}__jpg": 10 * frame for frame in range(1, 13)}
        write_pictures(tmp_path / "20bn-jester-v1" / str(number), **pictures)
    (tmp_path / "train.csv").write_text("34870;Stop Sign\n777;Stop Sign\n")
    (tmp_path / "validation.csv").write_text("9223;Stop Sign\n")
    flags = [f"--annotations={tmp_path}/{split}.csv" for split in ("train", "validation")]
    flags += ["--frame_rate=12", f"--videos={tmp_path}/20bn-jester-v1", "--short_side=24", f"--output={tmp_path}/data"]
    programs.run("prepare_data.py", *flags)
    [record] = tf.data.TFRecordDataset(str(tmp_path / "data" / "train-00000-of-00001.tfrecord"))
    encoded, label, rate = schema.parse_video(record)
    assert (len(encoded), int(label), float(rate)) == (12, 0, 12.0)
    assert schema.name_of(record) == "34870#fps=12"
    with open(tmp_path / "data" / "rejects.csv") as file:
        [reject] = csv.DictReader(file)
    assert (reject["path"], reject["reason"]) == ("777#fps=12", "is missing")


def test_records_of_the_model_garden_become_records(tmp_path, programs):
    utilities = pytest.importorskip("official.vision.dataloaders.tfexample_utils")
    examples = [utilities.make_video_test_example(image_shape=(36, 48, 3), label=label) for label in (2, 0, 1)]
    (tmp_path / "labels.txt").write_text("run\nsit\nwalk\n")
    utilities.dump_to_tfrecord(str(tmp_path / "train-00000-of-00001.tfrecord"), examples)
    flags = [f"--annotations={tmp_path}/train-*.tfrecord", f"--labels={tmp_path}/labels.txt", "--frame_rate=10"]
    programs.run("prepare_data.py", *flags, "--short_side=24", f"--output={tmp_path}/data")
    train = json.loads((tmp_path / "data" / "manifest.json").read_text())["splits"]["train"]
    assert (train["frames"], train["classes"]) == (12, {"run": 1, "sit": 1, "walk": 1})


def test_a_folder_of_pictures_without_a_rate_is_rejected(tmp_path, write_video):
    write_pictures(tmp_path / "videos" / "17", **{"1__jpg": 1})
    write_video(tmp_path / "videos" / "a.mp4")
    annotations = [
        Annotation("17", "run", "train"),
        Annotation("a.mp4#fps=12", "run", "train"),
        Annotation("a.mp4", "run", "train"),
    ]
    prepare.prepare(annotations, str(tmp_path / "data"), prepare.Options(str(tmp_path / "videos"), short_side=24))
    with open(tmp_path / "data" / "rejects.csv") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {"17": "is a folder", "a.mp4#fps=12": "is no folder of pictures"}
