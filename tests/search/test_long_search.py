"""A search of 2,000 steps takes no more memory at its end than at its beginning, and traces its step once."""

import os
import pathlib

import gin
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import monitor, step
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.training import run_folder

STEPS, BATCH, VIDEOS = 2000, 4, 8


@pytest.fixture(autouse=True)
def settings():
    gin.clear_config()
    gin.parse_config("joint.samples = 2")
    yield
    gin.clear_config()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_memory_stays_level_over_2000_search_steps_and_nothing_is_traced_again(tmp_path, bright_and_dark, monkeypatch):
    """The real step of both streams, with data pipeline, reports, pictures and checkpoints."""
    dataset = VideoDataset(
        directory=str(bright_and_dark), dense_frames=8, dense_stride=2, sparse_frames=2, crop=16, train_jitter=(16, 18),
        test_short_side=16,
    )  # fmt: skip
    space = table1(
        sparse_width=0.125, dense_width=0.25, depths=((1,), (1,)), resolution=16, sparse_frames=2, dense_frames=8,
        hidden=8, classes=2, glore_ratio=0.5,
    )  # fmt: skip
    megabytes, traces, calls = {}, {}, []
    measure, call = monitor.Monitor.measure, TwoStreamModel.call

    def watched(self, metrics):
        done = int(self._model.optimizer.iterations)
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        megabytes[done], traces[done] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(calls)
        return measure(self, metrics)

    monkeypatch.setattr(monitor.Monitor, "measure", watched)
    monkeypatch.setattr(TwoStreamModel, "call", lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs))
    step.search(
        workdir=str(tmp_path),
        previous=None,
        name="one_step",
        space=space,
        streams=("sparse", "dense"),
        free=("*",),
        target_gmacs=1.5 * complexity(smallest(space)).gmacs,
        dataset=dataset,
        epochs=STEPS * BATCH / VIDEOS,
        alpha_warmup=0.05,
        batch_size=BATCH,
        validation_batch_size=BATCH,
        recalibration_batches=2,
        branch_gamma=1.0,
    )
    assert run_folder.summary_of(str(tmp_path))["steps"] == STEPS
    print({done: round(found, 1) for done, found in megabytes.items() if done % 200 == 0})
    assert megabytes[STEPS] < 1.03 * megabytes[200], megabytes
    assert traces[STEPS] == traces[10] > 0
