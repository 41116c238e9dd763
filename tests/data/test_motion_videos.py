"""Films of a robot: no simulator here, but an environment of one number and a stage that paints it."""

import csv
import os
import sys
import types

import av
import numpy as np
import pytest

from tsnet_tf import console
from tsnet_tf.data import motion_videos
from tsnet_tf.data.motion_episode import Episode, cut, perform
from tsnet_tf.data.motion_look import draw_look, expose
from tsnet_tf.data.motion_tasks import PAIRS, SINGLE, TASKS, chosen, classes_of
from tsnet_tf.data.motion_videos import Film, Settings, films, make_motion_videos
from tsnet_tf.errors import UserError


class Ramp:
    """A hand that moves along x by a tenth of its action; done at 1. Only ``fails`` of its tasks are never done."""

    hand_init_pos = np.zeros(3)

    def __init__(self, fails=()):
        self.fails, self.seeds, self.actions = fails, [], []
        self.data = types.SimpleNamespace(qpos=np.zeros(1))

    def seed(self, seed):
        self.seeds.append(seed)

    def reset(self):
        self.data.qpos[:] = 0.0
        return np.append(self.hand_init_pos, 0.0), {}

    def step(self, action):
        self.actions.append(action)
        self.data.qpos += 0.1 * action[0]
        done = self.data.qpos[0] >= 1.0 and len(self.seeds) - 1 not in self.fails
        return np.array([self.data.qpos[0], 0.0, 0.0, 0.0]), 0.0, False, False, {"success": done}


class Onwards:
    def get_action(self, seen):
        return np.array([1.0, 0.0, 0.0, 1.0])


class Painter:
    """A stage whose frame i is grey, at level 40 + 2 i; the expert fails at the attempts in ``fails``."""

    made, filmed, fails = [], [], ()

    def __init__(self, task, size):
        self.task, self.size, self.tried = task, size, 0
        Painter.made.append(task)

    def perform(self, random):
        self.tried += 1
        return None if self.tried in self.fails else Episode(np.arange(60.0)[:, None], 40)

    def film(self, states, look):
        Painter.filmed.append(self.task)
        grey = (40 + 2 * np.arange(len(states))).astype(np.uint8)
        return np.tile(grey[:, None, None, None], (1, self.size, self.size, 3))

    def close(self):
        pass


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for name, value in (("made", []), ("filmed", []), ("fails", ())):
        monkeypatch.setattr(Painter, name, value)
    motion_videos._stages.clear()


def make(folder, tasks=("door-open", "reach"), counts=(2, 1, 1), **more):
    make_motion_videos(
        str(folder),
        tasks=tasks,
        counts=counts,
        settings=Settings(size=16, frames=6),
        processes=1,
        stage=Painter,
        **more,
    )


def rows_of(folder):
    with open(folder / "annotations.csv") as file:
        return list(csv.DictReader(file))


def read(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_the_50_tasks_are_26_in_pairs_and_24_others():
    assert (len(PAIRS), len(SINGLE), len(TASKS), len(set(TASKS))) == (13, 24, 50, 50)
    assert chosen(["pairs"]) == tuple(sorted(task for pair in PAIRS for task in pair))
    assert chosen(["all"]) == TASKS and chosen(["reach", "door-open", "reach"]) == ("door-open", "reach")
    # 26 tasks, of which the 4 with a handle spring back: 22 backwards.
    assert sum(len(classes_of(task)) for task in chosen(["pairs"])) == 48
    # One of each of the other 11 pairs and its films backwards, and the 4 with a handle: all 13 pairs of opposites.
    assert len(chosen(["opposites"])) == 15 and sum(len(classes_of(task)) for task in chosen(["opposites"])) == 26


def test_what_springs_back_has_no_class_of_its_own_backwards():
    assert classes_of("door-open") == ("door-open", "door-open-backwards")
    assert classes_of("button-press") == ("button-press",) and classes_of("handle-pull-side") == ("handle-pull-side",)


@pytest.mark.parametrize("names, found", [(["dor-open"], "dor-open"), ([], ""), ([""], "")])
def test_what_is_no_task_is_refused(names, found):
    with pytest.raises(UserError, match=f"--tasks: expected opposites, pairs, all, or tasks .* found '{found}'"):
        chosen(names)


def test_splits_have_ranges_of_seeds_of_their_own():
    wanted = films(["door-open", "push"], (3, 2, 1))
    seeds = {split: sorted({film.seed for film in wanted if film.split == split}) for split in motion_videos.SPLITS}
    assert seeds == {"train": [0, 1, 2], "validation": [100_000, 100_001], "test": [200_000]}
    assert {(film.task, film.seed) for film in wanted} == {
        (task, seed) for task in ("door-open", "push") for seed in (0, 1, 2, 100_000, 100_001, 200_000)
    }


def test_annotations_name_every_video_of_every_class(tmp_path):
    make(tmp_path / "videos")
    rows = rows_of(tmp_path / "videos")
    assert [(row["label"], row["split"]) for row in rows if row["split"] == "train"] == [
        ("door-open-backwards", "train"),
        ("door-open-backwards", "train"),
        ("door-open", "train"),
        ("door-open", "train"),
        ("reach", "train"),
        ("reach", "train"),
    ]
    assert len(rows) == 3 * 4 and {row["split"] for row in rows} == {"train", "validation", "test"}
    assert "train/door-open/door-open_000001.mp4" in {row["path"] for row in rows if row["label"] == "door-open"}
    files = {str(path.relative_to(tmp_path / "videos")) for path in (tmp_path / "videos").rglob("*.mp4")}
    assert files == {row["path"] for row in rows}


def test_a_film_backwards_has_the_same_frames_in_the_other_order(tmp_path):
    make(tmp_path / "videos", counts=(1, 0, 0))
    forwards = read(tmp_path / "videos/train/door-open/door-open_000000.mp4")
    backwards = read(tmp_path / "videos/train/door-open-backwards/door-open-backwards_000000.mp4")
    np.testing.assert_array_equal(backwards, forwards[::-1])
    assert forwards.shape == (6, 16, 16, 3)
    assert np.diff(forwards.mean((1, 2, 3))) == pytest.approx([2.0] * 5, abs=6.0)  # the flicker is up to 5 %


def test_a_run_that_goes_on_films_only_what_is_missing(tmp_path):
    folder = tmp_path / "videos"
    make(folder)
    assert Painter.filmed == ["door-open"] * 4 + ["reach"] * 4 and Painter.made == ["door-open", "reach"]
    kept = os.stat(folder / "train/reach/reach_000000.mp4").st_mtime_ns
    os.remove(folder / "test/door-open-backwards/door-open-backwards_200000.mp4")
    os.remove(folder / "annotations.csv")
    make(folder)
    assert Painter.filmed[8:] == ["door-open"]
    assert os.stat(folder / "train/reach/reach_000000.mp4").st_mtime_ns == kept
    assert len(rows_of(folder)) == 12
    make(folder)
    assert len(Painter.filmed) == 9


def test_more_can_be_asked_for_later(tmp_path):
    make(tmp_path / "videos", tasks=("reach",), counts=(1, 0, 0))
    make(tmp_path / "videos", tasks=("push", "reach"), counts=(1, 0, 1))
    assert Painter.filmed == ["reach", "push", "push", "reach"]
    assert [row["path"] for row in rows_of(tmp_path / "videos")] == [
        "test/push-backwards/push-backwards_200000.mp4",
        "test/push/push_200000.mp4",
        "test/reach/reach_200000.mp4",
        "train/push-backwards/push-backwards_000000.mp4",
        "train/push/push_000000.mp4",
        "train/reach/reach_000000.mp4",
    ]


def test_a_film_that_is_not_whole_has_no_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(motion_videos.os, "replace", full)
    with pytest.raises(OSError):
        motion_videos.write_video(str(tmp_path / "a.mp4"), np.zeros((2, 16, 16, 3), np.uint8))
    assert os.listdir(tmp_path) == []


def test_failed_attempts_are_not_filmed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Painter, "fails", range(1, 8))  # the first seed's six attempts, and the second's first
    make(tmp_path / "videos", tasks=("reach",), counts=(2, 0, 0))
    assert [row["path"] for row in rows_of(tmp_path / "videos")] == ["train/reach/reach_000001.mp4"]
    assert "warning: of 2 films, experts failed in 1, 6 times each" in capsys.readouterr().err


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="expected a new folder or motion videos, found other files"):
        make(tmp_path)
    with pytest.raises(UserError, match="--output: expected a folder, found a file"):
        make(tmp_path / "thesis.tex")
    make(tmp_path / "videos", counts=(1, 0, 0))
    with pytest.raises(UserError, match=r'motion videos with .*"frames": 7.*found .*"frames": 6.* in '):
        make_motion_videos(
            str(tmp_path / "videos"), tasks=["reach"], counts=(1, 0, 0), settings=Settings(0, 16, 7), stage=Painter
        )


def test_a_missing_extra_is_one_line_that_says_what_to_install(tmp_path, monkeypatch):
    for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "LP_NUM_THREADS"):  # which are set for the process
        monkeypatch.setenv(name, "osmesa")
    monkeypatch.setitem(sys.modules, "metaworld", None)
    with pytest.raises(
        UserError, match=r"expected the extra \[motion\] \(pip install .*\), found no module named meta"
    ):
        make_motion_videos(str(tmp_path / "videos"), tasks=["reach"], counts=(1, 0, 0))
    assert not (tmp_path / "videos").exists()


def test_a_missing_library_that_draws_is_one_line_too(tmp_path, monkeypatch):
    def missing(*_):
        raise AttributeError("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    monkeypatch.setitem(sys.modules, "metaworld", types.ModuleType("metaworld"))
    monkeypatch.setitem(sys.modules, "mujoco", types.SimpleNamespace(GLContext=missing))
    with pytest.raises(UserError, match=r"Debian's libosmesa6; .*found with MUJOCO_GL=osmesa: 'NoneType' object"):
        make_motion_videos(str(tmp_path / "videos"), tasks=["reach"], counts=(1, 0, 0))
    assert not (tmp_path / "videos").exists()


def test_looks_depend_on_the_seed_alone():
    first, again, other = draw_look(7), draw_look(7), draw_look(8)
    np.testing.assert_array_equal(first.tints, again.tints)
    assert (first.azimuth == again.azimuth).all() and (first.azimuth != other.azimuth).all()
    assert all(-154 <= angle <= -26 for look in map(draw_look, range(50)) for angle in look.azimuth)


def test_the_sensor_has_the_noise_of_the_look():
    grey = np.full((4, 32, 32, 3), 128, np.uint8)
    look = draw_look(0)
    seen = expose(grey, look, np.random.default_rng(0)).astype(float)
    assert seen.std(axis=(1, 2, 3)) == pytest.approx([look.noise] * 4, rel=0.05)
    np.testing.assert_array_equal(seen, expose(grey, look, np.random.default_rng(0)))


def test_an_episode_ends_with_the_hand_going_away():
    """A tenth per step at most and at least 0.6 of it: ten to seventeen steps without tremor, a few more with it."""
    environment = Ramp()
    episode = perform(environment, Onwards(), np.array([0.0, 0.6, 0.2]), np.random.default_rng(0))
    assert 9 <= episode.success <= 20 and len(episode.states) == episode.success + 1 + 30
    assert episode.states[episode.success] >= 1.0 and episode.states[episode.success - 1] < 1.0
    assert (np.abs(np.array(environment.actions)) <= 1.0).all()
    assert [action[3] for action in environment.actions] == [1.0] * episode.success + [-1.0] * 30
    assert (np.abs(environment.hand_init_pos - [0.0, 0.6, 0.2]) <= [0.15, 0.08, 0.10]).all()


def test_an_episode_that_does_not_succeed_is_none():
    environment = Ramp(fails=(0,))
    assert perform(environment, Onwards(), np.zeros(3), np.random.default_rng(0)) is None
    assert len(environment.actions) == 250
    assert perform(environment, Onwards(), np.zeros(3), np.random.default_rng(0)) is not None


def test_a_film_begins_in_the_first_third_and_ends_after_the_task():
    episode = Episode(np.arange(131.0)[:, None], 100)
    for seed in range(20):
        states = cut(episode, 27, np.random.default_rng(seed))[:, 0]
        assert len(states) == 27 and 0 <= states[0] <= 30 and 104 <= states[-1] <= 130
        steps = np.diff(states)
        assert steps.max() - steps.min() <= 1.0  # even, but for rounding


def test_progress_counts_what_was_there(tmp_path, monkeypatch):
    bars = []
    progress = console.progress

    def seen(*arguments):
        bars.append(arguments)
        return progress(*arguments)

    monkeypatch.setattr(console, "progress", seen)
    make(tmp_path / "videos", counts=(1, 0, 0))
    make(tmp_path / "videos", counts=(2, 0, 0))
    assert bars == [("motion videos", 2, 0), ("motion videos", 4, 2)]


def test_a_film_has_a_path_for_each_class():
    assert Film("push", "test", 200_003).paths() == {
        "push": "test/push/push_200003.mp4",
        "push-backwards": "test/push-backwards/push-backwards_200003.mp4",
    }
