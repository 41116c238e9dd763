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
    demo_videos.make_demo_videos(folder, seed=5, videos_per_class=(2, 1, 0))
    return folder


def test_there_are_16_classes_in_an_annotation_file(videos):
    with open(os.path.join(videos, "annotations.csv")) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "split"]
    assert len(rows) == 16 * 3 and len({row["label"] for row in rows}) == 16
    assert [row["split"] for row in rows] == ["train"] * 32 + ["validation"] * 16
    assert rows[0]["path"] == "train/cross_shake_left_right/cross_shake_left_right_0000.mp4"
    assert all(os.path.exists(os.path.join(videos, row["path"])) for row in rows)


def test_the_files_are_h264_and_every_frame_is_coded_alone(videos):
    with av.open(os.path.join(videos, "train/square_rotate/square_rotate_0001.mp4")) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert stream.codec_context.name == "h264" and stream.average_rate == 30
    assert len(frames) == 80 and all(frame.key_frame for frame in frames)
    assert (frames[0].height, frames[0].width) == (64, 80)
    drawn = demo_videos.draw_video(5, demo_videos.Video("train", "square", "rotate", 1))
    read = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    assert np.abs(read.astype(float) - drawn).mean() < 8  # coded with some loss


def test_pixels_depend_on_seed_and_video_only():
    video = demo_videos.Video("train", "ring", "pulsate", 0)
    np.testing.assert_array_equal(demo_videos.draw_video(0, video), demo_videos.draw_video(0, video))
    others = [
        demo_videos.draw_video(1, video),
        demo_videos.draw_video(0, demo_videos.Video("train", "ring", "pulsate", 1)),
        demo_videos.draw_video(0, demo_videos.Video("test", "ring", "pulsate", 0)),
    ]
    for other in others:
        assert np.abs(demo_videos.draw_video(0, video).astype(int) - other).mean() > 5


def test_equal_frames_give_equal_files(tmp_path):
    frames = demo_videos.draw_video(0, demo_videos.Video("train", "cross", "rotate", 0))[:8]
    demo_videos.write_video(str(tmp_path / "a.mp4"), frames)
    demo_videos.write_video(str(tmp_path / "b.mp4"), frames)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_complete_folder_is_reused(videos, said):
    before = os.stat(os.path.join(videos, "annotations.csv")).st_mtime_ns
    demo_videos.make_demo_videos(videos, seed=5, videos_per_class=(2, 1, 0))
    assert "is complete, reused" in said[-1]
    assert os.stat(os.path.join(videos, "annotations.csv")).st_mtime_ns == before


def test_a_folder_made_with_other_settings_is_left_alone(videos):
    with pytest.raises(UserError, match=r'expected .*"seed": 6.*found .*"seed": 5'):
        demo_videos.make_demo_videos(videos, seed=6, videos_per_class=(2, 1, 0))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="expected a new folder or demo videos, found other files"):
        demo_videos.make_demo_videos(str(tmp_path), seed=0, videos_per_class=(1, 1, 1))


def test_nothing_unfinished_is_left_beside_the_folder(videos):
    assert os.listdir(os.path.dirname(videos)) == ["videos"]


def test_what_a_stopped_run_left_is_replaced(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    output = tmp_path / "videos"
    with monkeypatch.context() as patch:
        patch.setattr(demo_videos, "_write_all", stop)
        with pytest.raises(KeyboardInterrupt):
            demo_videos.make_demo_videos(str(output), seed=0, videos_per_class=(1, 0, 0))
    assert not output.exists()
    (tmp_path / "videos.partial" / "stale").write_text("")
    monkeypatch.setattr(demo_videos, "_write_all", lambda *_: None)
    demo_videos.make_demo_videos(str(output), seed=0, videos_per_class=(1, 0, 0))
    assert sorted(os.listdir(output)) == ["annotations.csv", "settings.json", "train"]
