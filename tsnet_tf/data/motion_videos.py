"""Films a robot that does the tasks of Meta-World, forwards and backwards: .mp4 files and an annotation file.

It is simulated video, and not a camera's. A film is of a task and a seed; the seed decides camera, light and colours,
in all classes alike, and every split has seeds of its own.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import uuid
from collections.abc import Callable, Sequence

import av
import numpy as np

from tsnet_tf import console
from tsnet_tf.data import motion_stage
from tsnet_tf.data.motion_episode import cut
from tsnet_tf.data.motion_look import draw_look, expose
from tsnet_tf.data.motion_tasks import TASKS, classes_of
from tsnet_tf.errors import UserError

# First seed of each split. Splits can grow, up to the next one's seeds, and what is filmed stays what it is.
SPLITS = {"train": 0, "validation": 100_000, "test": 200_000}
MOST_SEEDS = 100_000  # of a split
_ALL_SEEDS = 600_000  # no look is drawn by the seeds of two data sets

ANNOTATIONS = "annotations.csv"
SETTINGS = "settings.json"
_FORMAT = "tsnet_tf motion videos 1"  # count up whenever the same settings give other pixels
_FRAME_RATE = 15
_TRIES = 6  # a seed's task is drawn anew when the expert fails
_FILMS_IN_TURN = 24  # of a task, before the next one is set up

# Every frame is coded alone, so that a film that runs backwards has exactly the same frames.
_ENCODER = {"preset": "ultrafast", "qp": "16", "g": "1", "bf": "0", "threads": "1"}


_stages: dict[tuple, motion_stage.Stage] = {}  # one at most: the last that this process has set up


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the pixels.

    Attributes:
      seed: with another one everything is other.
      size: side of the frames, pixels.
      frames: of each film.
    """

    seed: int = 0
    size: int = 64
    frames: int = 28


@dataclasses.dataclass(frozen=True)
class Film:
    """One episode to film."""

    task: str
    split: str
    seed: int

    def paths(self) -> dict[str, str]:
        """Label to path of the video, relative to the data set's folder, with forward slashes."""
        return {label: f"{self.split}/{label}/{label}_{self.seed:06d}.mp4" for label in classes_of(self.task)}


def films(tasks: Sequence[str], counts: Sequence[int]) -> list[Film]:
    """Returns every film of the tasks, with ``counts`` seeds in train, validation and test."""
    seeds = [
        (split, first + n) for (split, first), count in zip(SPLITS.items(), counts, strict=True) for n in range(count)
    ]
    return [Film(task, split, seed) for split, seed in seeds for task in tasks]


def make_motion_videos(
    output: str,
    *,
    tasks: Sequence[str],
    counts: Sequence[int],
    settings: Settings = Settings(),
    processes: int | None = None,
    stage: Callable[[str, int], motion_stage.Stage] = motion_stage.Stage,
) -> None:
    """Films what is not in ``output`` yet, then writes the annotation file of all that was asked for.

    A film gets its name when it is whole, so a run that was stopped goes on with those that are missing; more tasks or
    seeds can be asked for later.

    Args:
      output: folder of the videos.
      tasks: of `motion_tasks.TASKS`.
      counts: number of seeds in the train, validation and test splits; each gives a video of every class.
      settings: what decides the pixels.
      processes: number of them; None for one per core.
      stage: makes the simulation of a task and a size.

    Raises:
      UserError: ``output`` holds something else, or the simulator is not installed.
    """
    wanted = films(tasks, counts)
    _check_folder(output, settings)
    missing = [film for film in wanted if not _is_there(output, film)]
    if missing:
        if stage is motion_stage.Stage:
            motion_stage.check_installed()
        os.makedirs(output, exist_ok=True)
        _write_text(os.path.join(output, SETTINGS), json.dumps(_described(settings), indent=2) + "\n")
        for folder in {os.path.dirname(path) for film in missing for path in film.paths().values()}:
            os.makedirs(os.path.join(output, folder), exist_ok=True)
        _film_all(output, settings, _in_turn(missing), len(wanted), processes, stage)
    there = [film for film in wanted if _is_there(output, film)]
    rows = sorted((path, label, film.split) for film in there for label, path in film.paths().items())
    text = "".join(f"{','.join(row)}\n" for row in [("path", "label", "split"), *rows])
    _write_text(os.path.join(output, ANNOTATIONS), text)
    if len(there) < len(wanted):
        console.warn(f"of {len(wanted)} films, experts failed in {len(wanted) - len(there)}, {_TRIES} times each")
    classes = len({label for _, label, _ in rows})
    console.say(f"motion videos: {len(rows)} videos of {classes} classes in {output}")


def film_one(stage: motion_stage.Stage, film: Film, settings: Settings) -> np.ndarray | None:
    """Returns the frames of a film, uint8 [frames, size, size, 3], RGB; None if the expert failed every time.

    They depend on the arguments only.
    """
    for attempt in range(_TRIES):
        random = np.random.default_rng([settings.seed, film.seed, TASKS.index(film.task), attempt])
        episode = stage.perform(random)
        if episode is not None:
            look = draw_look(settings.seed * _ALL_SEEDS + film.seed)
            frames = stage.film(cut(episode, settings.frames, random), look)
            return expose(frames, look, random)
    return None


def write_video(path: str, frames: np.ndarray) -> None:
    """Writes RGB frames, uint8 [frames, height, width, 3], to an H.264 .mp4 file; it gets its name when it is whole."""
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with av.open(temporary, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=_FRAME_RATE, options=dict(_ENCODER))
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def _film_all(output: str, settings: Settings, missing: Sequence[Film], total: int, processes, stage) -> None:
    with console.progress("motion videos", total, total - len(missing)) as bar:
        if processes == 1:
            for film in missing:
                _film_to_disk(output, settings, film, stage)
                bar.advance()
            return
        # "spawn" also works where the calling process runs threads (TensorFlow), which "fork" does not survive.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
            futures = [pool.submit(_film_to_disk, output, settings, film, stage) for film in missing]
            try:
                for future in concurrent.futures.as_completed(futures):
                    future.result()
                    bar.advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _in_turn(missing: Sequence[Film]) -> list[Film]:
    """Sorts films so that few stages are set up, and yet all tasks get on alike."""
    counted: collections.Counter[str] = collections.Counter()
    places = []
    for film in missing:
        places.append((counted[film.task] // _FILMS_IN_TURN, film.task))
        counted[film.task] += 1
    return [film for _, film in sorted(zip(places, missing, strict=True), key=lambda pair: pair[0])]


def _film_to_disk(output: str, settings: Settings, film: Film, stage) -> None:
    frames = film_one(_set_up(stage, film.task, settings.size), film, settings)
    if frames is not None:
        for path, shown in zip(film.paths().values(), (frames, frames[::-1]), strict=False):
            write_video(os.path.join(output, path), shown)


def _set_up(stage, task: str, size: int):
    """The stage of a task; a process keeps the last one."""
    if (stage, task, size) not in _stages:
        while _stages:
            _stages.popitem()[1].close()
        _stages[stage, task, size] = stage(task, size)
    return _stages[stage, task, size]


def _is_there(output: str, film: Film) -> bool:
    return all(os.path.exists(os.path.join(output, path)) for path in film.paths().values())


def _described(settings: Settings) -> dict:
    return {"format": _FORMAT, **dataclasses.asdict(settings)}


def _check_folder(output: str, settings: Settings) -> None:
    if not os.path.isdir(output) or not os.listdir(output):
        if os.path.lexists(output) and not os.path.isdir(output):
            raise UserError(f"--output: expected a folder, found a file at '{output}'")
        return
    try:
        with open(os.path.join(output, SETTINGS)) as file:
            found = json.load(file)
    except (OSError, ValueError):
        raise UserError(f"--output: expected a new folder or motion videos, found other files in {output}") from None
    if found != _described(settings):
        raise UserError(
            f"--output: expected a new folder or motion videos with {json.dumps(_described(settings))}, "
            f"found {json.dumps(found)} in {output}; delete it or choose another folder"
        )


def _write_text(path: str, text: str) -> None:
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    with open(temporary, "w", newline="") as file:
        file.write(text)
    os.replace(temporary, path)
