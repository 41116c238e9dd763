"""Video files: one, several, a folder, long and broken ones; with a model that names their colour."""

import dataclasses
import json
import os
from fractions import Fraction

import av
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.data import pipeline
from tsnet_tf.data.decode import read_video
from tsnet_tf.data.demo_videos import write_video
from tsnet_tf.data.sampling import Sampling
from tsnet_tf.errors import NotFinite, UserError
from tsnet_tf.export.predict import Predictor, find_videos, predict_files, show_text
from tsnet_tf.export.saved_model import export

RED, GREEN = [255, 0, 0], [0, 255, 0]


def colours(*parts):
    """Frames of (colour, number of frames), one after the other."""
    return np.concatenate([np.broadcast_to(np.array(c, np.uint8), (n, 32, 48, 3)) for c, n in parts])


@pytest.fixture(scope="module")
def predictor(saved):
    return Predictor(saved)


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "warn", lines.append)
    return lines


def test_a_video_of_one_thing(predictor, tmp_path):
    write_video(str(tmp_path / "red.mp4"), colours((RED, 45)))
    result = predictor.predict(str(tmp_path / "red.mp4"))
    assert result["seconds"] == 1.5  # 45 frames at 30 per second
    assert [row["label"] for row in result["top"]][0] == "red" and len(result["top"]) == 3
    assert sum(row["probability"] for row in result["top"]) == pytest.approx(1)
    [only] = result["timeline"]
    assert (only["start"], only["end"], only["label"]) == (0, 1.5, "red")
    assert only["probability"] == pytest.approx(result["top"][0]["probability"], abs=1e-3)


@pytest.mark.parametrize("overlap, hop", [(0.0, 6), (0.5, 3), (0.67, 2)])
def test_the_timeline_finds_the_change(predictor, tmp_path, overlap, hop):
    """A clip spans 6 frames; the change is found to within one of them."""
    write_video(str(tmp_path / "two.mp4"), colours((RED, 60), (GREEN, 30)))
    told = []
    result = predictor.predict(str(tmp_path / "two.mp4"), overlap, told.append)
    assert result["clips"] == (90 - 6) // hop + 1
    assert sum(told) == 90
    red, green = result["timeline"]
    assert (red["label"], green["label"]) == ("red", "green")
    assert red["start"] == 0 and green["end"] == 3 and red["end"] == green["start"]
    assert red["end"] == pytest.approx(2, abs=6 / 30)


def test_the_timeline_is_in_seconds_also_where_the_frame_rate_changes(predictor, tmp_path):
    """80 red frames in 2.67 s, then 80 green ones in 16 s: 159 steps in 18.47 s, so a hop of 2 frames is 0.23 s."""
    with av.open(str(tmp_path / "two.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for number, picture in enumerate(colours((RED, 80), (GREEN, 80))):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number + 5 * max(0, number - 80), Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = predictor.predict(str(tmp_path / "two.mp4"))
    red, green = result["timeline"]
    assert (red["label"], green["label"]) == ("red", "green")
    assert red["end"] == green["start"] == pytest.approx(80 / 30, abs=0.24)
    assert result["seconds"] == green["end"] == pytest.approx((80 + 79 * 6) / 30 * 160 / 159)


def test_a_video_shorter_than_a_clip(predictor, tmp_path):
    write_video(str(tmp_path / "short.mp4"), colours((GREEN, 2)))
    result = predictor.predict(str(tmp_path / "short.mp4"))
    assert (result["clips"], result["top"][0]["label"], len(result["timeline"])) == (1, "green", 1)
    assert result["timeline"][0]["end"] == pytest.approx(2 / 30)


def test_what_is_no_number_is_no_answer(reddest, tmp_path):
    model, labels, settings = reddest
    broken = type(model)()
    broken.gain.assign(np.nan)
    export(broken, labels, str(tmp_path / "model"), **settings)
    write_video(str(tmp_path / "short.mp4"), colours((GREEN, 2)))
    with pytest.raises(NotFinite, match="^prediction: the probabilities of 1 of 1 clip are not finite; ") as told:
        Predictor(str(tmp_path / "model")).predict(str(tmp_path / "short.mp4"))
    assert told.value.exit_code == 3


def exported(reddest, folder, **settings):
    model, labels, others = reddest
    export(model, labels, str(folder), **{**others, **settings})
    return Predictor(str(folder))


def test_a_model_of_segments_sees_the_whole_video(reddest, tmp_path):
    """Of each of the three segments of 15 frames one is shown: one red frame and two green ones, in every view."""
    predictor = exported(reddest, tmp_path / "model", frames=3, sampling=Sampling(segments=3))
    write_video(str(tmp_path / "two.mp4"), colours((RED, 15), (GREEN, 30)))
    told = []
    result = predictor.predict(str(tmp_path / "two.mp4"), advance=told.append)
    # Logits (2/3, 0, 1/3): softmax in the order green, none, red.
    expected = np.exp([2 / 3, 0, 1 / 3]) / np.exp([2 / 3, 0, 1 / 3]).sum()
    assert [row["label"] for row in result["top"]] == ["green", "red", "none"]
    np.testing.assert_allclose([row["probability"] for row in result["top"]], expected[[0, 2, 1]], atol=0.01)
    [only] = result["timeline"]
    assert (only["start"], only["end"], only["label"], result["clips"], sum(told)) == (0, 1.5, "green", 10, 45)


@pytest.mark.parametrize("settings", [dict(sampling="segments"), dict(short_videos="loop"), dict(frame_rate=10.0)])
def test_a_video_is_sampled_as_in_the_evaluation(reddest, tmp_path, write_records, settings):
    """The colours change with the time, so other frames would give other probabilities."""
    frames = colours(*([(n * 12, 250 - n * 11, 0), 1] for n in range(22)))
    write_video(str(tmp_path / "one.mp4"), frames)
    pictures, rate = read_video(str(tmp_path / "one.mp4"))
    dataset = write_records(tmp_path / "records", [("one.mp4", 0, pictures)], labels=reddest[1])
    sizes = dict(dense_stride=4, crop=6, train_jitter=(8, 8), test_short_side=8)
    dataset = dataclasses.replace(dataset, **sizes, **settings)
    assert rate == 30
    model = tmp_path / "model"
    predictor = exported(reddest, model, frames=8, frame_stride=4, sampling=dataset.frame_sampling)
    views = pipeline.test_clips(dataset, "test", batch_size=10, frames=8, frame_stride=4)
    expected = tf.reduce_mean(tf.nn.softmax(reddest[0](next(iter(views))["clip"])), axis=0).numpy()
    found = {row["label"]: row["probability"] for row in predictor.predict(str(tmp_path / "one.mp4"))["top"]}
    np.testing.assert_allclose([found[label] for label in reddest[1]], expected, atol=0.004)


def test_text_for_people(predictor, tmp_path, monkeypatch):
    tables = []
    monkeypatch.setattr(console, "table", lambda *table: tables.append(table))
    write_video(str(tmp_path / "two.mp4"), colours((RED, 60), (GREEN, 30)))
    show_text(predictor.predict(str(tmp_path / "two.mp4"), overlap=0.0))
    (title, columns, rows), (over, _, timeline) = tables
    assert title == "two.mp4" and columns == ["label", "probability"] and [row[0] for row in rows][0] == "red"
    assert over == "over its 0:03.0 minutes"
    assert [(*row[:2], row[3]) for row in timeline] == [("0:00.0", "0:02.0", "red"), ("0:02.0", "0:03.0", "green")]
    # Logits (0, 0, 1) at most: a probability of e / (2 + e), 0.576; the encoder's red is a little less.
    assert {row[2] for row in timeline} <= {"57 %", "58 %"}


def test_files_and_folders(tmp_path):
    for name in ("b.mp4", "a.txt", "sub/c.MP4", "sub/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert find_videos([str(tmp_path / "a.txt"), str(tmp_path)]) == [
        str(tmp_path / name) for name in ("a.txt", "b.mp4", "sub/c.MP4")
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"--video: expected videos \(.mp4, .*\) in '.*empty', found none"):
        find_videos([str(tmp_path / "empty")])
    with pytest.raises(UserError, match="--video: expected a video file or a folder, found nothing at 'no.mp4'"):
        find_videos(["no.mp4"])


def test_a_broken_file_is_named_and_the_others_go_on(predictor, tmp_path, warned):
    write_video(str(tmp_path / "red.mp4"), colours((RED, 12)))
    (tmp_path / "text.mp4").write_text("not a video")
    whole = (tmp_path / "red.mp4").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    videos, shown = [str(tmp_path / name) for name in ("text.mp4", "torn.mp4", "red.mp4")], []
    with pytest.raises(UserError, match="--video: expected 3 videos that can be decoded, found 2 that cannot"):
        predict_files(predictor, videos, 0.5, shown.append)
    assert [result["video"] for result in shown] == [str(tmp_path / "red.mp4")]
    assert len(warned) == 2 and "text.mp4' cannot be opened" in warned[0] and "torn.mp4'" in warned[1]


def test_one_broken_file_is_one_line(predictor, tmp_path, warned):
    (tmp_path / "text.mp4").write_text("not a video")
    said = "--video: expected a video that can be decoded, found that '.*text.mp4' cannot be opened"
    with pytest.raises(UserError, match=said):
        predict_files(predictor, [str(tmp_path / "text.mp4")], 0.5, print)
    assert warned == []


def test_folder_without_saved_model_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="--saved_model: expected a folder written by bin/export.py, found none at"):
        Predictor(str(tmp_path))


def test_labels_that_are_not_the_models_are_refused(saved, tmp_path):
    import shutil

    shutil.copytree(saved, tmp_path / "model")
    metadata = tmp_path / "model" / "assets" / "metadata.json"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "labels": ["red", "green"]}))
    with pytest.raises(UserError, match="--saved_model: expected a label for each of its 3 classes, found 2 in"):
        Predictor(str(tmp_path / "model"))


def test_the_binary(programs, saved, tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(str(tmp_path / "videos" / "two.mp4"), colours((RED, 60), (GREEN, 30)))
    (tmp_path / "videos" / "text.mp4").write_text("not a video")
    done = programs.run(
        "predict.py",
        f"--saved_model={saved}",
        f"--video={tmp_path}/videos",
        "--json",
        f"--plot={tmp_path}/pictures",
        code=2,
    )
    warning, error = done.stderr.splitlines()
    assert warning.startswith(f"warning: '{tmp_path}/videos/text.mp4' cannot be opened: ")
    assert error == "error: --video: expected 2 videos that can be decoded, found 1 that cannot"
    [result] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["label"] for row in result["timeline"]] == ["red", "green"]
    assert sorted(os.listdir(tmp_path / "pictures")) == ["two.png", "two.svg"]
