"""A step of the search as a whole, on a small space and a small data set."""

import json
import os
import pathlib

import gin
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import halving, monitor, selection, step
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only
from tsnet_tf.study import candidates, rows

BATCH, VIDEOS = 4, 8


@pytest.fixture(autouse=True)
def settings():
    gin.clear_config()
    gin.parse_config("joint.samples = 2")
    yield
    gin.clear_config()


def search(workdir, data, streams, steps, **others):
    """The summary of a search over everything that the small space has in these streams."""
    sizes = dict(dense_frames=8, sparse_frames=2)
    dataset = VideoDataset(
        directory=str(data), dense_stride=2, crop=16, train_jitter=(16, 18), test_short_side=16, **sizes
    )
    space = table1(
        sparse_width=0.125, dense_width=0.25, depths=((1,), (1,)), resolution=16, hidden=8, classes=2, glore_ratio=0.5,
        **sizes,
    )  # fmt: skip
    return step.search(
        workdir=str(workdir),
        previous=None,
        name="small",
        space=space,
        streams=streams,
        free=("*",),
        target_gmacs=1.5 * complexity(smallest(only(space, streams))).gmacs,
        dataset=dataset,
        epochs=steps * BATCH / VIDEOS,
        batch_size=BATCH,
        validation_batch_size=BATCH,
        recalibration_batches=2,
        branch_gamma=1.0,
        **others,
    )


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_memory_stays_level_over_2000_steps_and_nothing_is_traced_again(tmp_path, bright_and_dark, monkeypatch):
    """The real step of both streams, with data pipeline, reports, pictures and checkpoints."""
    megabytes, traces, calls = {}, {}, []
    measure, call = monitor.Monitor.measure, TwoStreamModel.call

    def watched(self, metrics):
        done = int(self._model.optimizer.iterations)
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        megabytes[done], traces[done] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(calls)
        return measure(self, metrics)

    monkeypatch.setattr(monitor.Monitor, "measure", watched)
    monkeypatch.setattr(TwoStreamModel, "call", lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs))
    summary = search(tmp_path, bright_and_dark, ("sparse", "dense"), 2000, alpha_warmup=0.05)
    assert summary["steps"] == 2000
    print({done: round(found, 1) for done, found in megabytes.items() if done % 200 == 0})
    assert megabytes[2000] < 1.03 * megabytes[200], megabytes
    assert traces[2000] == traces[10] > 0


@pytest.mark.slow
def test_fine_tuning_that_was_killed_goes_on_with_the_architecture_that_was_taken(
    tmp_path, bright_and_dark, monkeypatch
):
    """Measured again, another one might be taken, whose weights would not fit the checkpoints."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    def run():
        return search(tmp_path, bright_and_dark, ("sparse",), 2, refine=3, finetune_epochs=0.5, alpha_warmup=0.0)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(halving, "fit", killed)
        run()
    front = json.loads((tmp_path / "front.json").read_text())
    [taken] = [row["genotype"] for row in front if row["selected"]]
    with monkeypatch.context() as patch:
        patch.setattr(selection, "supernet_scores", killed)
        summary = run()
    assert summary["selection"] == "the best of 3, scored with shared weights on the validation videos"
    groups = [json.loads((tmp_path / path).read_text())["streams"] for path in (taken, "genotype.json")]
    assert groups[0] == groups[1]


@pytest.mark.slow
def test_evolution_over_the_shared_weights_gives_the_candidates_and_random_ones_are_scored_beside_them(
    tmp_path, bright_and_dark
):
    with pytest.raises(UserError, match="search.evolution: expected search.refine above 0"):
        search(tmp_path, bright_and_dark, ("sparse",), 2, evolution=6)
    summary = search(
        tmp_path, bright_and_dark, ("sparse",), 2, refine=3, evolution=6, scored_random=4, alpha_warmup=1.0
    )
    assert summary["selection"] == "the best of 3, scored with shared weights on the validation videos"
    assert summary["entropy_nats"]["end"] == pytest.approx(summary["entropy_nats"]["start"])  # alpha had no say
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert len({rows.key(row["genotype"]) for row in scores}) == 4 and all(row["log_loss"] > 0 for row in scores)
    found = candidates.found(str(tmp_path))
    assert (found.name, found.origin) == ("evolution_0", "evolution")
