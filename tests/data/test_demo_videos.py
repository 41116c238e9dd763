import csv
import os

import av
import numpy as np
import pytest

from tsnet_tf.data import demo_videos
from tsnet_tf.errors import UserError


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("demo") / "videos")
    demo_videos.make_demo_videos(folder, seed=5, difficulty=1, videos_per_class=(2, 1, 0))
    return folder


def _video(split="train", texture="checks", order=("pulse", "blink"), index=0):
    return demo_videos.Video(split, texture, order, index)


def test_there_are_18_classes_in_an_annotation_file(videos):
    with open(os.path.join(videos, "annotations.csv")) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "split"]
    assert len(rows) == 18 * 3 and len({row["label"] for row in rows}) == 18
    assert [row["split"] for row in rows] == ["train"] * 36 + ["validation"] * 18
    assert rows[0]["path"] == "train/checks_sway/checks_sway_0000.mp4"
    assert all(os.path.exists(os.path.join(videos, row["path"])) for row in rows)


def test_the_files_are_h264_and_every_frame_is_coded_alone(videos):
    with av.open(os.path.join(videos, "train/stripes_blink_then_sway/stripes_blink_then_sway_0001.mp4")) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert stream.codec_context.name == "h264" and stream.average_rate == 30
    assert len(frames) == 40 and all(frame.key_frame for frame in frames)
    assert (frames[0].height, frames[0].width) == (48, 60)
    drawn = demo_videos.draw_video(5, 1, _video(texture="stripes", order=("blink", "sway"), index=1))
    read = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    assert np.abs(read.astype(float) - drawn).mean() < 8  # coded with some loss


def test_pixels_depend_on_seed_difficulty_and_video_only():
    drawn = demo_videos.draw_video(0, 3, _video())
    np.testing.assert_array_equal(demo_videos.draw_video(0, 3, _video()), drawn)
    others = [
        demo_videos.draw_video(1, 3, _video()),
        demo_videos.draw_video(0, 3, _video(index=1)),
        demo_videos.draw_video(0, 3, _video(split="test")),
        demo_videos.draw_video(0, 3, _video(texture="stripes")),
        demo_videos.draw_video(0, 3, _video(order=("blink", "pulse"))),
    ]
    for other in others:
        assert np.abs(drawn.astype(int) - other).mean() > 5
    assert 0 < np.abs(drawn.astype(int) - demo_videos.draw_video(0, 4, _video())).mean() < 10  # the same scene


def test_equal_frames_give_equal_files(tmp_path):
    frames = demo_videos.draw_video(0, 1, _video())[:8]
    demo_videos.write_video(str(tmp_path / "a.mp4"), frames)
    demo_videos.write_video(str(tmp_path / "b.mp4"), frames)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_complete_folder_is_reused(videos, said):
    before = os.stat(os.path.join(videos, "annotations.csv")).st_mtime_ns
    demo_videos.make_demo_videos(videos, seed=5, difficulty=1, videos_per_class=(2, 1, 0))
    assert "is complete, reused" in said[-1]
    assert os.stat(os.path.join(videos, "annotations.csv")).st_mtime_ns == before


def test_a_folder_made_with_other_settings_is_left_alone(videos):
    with pytest.raises(UserError, match=r'expected .*"seed": 6.*found .*"seed": 5'):
        demo_videos.make_demo_videos(videos, seed=6, difficulty=1, videos_per_class=(2, 1, 0))


def test_another_difficulty_is_another_setting(videos):
    with pytest.raises(UserError, match=r'expected .*"difficulty": 2.*found .*"difficulty": 1'):
        demo_videos.make_demo_videos(videos, seed=5, difficulty=2, videos_per_class=(2, 1, 0))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="expected a new folder or demo videos, found other files"):
        demo_videos.make_demo_videos(str(tmp_path), seed=0, difficulty=1, videos_per_class=(1, 1, 1))


def test_nothing_unfinished_is_left_beside_the_folder(videos):
    assert os.listdir(os.path.dirname(videos)) == ["videos"]


def test_what_a_stopped_run_left_is_replaced(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    output = tmp_path / "videos"
    with monkeypatch.context() as patch:
        patch.setattr(demo_videos, "_write_all", stop)
        with pytest.raises(KeyboardInterrupt):
            demo_videos.make_demo_videos(str(output), seed=0, difficulty=1, videos_per_class=(1, 0, 0))
    assert not output.exists()
    (tmp_path / "videos.partial" / "stale").write_text("")
    monkeypatch.setattr(demo_videos, "_write_all", lambda *_: None)
    demo_videos.make_demo_videos(str(output), seed=0, difficulty=1, videos_per_class=(1, 0, 0))
    assert sorted(os.listdir(output)) == ["annotations.csv", "settings.json", "train"]
