"""One preparation of every kind of file that people have, good and bad, by the binary itself.

The content is known: red rises from left to right, green from top to bottom, blue from frame to frame. So a frame that
is missing, turned, mirrored, or of other colours is seen.
"""

import csv
import ctypes
import json
import os
import pathlib
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
import tensorflow as tf
from av.video.reformatter import Colorspace

from tsnet_tf.data import decode, prepare
from tsnet_tf.data.annotations import Annotation

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEIGHT, WIDTH, FRAMES, RATE = 48, 64, 20, 25
LEAST_PSNR = 35.0  # decibels, after the video encoder and the JPEG; the wrong colour matrix leaves 30

IDENTITY = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
# Shown after a quarter turn clockwise, as a telephone held upright writes it.
QUARTER_TURN = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")


def picture(index, height=HEIGHT, width=WIDTH):
    """Frame ``index`` of the known content."""
    red = np.broadcast_to(np.linspace(30, 220, width), (height, width))
    green = np.broadcast_to(np.linspace(200, 40, height)[:, None], (height, width))
    blue = np.full((height, width), 20 + 10 * index)
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def write(path, codec="libx264", pixels="yuv420p", frames=FRAMES, *, size=(HEIGHT, WIDTH), times=None, aspect=None,
          options=None, container_options=None, draw=picture, source="rgb24"):  # fmt: skip
    """Writes a file with an encoder of FFmpeg's; ``times`` are in units of 1 / RATE seconds."""
    height, width = size
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        stream.codec_context.time_base = Fraction(1, RATE)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(index, height, width), format=source)
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return pathlib.Path(path)


def with_alpha(index, height, width):
    opaque_on_the_left = np.broadcast_to(np.where(np.arange(width) < width // 2, 255, 128), (height, width))
    return np.dstack([picture(index, height, width), opaque_on_the_left.astype(np.uint8)])


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros([1, 1024], np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


# Where the frames of a video with uneven times end up: 10 frames at 25 per second, then 10 at 5 per second. Of 20 even
# instants over the 2.36 seconds from the first frame to the last, one every 3.105 ticks of 1 / 25 second.
UNEVEN_TIMES = [*range(10), *range(14, 64, 5)]
UNEVEN_ORDER = [max(i for i, t in enumerate(UNEVEN_TIMES) if t <= 59 * k / 19 + 0.031) for k in range(20)]

X264 = {"qp": "6"}
GOOD = {  # name: (how it is written, size of the prepared frames, frames of the known content)
    "h264.mp4": (lambda p: write(p, options=X264), (48, 64), range(FRAMES)),
    "h264.mkv": (lambda p: write(p, options=X264), (48, 64), range(FRAMES)),
    "h264.mov": (lambda p: write(p, options=X264), (48, 64), range(FRAMES)),
    "h264_faststart.mp4": (
        lambda p: write(p, options=X264, container_options={"movflags": "faststart"}),
        (48, 64),
        range(FRAMES),
    ),
    "h265.mp4": (
        lambda p: write(p, "libx265", options={"x265-params": "qp=6:log-level=error"}),
        (48, 64),
        range(FRAMES),
    ),
    "vp9.webm": (lambda p: write(p, "libvpx-vp9", options={"crf": "8", "b": "0"}), (48, 64), range(FRAMES)),
    "vp8.webm": (lambda p: write(p, "libvpx", options={"crf": "4", "b": "2M"}), (48, 64), range(FRAMES)),
    "av1.mp4": (
        lambda p: write(p, "libsvtav1", options={"crf": "10", "preset": "8"}, size=(64, 80)), (48, 60), range(FRAMES),
    ),
    "mpeg4.avi": (lambda p: write(p, "mpeg4", options={"q": "2", "b": "4M"}), (48, 64), range(FRAMES)),
    "mpeg4.mp4": (lambda p: write(p, "mpeg4", options={"b": "4M"}), (48, 64), range(FRAMES)),
    "mjpeg.avi": (lambda p: write(p, "mjpeg", "yuvj420p", options={"q": "2", "b": "8M"}), (48, 64), range(FRAMES)),
    "mjpeg.mov": (lambda p: write(p, "mjpeg", "yuvj444p", options={"b": "8M"}), (48, 64), range(FRAMES)),
    "one_frame.mp4": (lambda p: write(p, frames=1, options=X264), (48, 64), range(1)),
    "two_frames.mp4": (lambda p: write(p, frames=2, options=X264), (48, 64), range(2)),
    "variable_rate.mp4": (lambda p: write(p, options=X264, times=UNEVEN_TIMES), (48, 64), UNEVEN_ORDER),
    "variable_rate.mkv": (lambda p: write(p, options=X264, times=UNEVEN_TIMES), (48, 64), UNEVEN_ORDER),
    "odd_size.mp4": (lambda p: write(p, pixels="yuv444p", size=(49, 65), options=X264), (48, 64), range(FRAMES)),
    "odd_size.webm": (
        lambda p: write(p, "libvpx-vp9", size=(51, 67), options={"crf": "8", "b": "0"}), (48, 63), range(FRAMES),
    ),
    "grey.mp4": (lambda p: write(p, pixels="gray", options={**X264, "color_range": "pc"}), (48, 64), range(FRAMES)),
    "ten_bits.mp4": (
        lambda p: write(p, "libx265", "yuv420p10le", options={"x265-params": "qp=6:log-level=error"}),
        (48, 64),
        range(FRAMES),
    ),
    "alpha.mov": (lambda p: write(p, "qtrle", "argb", draw=with_alpha, source="rgba"), (48, 64), range(FRAMES)),
    "wide_pixels.mp4": (lambda p: write(p, size=(48, 32), aspect=Fraction(2), options=X264), (48, 64), range(FRAMES)),
    "tall_pixels.mkv": (
        lambda p: write(p, size=(24, 64), aspect=Fraction(1, 2), options=X264), (48, 64), range(FRAMES),
    ),
    "turned.mp4": (lambda p: turned(p), (64, 48), range(FRAMES)),
    "hd_colours.mp4": (lambda p: of_hd_colours(p), (48, 64), range(FRAMES)),
    "with spaces, 'quotes\" and ünïcödé 视频.mp4": (lambda p: write(p, options=X264), (48, 64), range(FRAMES)),
    "symlink.mp4": (
        lambda p: p.symlink_to(write(p.parent / "target of a link.mp4", options=X264)), (48, 64), range(FRAMES),
    ),
    "folder/nested.mp4": (lambda p: write(p, options=X264), (48, 64), range(FRAMES)),
}  # fmt: skip


def of_hd_colours(path):
    """Writes ITU-R BT.709's colours, as videos of high definition have them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options=X264)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.colorspace = Colorspace.ITU709.value
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())


def turned(path):
    content = write(path, options=X264).read_bytes()
    track = content.index(b"tkhd")
    place = content.index(IDENTITY, track)
    path.write_bytes(content[:place] + QUARTER_TURN + content[place + len(IDENTITY) :])


def changed(change, **settings):
    """How a file is written that is good but for a ``change`` of its bytes."""

    def make(path):
        content = write(path, **{"frames": 60, "options": {"g": "10"}, **settings}).read_bytes()
        path.write_bytes(change(bytearray(content)))

    return make


def flip_the_middle(content):
    middle = (content.index(b"mdat") + content.index(b"moov")) // 2
    for place in range(middle - 300, middle + 300):
        content[place] ^= 0xFF
    return content


def cut(share):
    return lambda content: content[: int(len(content) * share)]


def noise(index, height, width):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def black(index, height, width):
    return np.zeros((height, width), np.uint8)


BAD = {  # name: (how it is written, words of the reason)
    "sound_only.mp4": (sound, "has no video stream"),
    "empty.mp4": (lambda p: p.write_bytes(b""), "cannot be opened"),
    "text.mp4": (lambda p: p.write_text("This is not a video.\n" * 100), "cannot be opened"),
    "zeros.mkv": (lambda p: p.write_bytes(bytes(10_000)), "cannot be opened"),
    "cut_at_10.mp4": (changed(cut(0.10)), "cannot be opened"),
    "cut_at_50.mp4": (changed(cut(0.50)), "cannot be opened"),
    "cut_at_95.mp4": (changed(cut(0.95)), "cannot be opened"),
    "cut_at_10_faststart.mp4": (changed(cut(0.10), draw=noise, container_options={"movflags": "faststart"}), ""),
    "cut_at_50_faststart.mp4": (changed(cut(0.50), draw=noise, container_options={"movflags": "faststart"}), ""),
    "cut_at_95_faststart.mp4": (changed(cut(0.95), draw=noise, container_options={"movflags": "faststart"}), ""),
    "cut_at_50.mkv": (changed(cut(0.50), draw=noise), ""),
    "cut_at_50.webm": (changed(cut(0.50), draw=noise, codec="libvpx", options={"b": "1M"}), ""),
    "cut_at_50.avi": (changed(cut(0.50), draw=noise, codec="mpeg4", options={"b": "4M"}), ""),
    "flipped_bytes.mp4": (changed(flip_the_middle, draw=noise), ""),
    "huge_frame.avi": (
        lambda p: write(p, "mjpeg", "yuvj420p", 1, size=(8192, 8192), draw=black, source="gray"),
        "has frames of 8192 x 8192 pixels, more than 35389440",
    ),
    "two_hours.mp4": (lambda p: write(p, frames=2, times=[0, 2 * 3600 * RATE]), "lasts 7200 seconds, more than 600"),
    "thin.mp4": (
        lambda p: write(p, "mjpeg", "yuvj444p", 1, size=(2, 8000)), "has frames of 192000 x 48 pixels"
    ),
    "unknown_codec.mp4": (
        changed(lambda content: content.replace(b"avc1", b"xyz1")), "is of a codec that FFmpeg cannot decode",
    ),
    "secret.mp4": (lambda p: write(p).chmod(0), "cannot be opened: Permission denied"),
    "folder.mp4": (lambda p: p.mkdir(), "is a folder"),
    "pipe.mp4": (os.mkfifo, "is not a regular file"),
    "broken_link.mp4": (lambda p: p.symlink_to("nothing.mp4"), "is missing"),
    "missing.mp4": (lambda p: None, "is missing"),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The finished process and the folder that it wrote."""
    videos, output = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("prepared") / "data"
    with open(videos / "annotations.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for name, (make, *_) in (GOOD | BAD).items():
            (videos / name).parent.mkdir(exist_ok=True)
            make(videos / name)
            rows.writerow([name, "good" if name in GOOD else "bad", "train"])
    command = [sys.executable, str(ROOT / "bin" / "prepare_data.py"), f"--annotations={videos}/annotations.csv"]
    done = subprocess.run(
        [*command, f"--output={output}", f"--short_side={HEIGHT}", "--jpeg_quality=98", "--shards=3"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=obey_permissions,
    )  # fmt: skip
    return done, output


def obey_permissions():
    """Takes from the administrator, if that is who runs the tests, the right to read everything (Linux)."""
    drop, override, read_search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (override, read_search) if sys.platform == "linux" else ():
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def records(prepared):
    found = {}
    for path in prepared[1].glob("*.tfrecord"):
        for record in tf.data.TFRecordDataset(str(path)):
            example = tf.train.SequenceExample.FromString(record.numpy())
            jpegs = example.feature_lists.feature_list["image/encoded"].feature
            frames = [tf.io.decode_jpeg(jpeg.bytes_list.value[0]).numpy() for jpeg in jpegs]
            context = example.context.feature
            found[context["clip/media_id"].bytes_list.value[0].decode()] = (
                np.stack(frames), context["image/frame_rate"].float_list.value[0]
            )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def rejects(prepared):
    with open(prepared[1] / "rejects.csv", encoding="utf-8") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_there_are_enough_kinds():
    assert len(GOOD) + len(BAD) >= 25


def test_the_run_ends_well_and_says_what_was_left_out(prepared):
    done, output = prepared
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"prepare: {len(GOOD)} videos of 2 classes in {output}"
    total = len(GOOD) + len(BAD)
    assert done.stderr.splitlines() == [
        "warning: classes without training videos that can be used: 'bad' (none at all)",
        f"warning: {len(BAD)} of {total} videos left out, see {output}/rejects.csv",
    ]
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["splits"]["train"]["videos"] == len(GOOD) and manifest["rejected"]["total"] == len(BAD)
    assert manifest["splits"]["train"]["frames"] == sum(len(order) for *_, order in GOOD.values())


@pytest.mark.parametrize("name", GOOD)
def test_good_files_keep_frames_orientation_and_colours(records, name):
    frames, rate = records[name]
    _, (height, width), order = GOOD[name]
    assert frames.shape == (len(order), height, width, 3)
    shown = [np.rot90(picture(index), -1) if name == "turned.mp4" else picture(index, height, width) for index in order]
    expected = np.stack(shown).astype(float)
    if name == "grey.mp4":
        expected = (expected @ [0.299, 0.587, 0.114])[..., None] * np.ones(3)
    error = np.square(frames - expected).mean()
    assert 10 * np.log10(255**2 / error) >= LEAST_PSNR
    # The frames are in order: each is nearest to its own blue, of which the next is 10 away.
    if name != "grey.mp4":
        np.testing.assert_allclose(frames[..., 2].mean(axis=(1, 2)), [20 + 10 * index for index in order], atol=4.9)
    assert rate == pytest.approx(19 / (59 / RATE) if name.startswith("variable") else RATE, rel=0.02)


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_listed_with_the_reason(rejects, name):
    assert BAD[name][1] in rejects[name] and len(rejects[name]) > 5 and "\n" not in rejects[name]


def test_nothing_good_is_listed(rejects):
    assert sorted(rejects) == sorted(BAD)


def test_a_video_that_hangs_is_given_up_after_the_time_limit(tmp_path):
    # A download that was given its full size and then died: FFmpeg looks for the next frame in 64 GB of zeros.
    os.truncate(write(tmp_path / "endless.mkv"), 2**36)
    write(tmp_path / "good.mp4")
    annotations = [Annotation("endless.mkv", "x", "train"), Annotation("good.mp4", "x", "train")]
    options = prepare.Options(str(tmp_path), short_side=24, limits=decode.Limits(decode_seconds=4))
    prepare.prepare(annotations, str(tmp_path / "data"), options)
    rejects = (tmp_path / "data" / "rejects.csv").read_text().splitlines()
    assert len(rejects) == 2 and rejects[1].startswith("endless.mkv,x,train,takes more than 4 seconds to decode")
    assert json.loads((tmp_path / "data" / "manifest.json").read_text())["splits"]["train"]["videos"] == 1


@pytest.mark.parametrize(
    "limits, message",
    [
        (dict(seconds=0.5), "lasts 1 seconds, more than 0.5"),
        (dict(frames=19), "has 20 frames, more than 19"),
        (dict(pixels=48 * 64 - 1), "has frames of 64 x 48 pixels, more than 3071"),
    ],
)
def test_each_limit_is_told(tmp_path, limits, message):
    path = str(write(tmp_path / "a.mp4"))
    assert len(decode.read_video(path, limits=decode.Limits(seconds=1.0, frames=20, pixels=48 * 64))[0]) == 20
    with pytest.raises(decode.VideoError, match=message):
        decode.read_video(path, limits=decode.Limits(**limits))
