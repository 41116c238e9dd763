"""Preparation that is killed again and again: nothing half-written is taken for whole, and the end is the same."""

import os
import pathlib
import random
import signal
import time

import av
import numpy as np
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError

VIDEOS, SHARDS, KILLS = 16, 8, 3


@pytest.fixture
def annotations(tmp_path):
    rows = ["path,label,split"]
    for number in range(VIDEOS):
        with av.open(str(tmp_path / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
            draw = np.random.default_rng(number)
            for _ in range(60):
                picture = draw.integers(0, 256, (96, 128, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        rows.append(f"{number}.mp4,{number % 3},train")
    (tmp_path / "annotations.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "annotations.csv"


def start(programs, annotations, output):
    """Starts the binary and returns it when it has begun to write."""
    partial = pathlib.Path(f"{output}.partial")
    # What a killed run has left is there already: then the start is over when a file is touched.
    before = _latest_change(partial)
    flags = [f"--annotations={annotations}", f"--output={output}", f"--shards={SHARDS}"]
    process = programs.start("prepare_data.py", *flags)
    while process.poll() is None and not output.exists() and _latest_change(partial) == before:
        time.sleep(0.02)
    return process


def _latest_change(folder):
    try:
        return max((entry.stat().st_mtime_ns for entry in os.scandir(folder)), default=1)
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_kills_leave_nothing_that_looks_whole_and_the_end_is_the_same(programs, annotations, tmp_path):
    undisturbed, output = tmp_path / "undisturbed", tmp_path / "data"
    process = start(programs, annotations, undisturbed)
    started = time.monotonic()
    assert process.wait() == 0, process.stderr
    seconds = time.monotonic() - started
    whole = {path.name: path.read_bytes() for path in undisturbed.iterdir()}

    times = random.Random(0)
    killed_while_writing = 0
    for _ in range(KILLS):
        process = start(programs, annotations, output)
        time.sleep(times.uniform(0, seconds / KILLS))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not output.exists(), "the folder has its name before it is whole"
        with pytest.raises(UserError, match="expected records made by bin/prepare_data.py in .*, found no "):
            VideoDataset(f"{output}.partial").shards(["train"])
        shards = list(pathlib.Path(f"{output}.partial").glob("*.tfrecord"))
        killed_while_writing += len(shards) < SHARDS
        for shard in shards:
            assert shard.read_bytes() == whole[shard.name]
    assert killed_while_writing == KILLS

    assert start(programs, annotations, output).wait() == 0
    assert {path.name: path.read_bytes() for path in output.iterdir()} == whole
