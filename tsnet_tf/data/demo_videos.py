"""Writes the demo data set: 18 classes (2 textures x 9 things to do) of H.264 .mp4 files and annotations."""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import json
import multiprocessing
import os
import shutil

import av
import numpy as np

from tsnet_tf import console
from tsnet_tf.data import demo_scene
from tsnet_tf.errors import UserError

SPLITS = ("train", "validation", "test")
KINDS = tuple((texture, order) for texture in demo_scene.TEXTURES for order in demo_scene.ORDERS)

ANNOTATIONS = "annotations.csv"
SETTINGS = "settings.json"
_FORMAT = "tsnet_tf demo videos 4"  # count up whenever the same settings give other pixels

# Every frame is coded alone and at the same quality. With predicted frames the coding errors around a moving shape
# would differ from those around a still one, and a single frame could give the motion away.
_ENCODER = {"preset": "ultrafast", "qp": "20", "g": "1", "bf": "0", "threads": "1"}


@dataclasses.dataclass(frozen=True)
class Video:
    """One video to write: ``index`` counts within its class and split."""

    split: str
    texture: str
    order: tuple[str, str]
    index: int

    @property
    def label(self) -> str:
        return f"{self.texture}_{'_then_'.join(dict.fromkeys(self.order))}"

    @property
    def path(self) -> str:
        """Path relative to the data set's folder; always with forward slashes."""
        return f"{self.split}/{self.label}/{self.label}_{self.index:04d}.mp4"


def make_demo_videos(output: str, *, seed: int, difficulty: int, videos_per_class: tuple[int, int, int]) -> None:
    """Writes the data set to ``output``, or leaves it alone when it is there already.

    Everything is written to ``<output>.partial``, which gets its real name when it is whole.

    Args:
      output: folder to make.
      seed: the same seed gives the same pixels, however many processes draw them.
      difficulty: level of noise, one of `demo_scene.DIFFICULTIES`.
      videos_per_class: number of videos of each class in the train, validation and test splits.

    Raises:
      UserError: ``output`` holds something else.
    """
    settings = {
        "format": _FORMAT,
        "seed": seed,
        "difficulty": difficulty,
        "videos_per_class": dict(zip(SPLITS, videos_per_class, strict=True)),
    }
    output = os.path.normpath(output)
    if _is_complete(output, settings):
        console.say(f"demo videos: {output} is complete, reused")
        return
    partial = f"{output}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    videos = [
        Video(split, texture, order, index)
        for split, count in zip(SPLITS, videos_per_class, strict=True)
        for texture, order in KINDS
        for index in range(count)
    ]
    for video in videos:
        os.makedirs(os.path.dirname(os.path.join(partial, video.path)), exist_ok=True)
    _write_all(partial, seed, difficulty, videos)
    with open(os.path.join(partial, ANNOTATIONS), "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["path", "label", "split"])
        rows.writerows([video.path, video.label, video.split] for video in videos)
    with open(os.path.join(partial, SETTINGS), "w") as file:
        file.write(json.dumps(settings, indent=2) + "\n")
    os.replace(partial, output)
    console.say(f"demo videos: {len(videos)} videos of {len(KINDS)} classes in {output}")


def draw_video(seed: int, difficulty: int, video: Video) -> np.ndarray:
    """Returns the frames of one video, uint8 [frames, height, width, 3], RGB; they depend on the arguments only.

    Levels of difficulty differ in noise: the scene is that of the seed and the video.
    """
    key = [seed, SPLITS.index(video.split), KINDS.index((video.texture, video.order)), video.index]
    random = np.random.default_rng(key)
    noise = demo_scene.noise(difficulty)
    scene = demo_scene.draw_scene(random, noise)
    return demo_scene.render(scene, video.texture, video.order, noise, random)


def write_video(path: str, frames: np.ndarray) -> None:
    """Writes RGB frames, uint8 [frames, height, width, 3], to an H.264 .mp4 file."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=demo_scene.FRAME_RATE, options=dict(_ENCODER))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _is_complete(output: str, settings: dict) -> bool:
    if not os.path.isdir(output) or not os.listdir(output):
        return False
    try:
        with open(os.path.join(output, SETTINGS)) as file:
            found = json.load(file)
    except (OSError, ValueError):
        raise UserError(f"--output: expected a new folder or demo videos, found other files in {output}") from None
    if found != settings:
        raise UserError(
            f"--output: expected a new folder or demo videos with {json.dumps(settings)}, "
            f"found {json.dumps(found)} in {output}; delete it or choose another folder"
        )
    return True


def _write_all(folder: str, seed: int, difficulty: int, videos: list[Video]) -> None:
    # "spawn" also works where the calling process runs threads (TensorFlow), which "fork" does not survive.
    context = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(mp_context=context) as pool,
        console.progress("demo videos", len(videos)) as bar,
    ):
        futures = [pool.submit(_write_one, folder, seed, difficulty, video) for video in videos]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
                bar.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_one(folder: str, seed: int, difficulty: int, video: Video) -> None:
    write_video(os.path.join(folder, video.path), draw_video(seed, difficulty, video))
