"""What a SavedModel says about video files. Needs the SavedModel only: no gin, no run folder."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.data.decode import VideoError, open_video
from tsnet_tf.data.folders import VIDEO_SUFFIXES, files_below, is_video
from tsnet_tf.data.sampling import LOOP, Sampling
from tsnet_tf.errors import NotFinite, UserError
from tsnet_tf.export.saved_model import read_metadata
from tsnet_tf.export.windows import at_rate, moments, sliding_clips

TOP_K = 5
CLIPS_AT_ONCE = 8
VIEWS = 10  # of a whole video, for a model of segments
_USUAL_FRAME_RATE = 30.0  # per second, of a file that does not say

# Length in seconds, number of clips, mean probabilities [classes], and (start, end, best class, probability) over time.
_Answer = tuple[float, int, np.ndarray, list[tuple[float, float, int, float]]]


class Predictor:
    """A SavedModel that bin/export.py has written.

    Args:
      saved_model: its folder.

    Raises:
      UserError: there is no such SavedModel, or its labels are not those of its output.
    """

    def __init__(self, saved_model: str):
        self.metadata = read_metadata(saved_model)
        self.labels: list[str] = self.metadata["labels"]
        self._sampling = Sampling(**self.metadata.get("sampling", {}))  # a model of before it was written has spans
        self._loaded = tf.saved_model.load(saved_model)
        self._serve = self._loaded.signatures["serving_default"]
        classes = self._serve.structured_outputs["probabilities"].shape[-1]
        if classes != len(self.labels):
            raise UserError(
                f"--saved_model: expected a label for each of its {classes} classes, found {len(self.labels)} in "
                f"'{saved_model}'"
            )

    def predict(self, video: str, overlap: float = 0.75, advance: Callable[[int], None] = lambda frames: None) -> dict:
        """Slides over a video of any length; a model of segments sees clips of the whole video instead.

        Args:
          video: path of a video file.
          overlap: the part of a clip that the next one shows again, 0 to less than 1.
          advance: is told how many source frames have been done since it was last told.

        Returns:
          ``video``; ``seconds`` (length), ``clips`` (their number); ``top``, the best 5 labels with their
          ``probability``, the mean over all clips; ``timeline``, rows of ``start``, ``end`` (seconds), ``label`` and
          ``probability``: the label that is best between, and its mean over the clips that show a moment and over
          the moments.

        Raises:
          VideoError: it cannot be decoded.
          NotFinite: what the model says is no number.
        """
        predict = self._whole if self._sampling.segments else self._sliding
        seconds, clips, mean, timeline = predict(video, overlap, advance)
        return {
            "video": video,
            "seconds": seconds,
            "clips": clips,
            "top": [
                {"label": self.labels[index], "probability": float(mean[index])}
                for index in np.argsort(-mean, kind="stable")[:TOP_K]
            ],
            "timeline": [
                {"start": start, "end": end, "label": self.labels[best], "probability": probability}
                for start, end, best, probability in timeline
            ],
        }

    def _sliding(self, video: str, overlap: float, advance: Callable[[int], None]) -> _Answer:
        frames, stride, sampling = self.metadata["frames"], self.metadata["frame_stride"], self._sampling
        hop = max(1, round(frames * stride * (1.0 - overlap)))
        total, clips, seen, read, told = np.zeros(len(self.labels)), 0, 0, 0, 0
        with open_video(video, short_side=self.metadata["short_side"]) as opened:

            def counted() -> Iterator[np.ndarray]:
                nonlocal read
                for picture in opened:
                    read += 1
                    yield picture

            def probabilities() -> Iterator[np.ndarray]:
                nonlocal total, clips, seen, told
                pictures = at_rate(counted(), opened.frame_rate, sampling.frame_rate)
                source = sliding_clips(pictures, frames, stride, hop, loop=sampling.short_videos == LOOP)
                while batch := list(itertools.islice(source, CLIPS_AT_ONCE)):
                    seen = batch[-1][0]
                    for row in self._probabilities([clip for _, clip in batch]):
                        total, clips = total + row, clips + 1
                        yield row
                    advance(read - told)
                    told = read

            timeline = _Timeline(hop)
            for row in moments(probabilities(), math.ceil(frames * stride / hop)):
                timeline.add(int(row.argmax()), float(row.max()))
        rate = opened.frame_rate or _USUAL_FRAME_RATE
        if opened.frame_rate and sampling.frame_rate:
            rate = sampling.frame_rate
        found = [(start / rate, end / rate, best, p) for start, end, best, p in timeline.segments(seen)]
        return seen / rate, clips, total / clips, found

    def _whole(self, video: str, _: float, advance: Callable[[int], None]) -> _Answer:
        """Decodes twice: which frames are needed is known when all have been counted, and few are to be kept."""
        with open_video(video, short_side=self.metadata["short_side"]) as opened:
            count, rate = sum(1 for _ in opened), opened.frame_rate
        chosen = self._sampling.test_frames(
            tf.constant(count), tf.constant(rate), self.metadata["frames"], self.metadata["frame_stride"], VIEWS
        ).numpy()
        with open_video(video, short_side=self.metadata["short_side"]) as opened:
            needed = set(chosen.flatten())
            kept = {number: one for number, one in enumerate(opened) if number in needed}
        mean = np.mean([row for view in chosen for row in self._probabilities([np.stack([kept[i] for i in view])])], 0)
        advance(count)
        seconds = count / (rate or _USUAL_FRAME_RATE)
        return seconds, VIEWS, mean, [(0.0, seconds, int(mean.argmax()), float(mean.max()))]

    def _probabilities(self, clips: list[np.ndarray]) -> np.ndarray:
        found = self._serve(frames=tf.constant(np.stack(clips)))["probabilities"].numpy().astype(np.float64)
        broken = ~np.isfinite(found).all(axis=1)
        if broken.any():
            raise NotFinite(
                f"prediction: the probabilities of {broken.sum()} of {counted(len(broken), 'clip')} are not "
                "finite; the model's weights are broken: train it anew with a smaller learning_rate, or "
                "weight_optimizer.clip_norm"
            )
        return found


class _Timeline:
    """Joins moments with the same best class."""

    def __init__(self, hop: int):
        self._hop, self._moments = hop, 0
        self._segments: list[list] = []  # first moment, best class, sum of probabilities, number of moments

    def add(self, best: int, probability: float) -> None:
        if not self._segments or self._segments[-1][1] != best:
            self._segments.append([self._moments, best, 0.0, 0])
        self._segments[-1][2] += probability
        self._segments[-1][3] += 1
        self._moments += 1

    def segments(self, frames: int) -> Iterator[tuple[int, int, int, float]]:
        """(start, end, best class, mean probability), in source frames, of a video of ``frames``."""
        for first, best, total, count in self._segments:
            start, end = first * self._hop, min((first + count) * self._hop, frames)
            if start < end:
                yield start, end, best, total / count


def find_videos(paths: Sequence[str]) -> list[str]:
    """Every path that is no folder, and the video files in and below every folder, sorted, by the rules of preparation.

    Raises:
      UserError: there is nothing at a path, no video in a folder, or a name that is not in UTF-8.
    """
    found = []
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"--video: expected a name in UTF-8, found {os.fsencode(path)!r}") from error
        if not os.path.exists(path):
            raise UserError(f"--video: expected a video file or a folder, found nothing at '{path}'")
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside = files_below(path, "--video", is_video)
        if not inside:
            raise UserError(f"--video: expected videos ({', '.join(VIDEO_SUFFIXES)}) in '{path}', found none")
        found += [os.path.join(path, name) for name in inside]
    return found


def predict_files(
    predictor: Predictor, videos: Sequence[str], overlap: float, show: Callable[[dict], None], quiet: bool = False
) -> None:
    """Predicts one file after the other; one that cannot be decoded is named, and the others go on.

    Args:
      predictor: the SavedModel.
      videos: paths of video files.
      overlap: as for `Predictor.predict`.
      show: gets the result of each file when it is there.
      quiet: without a progress bar.

    Raises:
      UserError: in the end, some files could not be decoded.
    """
    broken = []
    for number, video in enumerate(videos, start=1):
        title = f"prediction {number} of {len(videos)}" if len(videos) > 1 else "prediction"
        try:
            if quiet:
                result = predictor.predict(video, overlap)
            else:
                with console.progress(title, _expected_frames(video)) as bar:
                    result = predictor.predict(video, overlap, bar.advance)
        except VideoError as error:
            broken.append(video)
            reason = str(error)
            if len(videos) > 1:
                console.warn(f"'{video}' {reason}")
            continue
        show(result)
    if broken and len(videos) == 1:
        raise UserError(f"--video: expected a video that can be decoded, found that '{broken[0]}' {reason}")
    if broken:
        raise UserError(f"--video: expected {len(videos)} videos that can be decoded, found {len(broken)} that cannot")


def show_text(result: dict) -> None:
    """Shows the best labels, and the timeline where there is more than one thing to say."""
    console.table(
        os.path.basename(result["video"]),
        ["label", "probability"],
        [(row["label"], f"{row['probability']:.3f}") for row in result["top"]],
    )
    if len(result["timeline"]) > 1:
        console.table(
            f"over its {_clock(result['seconds'])} minutes",
            ["from", "to", "percent", "label"],
            [
                (_clock(row["start"]), _clock(row["end"]), f"{100 * row['probability']:.0f} %", row["label"])
                for row in result["timeline"]
            ],
        )


def _clock(seconds: float) -> str:
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _expected_frames(video: str) -> int:
    """How many frames a file says that it has; 1 if it cannot be read, which will be told."""
    try:
        with open_video(video) as opened:
            return max(1, opened.expected)
    except VideoError:
        return 1
