import io

import av
import numpy as np
import pytest

from tsnet_tf.data import decode


def test_frames_are_rgb_in_order_with_the_short_side_asked_for(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", frames=12, height=36, width=48, rate=25)
    frames, frame_rate = decode.read_video(path, short_side=24)
    assert frames.shape == (12, 24, 32, 3) and frames.dtype == np.uint8 and frame_rate == 25.0
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), 20 + 5 * np.arange(12), atol=2)


def test_an_upright_video_keeps_its_aspect_and_a_file_object_is_read(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", height=48, width=36)
    frames, _ = decode.read_video(io.BytesIO(open(path, "rb").read()), short_side=18)
    assert frames.shape[1:] == (24, 18, 3)
    assert decode.read_video(path)[0].shape[1:] == (48, 36, 3)


def test_red_stays_red(tmp_path):
    with av.open(str(tmp_path / "red.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"qp": "4"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        picture = np.zeros([32, 32, 3], np.uint8) + np.array([200, 30, 60], np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    frames, _ = decode.read_video(str(tmp_path / "red.mp4"))
    np.testing.assert_allclose(frames[0, 16, 16], [200, 30, 60], atol=4)


def test_a_turned_picture_is_put_upright():
    class Turned:
        """A frame 2 high and 4 wide, whose note says: turn a quarter counter-clockwise."""

        height, width, rotation = 2, 4, 90

        def to_ndarray(self):
            return np.arange(8, dtype=np.uint8).reshape(2, 4, 1).repeat(3, axis=2)

    class Keep:
        def reformat(self, frame, **_):
            return frame

    upright = decode._to_array(Turned(), 4, 2, Keep())
    np.testing.assert_array_equal(upright[..., 0], [[3, 7], [2, 6], [1, 5], [0, 4]])


def test_what_cannot_be_decoded_is_told_in_one_line(tmp_path, write_video):
    (tmp_path / "text.mp4").write_text("this is not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    good = open(write_video(tmp_path / "good.mp4", frames=60), "rb").read()
    (tmp_path / "cut.mp4").write_bytes(good[: len(good) // 2])
    for name in ("text.mp4", "empty.mp4", "cut.mp4"):
        with pytest.raises(decode.VideoError, match="cannot be opened: [^\n]+$"):
            decode.read_video(str(tmp_path / name))


def test_a_file_with_sound_only_is_told(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros([1, 1024], np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    with pytest.raises(decode.VideoError, match="has no video stream"):
        decode.read_video(str(tmp_path / "sound.mp4"))


def test_damage_in_the_middle_is_told(tmp_path, write_video):
    content = bytearray(open(write_video(tmp_path / "good.mp4", frames=60), "rb").read())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    content[start + (end - start) // 4 : end] = bytes(end - start - (end - start) // 4)
    (tmp_path / "damaged.mp4").write_bytes(content)
    with pytest.raises(decode.VideoError):
        decode.read_video(str(tmp_path / "damaged.mp4"))
