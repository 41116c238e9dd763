"""Pictures take a fixed share of the time, and settings become hparams."""

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.training import recorder as recorders
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.recorder import Recorder
from tsnet_tf.training.tensorboard import hparams_of


class Clock:
    """Stands still unless it is moved."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(recorders, "time", found)
    return found


def test_pictures_take_a_hundredth_of_the_time(tmp_path, clock):
    drawn = []

    def draw():
        drawn.append(clock.now)
        clock.now += 0.75  # so long it takes
        return np.zeros([4, 4, 3], np.uint8)

    recorder = Recorder(str(tmp_path), "test", pictures=lambda: {"picture": draw})
    for step in range(1, 21):
        clock.now = 10.0 * step
        recorder.record(step, {"loss": 1.0}, last=step == 20)
    recorder.close()
    # The first after 50 seconds, as if they took half a second; the next not before 50.75 + 75; and at the end.
    assert drawn == [50.0, 130.0, 200.0]


def test_speed_is_shown_and_not_recorded(tmp_path, clock):
    recorder = Recorder(str(tmp_path), "test", shown=lambda m: {"loss": f"{m['loss']:.1f}"})
    clock.now = 4.0
    assert recorder.record(1, {"loss": 2.0}, clips=100) == {"loss": "2.0", "clips/s": "25"}
    assert recorder.record(2, {"loss": 1.0}) == {"loss": "1.0"}
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n'


def test_speed_leaves_out_the_first_steps_which_compile_as_well(tmp_path, clock):
    recorder = Recorder(str(tmp_path), "test")
    clock.now = 100.0
    recorder.began()
    clock.now = 104.0
    assert recorder.record(10, {"loss": 2.0}, clips=100)["clips/s"] == "25"


def test_seconds_of_a_run_are_those_of_all_its_attempts_up_to_their_last_checkpoint(tmp_path, clock):
    recorder = Recorder(str(tmp_path), "test")
    clock.now = 30.0
    recorder.save_seconds()
    clock.now = 45.0  # lost: it is killed before the next checkpoint
    recorder = Recorder(str(tmp_path), "test")
    clock.now = 55.0
    recorder.save_seconds()
    assert recorders.seconds_of(str(tmp_path)) == 40.0 and recorders.seconds_of(str(tmp_path / "new")) == 0.0


@pytest.mark.parametrize("steps", [(0, 3), (3, 2), (9, 11)])
def test_steps_to_trace_are_steps_of_the_run(steps):
    with pytest.raises(UserError, match=f"profile_steps: expected first and last .* 1 to 10, found {steps[0]} and "):
        Pace(10, 1, 1, profile_steps=steps)


def test_hparams_are_settings_with_one_plain_value():
    settings = """
import tsnet_tf.search.step

# Macros:
batch_size = 32
place = None

# Parameters for search:
search.batch_size = %batch_size
search.target_gmacs = 1.4
search.name = 'sparse'
search.synchronized = False
search.previous = %place
search.unknown = %missing
search.space = @table1()
search.streams = ('sparse',)
VideoDataset.crop = 24
search.free = \\
    ('sparse/*/channels',)
"""
    assert hparams_of(settings) == {
        "search.batch_size": 32,
        "search.target_gmacs": 1.4,
        "search.name": "sparse",
        "search.synchronized": False,
    }


def test_events_hold_what_was_recorded(tmp_path):
    recorder = Recorder(
        str(tmp_path),
        "test",
        arrays=lambda: {"costs": np.array([1.0, 1.0, 4.0])},
        pictures=lambda: {"picture": lambda: np.full([2, 3, 3], 7, np.uint8)},
    )
    recorder.record(5, {"loss": 2.5, "entropy/channels": 0.25}, last=True)
    recorder.close()
    [path] = (tmp_path / "events").iterdir()
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            assert event.step == 5
            found[value.metadata.plugin_data.plugin_name, value.tag] = tf.make_ndarray(value.tensor)
    assert set(found) == {
        ("scalars", "loss"),
        ("scalars", "entropy/channels"),
        ("histograms", "costs"),
        ("images", "picture"),
    }
    assert found["scalars", "loss"] == 2.5 and found["scalars", "entropy/channels"] == 0.25
    bins = found["histograms", "costs"]  # left edge, right edge, count
    assert bins[0].tolist() == [1.0, 1.1, 2.0] and bins[-1, 2] == 1 and bins[:, 2].sum() == 3
    width, height, png = found["images", "picture"]
    assert (int(width), int(height)) == (3, 2) and (tf.io.decode_png(png).numpy() == 7).all()
