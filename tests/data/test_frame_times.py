"""When frames are shown decides, not in which order they come or what a header counts.

The content is known: a frame shows its number, as eight black or white bars.
"""

import pathlib
from fractions import Fraction

import av
import numpy as np
import pytest

from tsnet_tf.data import decode
from tsnet_tf.data.pace import Pace, pace_of, pace_of_count, steady

CASES = pathlib.Path(__file__).parent / "cases"
RATE = 25
X264 = {"qp": "4", "g": "60", "sc_threshold": "0"}


def write(path, codec="libx264", frames=120, *, numbers=None, unit=Fraction(1, RATE), options=X264, muxing=None):
    """Writes a file of numbered frames; ``numbers`` are their times, in ``unit`` seconds."""
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream = container.add_stream(codec, rate=1 / unit, options=options)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        stream.codec_context.time_base = unit
        for index in range(frames):
            bars = np.unpackbits(np.array([index], np.uint8)) * np.uint8(255)
            frame = av.VideoFrame.from_ndarray(np.tile(bars.repeat(8), [32, 1]), format="gray")
            frame.pts, frame.time_base = numbers[index] if numbers else index, unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def copy(source, target, first=0, earlier=0.0, muxing=None):
    """Copies packets without coding anew: from the ``first`` on, shown ``earlier`` by so many seconds."""
    with av.open(str(source)) as read, av.open(str(target), "w", options=muxing or {}) as written:
        stream = read.streams.video[0]
        copied = written.add_stream_from_template(stream)
        packets = [packet for packet in read.demux(stream) if packet.size]
        for packet in packets[first:]:
            packet.pts -= round(earlier / packet.time_base)
            packet.dts -= round(earlier / packet.time_base)
            packet.stream = copied
            written.mux(packet)
    return target


def shown(path):
    """Numbers of the frames that come of a file, and their rate."""
    frames, rate = decode.read_video(str(path))
    bars = frames.mean(axis=(1, 3)).reshape(len(frames), 8, 8).mean(axis=2) > 128
    return np.packbits(bars, axis=1)[:, 0].tolist(), rate


def test_even_times_are_taken_as_they_come():
    assert pace_of([0.0, 0.04, 0.08, 0.12], 25.0) == Pace(25.0, 4, False)
    assert pace_of([0.08, 0.0, 0.12, 0.04], 25.0) == Pace(25.0, 4, False)  # as packets come, with B-frames
    assert pace_of([0.0, 0.033, 0.067, 0.1], 30000 / 1001) == Pace(30000 / 1001, 4, False)  # rounded to 1/1000


def test_a_rate_that_the_times_belie_is_not_believed():
    assert pace_of([0.0, 0.04, 0.08, 0.12], 1000.0) == Pace(pytest.approx(25.0), 4, False)
    assert pace_of([0.0, 0.04, 0.08, 0.12], 0.0) == Pace(pytest.approx(25.0), 4, False)


def test_uneven_times_give_as_many_frames_at_their_mean_rate():
    # Three frames in 0.2 s, then one after 1 s: 3 steps in 1 s.
    assert pace_of([0.0, 0.1, 0.2, 1.0], 30.0) == Pace(3.0, 4, True)


@pytest.mark.parametrize("times", [[0.0, None, 0.08], [0.0, 0.04, 0.04], [0.0, 0.04], []])
def test_without_usable_times_frames_are_taken_as_they_come(times):
    assert pace_of(times, 25.0) == Pace(25.0, len(times), False)


def test_numbered_frames_are_held_where_a_number_is_left_out():
    assert pace_of_count([0, 1, 2, 3], 30.0) == Pace(30.0, 4, False)
    assert pace_of_count([2, 5, 3, 9], 30.0) == Pace(30.0, 8, True)
    assert pace_of_count([0, 33, 67], 1000.0) is None  # milliseconds, not frames


def test_at_each_instant_the_frame_on_the_screen():
    # At 2 per second: instants 0, 0.5, 1, 1.5, 2, of which "a" is shown until 0.6, "b" until 0.7, "c" until 1.9.
    frames = [(5.0, "a"), (5.6, "b"), (5.7, "c"), (6.9, "d"), (7.0, "e")]
    assert list(steady(frames, 2.0)) == ["a", "a", "c", "c", "e"]
    assert list(steady([(3.0, "a")], 2.0)) == ["a"] and list(steady([], 2.0)) == []
    # A hundredth of a step late counts as in time.
    assert list(steady([(0.0, "a"), (0.504, "b"), (1.0, "c")], 2.0)) == ["a", "b", "c"]


def test_what_is_held_is_the_same_object():
    one, two = np.zeros(1), np.ones(1)
    found = list(steady([(0.0, one), (1.0, two)], 3.0))
    assert [frame is one for frame in found] == [True, True, True, False]


def test_a_change_of_frame_rate_is_shown_when_it_is():
    """80 frames in 2.67 s, then 80 frames of another class, the last at 18.47 s."""
    frames, rate = decode.read_video(str(CASES / "vfr_switch_at_2.67s.mp4"))
    assert len(frames) == 160 and rate == pytest.approx(159 / 18.4667, rel=1e-4)
    differences = np.abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert differences.argmax() + 1 == 23  # the first instant from 2.667 s on: 23 / 8.61 = 2.671


def test_a_long_pause_in_matroska_is_as_long(tmp_path):
    numbers = [*range(20), *range(80, 100)]  # a pause of 2.4 s
    found, rate = shown(write(tmp_path / "pause.mkv", frames=40, numbers=numbers))
    assert rate == pytest.approx(39 / (99 / RATE))
    expected = [max(i for i, n in enumerate(numbers) if n <= 99 * k / 39 + 0.03) for k in range(40)]
    assert found == expected


def test_dropped_frames_of_avi_are_held():
    """60 of 115 frames are there."""
    with decode.open_video(str(CASES / "avi_with_dropped_frames.avi")) as video:
        frames = list(video)
    assert (len(frames), video.expected, video.frame_rate) == (115, 115, 30.0)
    assert len({id(frame) for frame in frames}) == 60
    assert [frame is frames[4] for frame in frames[4:11]] == [True] * 6 + [False]  # 5 to 9 are empty


def test_dropped_frames_of_avi_are_held_in_the_order_of_pictures(tmp_path):
    """H.264 in AVI, with frames that are decoded before they are shown, has no times but those of decoding."""
    numbers = [n for n in range(60) if n % 3 != 2 and not 20 < n < 30]
    found, rate = shown(write(tmp_path / "dropped.avi", frames=len(numbers), numbers=numbers))
    assert rate == RATE and len(found) == 59 and found == sorted(found) and set(found) == set(range(len(numbers)))


def test_a_cut_without_coding_anew_has_the_frames_that_are_shown():
    frames, rate = decode.read_video(str(CASES / "stream_copy_cut.mp4"))
    assert (len(frames), rate) == (60, 30.0)


def test_a_cut_of_open_groups_of_pictures_has_the_frames_that_are_shown(tmp_path):
    options = {"x265-params": "keyint=60:min-keyint=60:scenecut=0:open-gop=1:bframes=3:qp=4:log-level=error"}
    whole = write(tmp_path / "whole.mp4", "libx265", options=options)
    with av.open(str(whole)) as container:
        second = [number for number, packet in enumerate(container.demux(video=0)) if packet.is_keyframe][1]
    # From the second group on; of it, what was shown before 3.2 s is only there to decode what follows.
    cut = copy(whole, tmp_path / "cut.mp4", second, 3.2, {"avoid_negative_ts": "disabled"})
    with av.open(str(cut)) as container:
        assert container.streams.video[0].frames == 120 - second
    assert shown(cut) == (list(range(80, 120)), RATE)


@pytest.mark.parametrize("codec, options", [("libx264", X264), ("mpeg2video", {"g": "60", "b": "2M"})])
def test_a_broadcast_may_begin_anywhere(tmp_path, codec, options):
    whole = write(tmp_path / "whole.ts", codec, options=options)
    found, rate = shown(copy(whole, tmp_path / "cut.ts", 10))
    assert found[0] >= 12 and found == list(range(found[0], 120)) and rate == RATE


@pytest.mark.parametrize("name", ["part.mkv", "part.flv", "part.mp4"])
def test_a_part_of_a_recording_may_begin_late(tmp_path, name):
    """Matroska then says when it ends, counted from the recording's start, not how long it is."""
    whole = write(tmp_path / "whole.ts")
    part = copy(whole, tmp_path / name, earlier=-60.0)
    assert shown(part) == (list(range(120)), RATE)
    with pytest.raises(decode.VideoError, match="lasts 5 seconds, more than 4"):
        decode.read_video(str(part), limits=decode.Limits(seconds=4.0))


def test_a_live_stream_that_counts_milliseconds_has_the_rate_of_its_frames(tmp_path):
    times = [33 * n + (n % 2) for n in range(60)]
    path = write(
        tmp_path / "live.webm", "libvpx", 60, numbers=times, unit=Fraction(1, 1000), options={"b": "2M"},
        muxing={"live": "1"},
    )  # fmt: skip
    assert av.open(str(path)).streams.video[0].average_rate == 1000
    found, rate = shown(path)
    assert found == list(range(60)) and rate == pytest.approx(59 / 1.948)


def test_a_last_frame_may_be_held_for_long(tmp_path):
    """As in a recording of a screen on which nothing happens any more: 29 of 30 frames in 1.16 s, the last for 5 s."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros([32, 64], np.uint8), format="gray")
        packets = [packet for _ in range(30) for packet in stream.encode(picture)] + stream.encode()
        for packet in packets:
            packet.duration = 1 if packet is not packets[-1] else 5 * RATE
            container.mux(packet)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(6.16)
    assert len(decode.read_video(str(tmp_path / "a.mp4"))[0]) == 30


def test_what_is_cut_off_is_still_told(tmp_path):
    whole = write(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(decode.VideoError, match=r"ends after \d\.\d of 4\.8 seconds"):
        decode.read_video(str(tmp_path / "half.mkv"))


def test_frames_that_are_held_count_for_the_limit(tmp_path):
    path = str(CASES / "avi_with_dropped_frames.avi")
    with pytest.raises(decode.VideoError, match="has 115 frames, more than 100"):
        decode.read_video(path, limits=decode.Limits(frames=100))
