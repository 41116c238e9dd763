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
from tsnet_tf.data import manifest
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
from tsnet_tf.data.shards import MISSING, Shard, location_of, plan_shards, read_report, write_shard
from tsnet_tf.data.video_dataset import MANIFEST
from tsnet_tf.errors import UserError

LABELS = "labels.json"
_PLAN = "plan.json"  # in an unfinished output only
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
    if options.random_classes:
        classes = draw_classes(annotations, options.random_classes, options.class_seed)
    if classes is not None:
        annotations = of_classes(annotations, classes)
    every, before = annotations, earlier.manifest if earlier else {"splits": {}}
    if earlier:
        earlier.check(dataclasses.asdict(options))
        annotations = earlier.additions(annotations, options.videos)
        every = [*earlier.annotations.values(), *annotations]
        labels = earlier.labels(label_map(annotations), labels)
    labels = label_map(annotations, labels or classes)
    check_distinct(labels)
    check_files(annotations, lambda path: location_of(options.videos, path))
    check_trained(labels, counts(every))
    plan = plan_shards(annotations, options.shards)
    rows = sorted(map(dataclasses.astuple, annotations))
    parts = [manifest.FORMAT, json.dumps([dataclasses.asdict(options), labels, rows])]
    fingerprint = stable_hash(*parts, *([before["fingerprint"]] if earlier else []))
    if _is_complete(output, fingerprint, options.videos):
        return
    # Records are read as they are from the folder's real name on object stores, where a rename copies every byte.
    folder = output if "://" in output else f"{os.path.realpath(output)}.partial"
    _start_or_resume(folder, fingerprint)
    if earlier:
        plan = earlier.renumbered(plan)
        earlier.copy_to(folder, plan)
    with _watched(folder, plan):
        _run_pipeline(plan, folder, options, labels, beam_options)
    reports = [read_report(folder, shard) for shard in plan]
    videos = sum(report.videos for report in reports)
    rejects = sorted(reject for report in reports for reject in report.rejects)
    if not videos:
        tf.io.gfile.rmtree(folder)
        path, _, _, reason = rejects[0]
        raise UserError(
            f"expected at least one usable video in '{options.videos}', found none among {len(rejects)}; "
            f"the first: '{path}' {reason}"
        )
    if earlier:  # what was left out then and is not annotated now
        again = {annotation.path for annotation in annotations}
        rejects = sorted(rejects + [row for row in manifest.read_rejects(earlier.folder) if row[0] not in again])
    manifest.write_rejects(folder, rejects)
    atomic.write_json(os.path.join(folder, LABELS), labels)
    for name in tf.io.gfile.listdir(folder):
        if name.endswith((".report.json", ".tmp")):  # the second of workers that were killed
            tf.io.gfile.remove(os.path.join(folder, name))
    splits = manifest.splits(plan, reports, before["splits"])
    described = manifest.make(splits, rejects, labels, dataclasses.asdict(options), fingerprint)
    atomic.write_json(os.path.join(folder, MANIFEST), described)
    tf.io.gfile.remove(os.path.join(folder, _PLAN))
    if folder != output:
        os.replace(folder, os.path.realpath(output))
    added = f", {videos} more than in {earlier.folder}" if earlier else ""
    total = sum(of_split["videos"] for of_split in splits.values())
    console.say(f"prepare: {counted(total, 'video')} of {counted(len(labels), 'class')} in {output}{added}")
    if rejects:
        trained = counts(every)["train"]
        written = {split: of_split["classes"] for split, of_split in splits.items()}
        check_trained([label for label in labels if label in trained], written, " that can be used")
        console.warn(
            f"{len(rejects)} of {total + len(rejects)} videos left out, see {os.path.join(output, manifest.REJECTS)}"
        )


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


def _is_complete(output: str, fingerprint: str, videos: str) -> bool:
    manifest_path = os.path.join(output, MANIFEST)
    if not tf.io.gfile.exists(manifest_path):
        _check_new(output)
        return False
    described = _read_json(manifest_path)
    if described.get("fingerprint") != fingerprint:
        raise UserError(
            f"--output: expected a new folder or records of the same annotations and options, found in '{output}' "
            f"records of {described.get('options')}; delete it or choose another folder"
        )
    rejected = described["rejected"]["total"]
    rejects = os.path.join(output, manifest.REJECTS)
    left_out = f" ({rejected} left out, see {rejects})" if rejected else ""
    missing = [path for path, *_, reason in manifest.read_rejects(output) if reason == MISSING]
    found = [path for path in missing if tf.io.gfile.exists(location_of(videos, path))]
    if found:
        raise UserError(
            f"--output: expected a new folder, or the videos that '{output}' was made of, found {len(found)} that were "
            f"missing then, such as '{found[0]}'; delete it or choose another folder"
        )
    console.say(f"prepare: {output} is complete, reused{left_out}")
    return True


def _check_new(output: str) -> None:
    """Refuses at once what could not be written, or given its name, hours later."""
    if "://" not in output and os.path.lexists(output) and (not os.path.isdir(output) or os.path.ismount(output)):
        raise UserError(f"--output: expected a new folder, found a file, or a disk itself, at '{output}'")
    if tf.io.gfile.isdir(output) and tf.io.gfile.listdir(output) and not tf.io.gfile.exists(f"{output}/{_PLAN}"):
        raise UserError(f"--output: expected a new folder or prepared records, found other files in '{output}'")


def _start_or_resume(folder: str, fingerprint: str) -> None:
    """Makes the folder, or keeps the finished shards of a stopped run with the same input."""
    plan_path = os.path.join(folder, _PLAN)
    if tf.io.gfile.exists(plan_path):
        if _read_json(plan_path).get("fingerprint") == fingerprint:
            return
        raise UserError(
            f"--output: expected a new folder or one that was begun with the same annotations and options, found "
            f"'{folder}' begun with others; delete it or choose another folder"
        )
    try:
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        tf.io.gfile.makedirs(folder)
        atomic.write_json(plan_path, {"fingerprint": fingerprint})
    except (
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
        tf.errors.FailedPreconditionError,
        tf.errors.InvalidArgumentError,  # a bucket instead of a folder in one
    ) as error:
        raise UserError(f"--output: expected a folder that can be made, found: {error.message}") from error


def _read_json(path: str) -> dict:
    with tf.io.gfile.GFile(path) as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise UserError(f"--output: expected a JSON file, found in '{path}': {error}") from error
