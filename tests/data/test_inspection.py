import json
import os

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import inspection, prepare, schema
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.report import data_pictures


@pytest.fixture
def prepared(tmp_path, write_video):
    """Five prepared videos of 10 to 14 frames in two classes, and two rejects."""
    annotations = [Annotation("missing.mp4", "run", "test"), Annotation("gone.mp4", "walk", "train")]
    for number in range(5):
        write_video(tmp_path / "videos" / f"{number}.mp4", frames=10 + number, rate=25 if number else 50)
        label, split = ("walk" if number % 2 else "run"), ("train" if number < 4 else "test")
        annotations.append(Annotation(f"{number}.mp4", label, split))
    options = prepare.Options(str(tmp_path / "videos"), short_side=24)
    prepare.prepare(annotations, str(tmp_path / "data"), options)
    return VideoDataset(
        str(tmp_path / "data"), dense_frames=8, dense_stride=1, sparse_frames=2, crop=16, train_jitter=(20, 24),
        test_short_side=20,
    )  # fmt: skip


def test_the_summary_counts_and_measures(prepared):
    found = inspection.summarize(prepared, records=1000)
    assert found.labels == ["run", "walk"]
    assert found.videos == {"train": [2, 2], "test": [1, 0]} and found.rejected == [1, 1]
    assert sorted(found.frames) == [10, 11, 12, 13, 14] and sorted(found.frame_rates) == [25, 25, 25, 25, 50]
    assert len(inspection.summarize(prepared, records=3).frames) == 3


def test_clips_are_those_of_training_with_their_labels(prepared):
    clips = inspection.random_clips(prepared, "train", 8, seed=0)
    assert len(clips) == 4 and sorted(label for label, _ in clips) == ["run", "run", "walk", "walk"]
    assert all(clip.shape == (8, 16, 16, 3) for _, clip in clips)


def test_sound_records_have_no_fault(prepared):
    assert list(inspection.verify(prepared)) == []


def test_every_fault_is_told(prepared):
    [(first, _)], [(second, _)] = prepared.shards(["train"]), prepared.shards(["test"])
    records = [record.numpy() for record in tf.data.TFRecordDataset(first)]
    example = tf.train.SequenceExample.FromString(records[1])
    example.feature_lists.feature_list[schema.IMAGE].feature[3].bytes_list.value[0] = b"GIF"
    with tf.io.TFRecordWriter(first) as writer:
        for record in (records[0], example.SerializeToString(), *records[2:]):
            writer.write(record)
    with open(second, "r+b") as file:
        file.truncate(os.path.getsize(second) - 10)
    faults = list(inspection.verify(prepared))
    assert [fault.split(": ")[1][:22] for fault in faults] == [
        "expected the SHA-256 " + faults[0].split("SHA-256 ")[1][0],
        "found frame 3 that is ",
        "expected the SHA-256 " + faults[2].split("SHA-256 ")[1][0],
        "found the file torn th",
        "expected 1 record, fou",
    ]
    assert faults[1].startswith(f"record 1 of '{first}'") and faults[3].startswith(f"record 0 of '{second}'")


@pytest.mark.parametrize("classes", [3, 400])
def test_pictures_are_drawn_for_few_and_for_many_classes(tmp_path, classes):
    draw = np.random.default_rng(0)
    labels = [f"class {number}" for number in range(classes)]
    videos = {split: draw.integers(0, 90, classes).tolist() for split in ("train", "validation")}
    written = data_pictures.draw_counts(labels, videos, [1] * classes, str(tmp_path / "classes"))
    clip = draw.integers(0, 256, (5, 8, 8, 3), np.uint8)  # an odd number of frames
    written += data_pictures.draw_clips([("a", clip), ("b", clip)], 1, str(tmp_path / "clips"))
    written += data_pictures.draw_lengths(np.array([80] * 9), np.array([30.0] * 9), 64, str(tmp_path / "lengths"))
    assert [os.path.basename(path) for path in written] == [
        "classes.png", "classes.svg", "clips.png", "clips.svg", "lengths.png", "lengths.svg",
    ]  # fmt: skip
    assert all(os.path.getsize(path) > 1000 for path in written)


def test_the_binary_draws_beside_the_records_and_verifies_them(programs, prepared, tmp_path):
    records = sorted(os.listdir(prepared.directory))

    def run(*arguments, code=0):
        return programs.run("inspect_data.py", prepared.directory, *arguments, code=code, cwd=tmp_path)

    run("--gin_bindings=VideoDataset.crop = 32", "--gin_bindings=VideoDataset.train_jitter = (32, 32)",
        "--gin_bindings=VideoDataset.test_short_side = 32", "--clips=2")  # fmt: skip
    assert {"classes.png", "lengths.png", "clips.png"} <= set(os.listdir(tmp_path / "runs" / "inspection" / "data"))
    assert sorted(os.listdir(prepared.directory)) == records
    manifest = json.loads(open(f"{prepared.directory}/manifest.json").read())
    manifest["splits"]["train"]["sha256_per_shard"][0] = "0" * 64
    with open(f"{prepared.directory}/manifest.json", "w") as file:
        json.dump(manifest, file)
    done = run("--verify", code=2)
    assert done.stderr.splitlines()[-1] == (
        f"error: expected sound records in '{prepared.directory}', found 1 faults (see above)"
    )
