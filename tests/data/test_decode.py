import io
import pathlib
import struct

import av
import numpy as np
import pytest
from av.stream import Disposition

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


CASES = pathlib.Path(__file__).parent / "cases"
# What is stored at (p, q), p to the right and q down, is shown at (a p + c q, b p + d q): a, b, c, d to what that does
# to a picture.
MATRICES = {
    (1, 0, 0, 1): lambda picture: picture,
    (-1, 0, 0, 1): lambda picture: np.fliplr(picture),
    (1, 0, 0, -1): lambda picture: np.flipud(picture),
    (-1, 0, 0, -1): lambda picture: np.rot90(picture, 2),
    (0, 1, -1, 0): lambda picture: np.rot90(picture, -1),  # a quarter turn clockwise
    (0, -1, 1, 0): lambda picture: np.rot90(picture, 1),
    (0, 1, 1, 0): lambda picture: np.rot90(np.fliplr(picture), 1),  # mirrored, then turned: rows become columns
    (0, -1, -1, 0): lambda picture: np.rot90(np.fliplr(picture), -1),
    (0, 0, 0, 0): lambda picture: picture,  # no matrix at all
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_picture_is_turned_and_mirrored_as_its_file_says(tmp_path, matrix):
    upright = decode.read_video(str(CASES / "upright_reference.mp4"))[0]
    content = (CASES / "upright_reference.mp4").read_bytes()
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    place = content.index(plain, content.index(b"tkhd"))
    a, b, c, d = (value << 16 for value in matrix)
    content = content[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + content[place + len(plain) :]
    (tmp_path / "a.mp4").write_bytes(content)
    frames = decode.read_video(str(tmp_path / "a.mp4"))[0]
    np.testing.assert_array_equal(frames, np.stack([MATRICES[matrix](picture) for picture in upright]))


@pytest.mark.parametrize("name, axis", [("mirrored_display_matrix.mp4", 2), ("vflip_display_matrix.mp4", 1)])
def test_a_mirroring_note_mirrors(name, axis):
    upright = decode.read_video(str(CASES / "upright_reference.mp4"))[0]
    np.testing.assert_array_equal(decode.read_video(str(CASES / name))[0], np.flip(upright, axis))


def test_rows_become_columns():
    """By hand: [[1, 2], [3, 4]] with p and q exchanged is [[1, 3], [2, 4]]."""
    picture = np.array([[1, 2], [3, 4]], np.uint8)[..., np.newaxis]
    assert decode._as_shown(picture, np.array([0, 1, 0, 1, 0, 0, 0, 0, 1]) << 16)[..., 0].tolist() == [[1, 3], [2, 4]]
    assert decode._as_shown(picture, np.array([0, -1, 0, 1, 0, 0, 0, 0, 1]) << 16)[..., 0].tolist() == [[2, 4], [1, 3]]


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


def mux(path, *tracks):
    """Writes a file of one grey level, disposition and size per track."""
    with av.open(str(path), "w") as container:
        streams = []
        for level, disposition, size in tracks:
            stream = container.add_stream("libx264", rate=10, options={"qp": "4"})
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = disposition
            streams.append((stream, np.full([*size, 3], level, np.uint8)))
        for stream, picture in streams:
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return str(path)


def test_the_default_track_is_taken():
    frames, rate = decode.read_video(str(CASES / "two_video_tracks_second_default.mkv"))
    assert (frames.shape, rate) == ((60, 144, 176, 3), 30.0)  # the preview has 2 frames of 60 x 80


@pytest.mark.parametrize(
    "dispositions, level",
    [
        ((0, Disposition.default, Disposition.default), 100),
        ((0, 0, 0), 50),
    ],
)
def test_of_several_tracks_the_first_default_one_is_taken(tmp_path, dispositions, level):
    tracks = [(50 * n, disposition, (32, 48)) for n, disposition in enumerate(dispositions, start=1)]
    frames, _ = decode.read_video(mux(tmp_path / "a.mkv", *tracks))
    np.testing.assert_allclose(frames.mean(), level, atol=3)


NAMES = ["clip:1.mp4", "http:a.mp4", "file:a.mp4", "a%03d.mp4", "[a]?*.mp4", "a|b.mp4", "-a.mp4", "a\nb.mp4", "视.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes((CASES / "upright_reference.mp4").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert decode.read_video(name)[0].shape == (10, 96, 128, 3)


def test_notes_in_another_encoding_are_no_fault(tmp_path):
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        container.metadata["title"] = "Caf?"
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros([32, 48, 3], np.uint8), format="rgb24")))
        container.mux(stream.encode())
    content = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(content.replace(b"Caf?", b"Caf\xe9"))
    assert len(decode.read_video(str(tmp_path / "a.avi"))[0]) == 1


def test_a_stream_that_changes_its_size_is_told(tmp_path):
    parts = [mux(tmp_path / f"{height}.ts", (99, 0, (height, 48))) for height in (32, 64)]
    (tmp_path / "joined.ts").write_bytes(b"".join(pathlib.Path(part).read_bytes() for part in parts))
    with pytest.raises(decode.VideoError, match="^changes its size at frame 5$"):
        decode.read_video(str(tmp_path / "joined.ts"))
    assert decode.read_video(str(parts[0]))[0].shape == (5, 32, 48, 3)
