"""Annotated videos to sharded TFRecords, with Apache Beam.

The output folder holds ``<split>-00000-of-0000N.tfrecord``, ``labels.json`` (labels in the order of their indices),
``rejects.csv`` (path, label, split and reason of every video left out) and ``manifest.json`` (counts, bytes and
checksums, options, versions). It appears under its name only when it is whole; object stores, which cannot rename a
folder, get the manifest last. A run that was stopped goes on with the shards that are missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import shlex
import threading
from collections.abc import Iterator, Sequence

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tsnet_tf import atomic, console, filesystems
from tsnet_tf.console import counted
from tsnet_tf.data import manifest, output_folder
from tsnet_tf.data.annotations import (
    Annotation,
    check_files,
    counts,
    draw_classes,
    label_map,
    of_classes,
    stable_hash,
)
from tsnet_tf.data.decode import Limits
from tsnet_tf.data.earlier import Earlier
from tsnet_tf.data.labels import check_distinct, check_trained
from tsnet_tf.data.shards import Shard, location_of, plan_shards, read_report, write_shard
from tsnet_tf.data.video_dataset import MANIFEST
from tsnet_tf.errors import UserError

LABELS = "labels.json"
_POLL_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Options:
    """What decides the records' content.

    Attributes:
      videos: folder that the annotations' paths are relative to.
      short_side: of the stored frames, pixels.
      jpeg_quality: of the stored frames, 1 to 100.
      shards: per split; None for one per 32 videos and at most 1024.
      limits: what a video may have at most.
      random_classes: number of classes to draw; None for all.
      class_seed: draws them.
    """

    videos: str
    short_side: int = 256
    jpeg_quality: int = 90
    shards: int | None = None
    limits: Limits = Limits()
    random_classes: int | None = None
    class_seed: int = 0


def prepare(
    annotations: Sequence[Annotation],
    output: str,
    options: Options,
    *,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    earlier: Earlier | None = None,
    beam_options: str = "",
) -> None:
    """Writes the records to ``output``, or leaves them alone when they are there already.

    Args:
      annotations: every video.
      output: folder to make.
      options: content of the records.
      labels: the label map, when it is given beforehand; else all labels that occur, sorted.
      classes: the only classes to prepare, and the label map; None for all.
      earlier: records that the videos are added to; ``output`` gets copies of theirs.
      beam_options: Beam's own flags, such as "--runner=FlinkRunner --flink_master=host:8081".

    Raises:
      UserError: a label is not in ``labels`` or looks like another one, a class is not in the annotations, a video is
        there twice, ``output`` holds something else, no video is usable, or they do not go with ``earlier``.
    """
    output = output.rstrip("/")
    filesystems.load_for(output, options.videos, *(annotation.path for annotation in annotations))
    wanted = _wanted(annotations, options, labels, classes, earlier)
    if output_folder.is_complete(output, wanted.fingerprint, options.videos):
        return
    folder = output_folder.begin(output, wanted.fingerprint)
    plan = plan_shards(wanted.annotations, options.shards)
    if earlier:
        plan = earlier.renumbered(plan)
        earlier.copy_to(folder, plan)
    with _watched(folder, plan):
        _run_pipeline(plan, folder, options, wanted.labels, beam_options)
    described = _describe(folder, plan, wanted, options, earlier)
    output_folder.finish(folder, output)
    _tell(described, output, wanted, earlier)


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """What the records are going to be.

    Attributes:
      annotations: of the videos to write.
      every: those, and the ones of earlier records.
      labels: the label map.
      fingerprint: of all of it and the options; equal ones give equal records.
    """

    annotations: Sequence[Annotation]
    every: Sequence[Annotation]
    labels: Sequence[str]
    fingerprint: str


def _wanted(
    annotations: Sequence[Annotation],
    options: Options,
    labels: Sequence[str] | None,
    classes: Sequence[str] | None,
    earlier: Earlier | None,
) -> _Wanted:
    """Takes the classes and videos that are to be prepared, and looks whether they can be; arguments of `prepare`."""
    if options.random_classes:
        classes = draw_classes(annotations, options.random_classes, options.class_seed)
    if classes is not None:
        annotations = of_classes(annotations, classes)
    every = annotations
    if earlier:
        earlier.check(dataclasses.asdict(options))
        annotations = earlier.additions(annotations, options.videos)
        every = [*earlier.annotations.values(), *annotations]
        labels = earlier.labels(label_map(annotations), labels)
    labels = label_map(annotations, labels or classes)
    check_distinct(labels)
    check_files(annotations, lambda path: location_of(options.videos, path))
    check_trained(labels, counts(every))
    rows = sorted(map(dataclasses.astuple, annotations))
    parts = [manifest.FORMAT, json.dumps([dataclasses.asdict(options), labels, rows])]
    fingerprint = stable_hash(*parts, *([earlier.manifest["fingerprint"]] if earlier else []))
    return _Wanted(annotations, every, labels, fingerprint)


def _describe(folder: str, plan: Sequence[Shard], wanted: _Wanted, options: Options, earlier: Earlier | None) -> dict:
    """Gathers the shards' reports into the files beside the records; returns the content of ``manifest.json``."""
    reports = [read_report(folder, shard) for shard in plan]
    rejects = sorted(reject for report in reports for reject in report.rejects)
    if not any(report.videos for report in reports):
        tf.io.gfile.rmtree(folder)
        path, _, _, reason = rejects[0]
        raise UserError(
            f"expected at least one usable video in '{options.videos}', found none among {len(rejects)}; "
            f"the first: '{path}' {reason}"
        )
    if earlier:  # what was left out then and is not annotated now
        again = {annotation.path for annotation in wanted.annotations}
        rejects = sorted(rejects + [row for row in manifest.read_rejects(earlier.folder) if row[0] not in again])
    manifest.write_rejects(folder, rejects)
    atomic.write_json(os.path.join(folder, LABELS), wanted.labels)
    for name in tf.io.gfile.listdir(folder):
        if name.endswith((".report.json", ".tmp")):  # the second of workers that were killed
            tf.io.gfile.remove(os.path.join(folder, name))
    splits = manifest.splits(plan, reports, earlier.manifest["splits"] if earlier else {})
    described = manifest.make(splits, rejects, wanted.labels, dataclasses.asdict(options), wanted.fingerprint)
    atomic.write_json(os.path.join(folder, MANIFEST), described)
    return described


def _tell(described: dict, output: str, wanted: _Wanted, earlier: Earlier | None) -> None:
    """Says how many videos there are, how many are not, and which classes lost all that they had for training."""
    videos, left_out = _videos(described), described["rejected"]["total"]
    added = f", {videos - _videos(earlier.manifest)} more than in {earlier.folder}" if earlier else ""
    console.say(f"prepare: {counted(videos, 'video')} of {counted(len(wanted.labels), 'class')} in {output}{added}")
    if left_out:
        trained = counts(wanted.every)["train"]
        written = {split: of_split["classes"] for split, of_split in described["splits"].items()}
        check_trained([label for label in wanted.labels if label in trained], written, " that can be used")
        rejects = os.path.join(output, manifest.REJECTS)
        console.warn(f"{left_out} of {videos + left_out} videos left out, see {rejects}")


def _videos(described: dict) -> int:
    return sum(of_split["videos"] for of_split in described["splits"].values())


class _WriteShard(beam.DoFn):
    """Writes shards; the unit of work, and of a retry, is one shard."""

    def __init__(self, folder: str, options: Options, labels: Sequence[str]):
        self._folder, self._options = folder, options
        self._label_indices = {label: index for index, label in enumerate(labels)}

    def setup(self) -> None:
        filesystems.load_for(self._folder, self._options.videos)  # this may be another machine

    def process(self, shard: Shard) -> None:
        options = self._options
        write_shard(
            shard,
            self._folder,
            options.videos,
            self._label_indices,
            options.short_side,
            options.jpeg_quality,
            options.limits,
        )


def _run_pipeline(
    plan: Sequence[Shard], folder: str, options: Options, labels: Sequence[str], beam_options: str
) -> None:
    # Decoding and encoding release the interpreter's lock, so threads are as fast as processes here, and need not
    # import TensorFlow once each. Flags that are given come later and win.
    local = ["--direct_running_mode=multi_threading", f"--direct_num_workers={max(2, multiprocessing.cpu_count())}"]
    flags = PipelineOptions(local + shlex.split(beam_options))
    runner = flags.view_as(StandardOptions).runner
    if runner in (None, "DirectRunner"):
        # Asked for by name, the DirectRunner first tries to download another runner.
        runner = FnApiRunner()
    try:
        pipeline = beam.Pipeline(runner=runner, options=flags)
    except (ValueError, ImportError) as error:
        raise UserError(f"--beam_options: expected options of a Beam runner, found: {error}") from error
    with pipeline:
        (
            pipeline
            | "Plan" >> beam.Create(plan, reshuffle=False)
            | "Spread" >> beam.Reshuffle()
            | "WriteShard" >> beam.ParDo(_WriteShard(folder, options, labels))
        )


@contextlib.contextmanager
def _watched(folder: str, plan: Sequence[Shard]) -> Iterator[None]:
    """Shows how many videos are in finished shards, on any runner, for as long as the context lasts."""
    sizes = {shard.report_name: len(shard.annotations) for shard in plan}
    seen = {name for name in tf.io.gfile.listdir(folder) if name in sizes}
    stop = threading.Event()
    total, done = sum(sizes.values()), sum(sizes[name] for name in seen)

    def look() -> None:
        new = {name for name in tf.io.gfile.listdir(folder) if name in sizes} - seen
        for name in sorted(new):
            seen.add(name)
            bar.advance(sizes[name])

    def watch() -> None:
        while not stop.wait(_POLL_SECONDS):
            look()

    with console.progress("prepare", total, done) as bar:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            look()
