"""Annotated videos to sharded TFRecords, with Apache Beam.

The output folder holds ``<split>-00000-of-0000N.tfrecord``, ``labels.json`` (labels in the order of their indices),
``rejects.csv`` (path, label, split and reason of every video left out) and ``manifest.json`` (counts, bytes and
checksums, options, versions). It appears under its name only when it is whole; object stores, which cannot rename a
folder, get the manifest last. A run that was stopped goes on with the shards that are missing.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import importlib.metadata
import io
import json
import multiprocessing
import os
import shlex
import threading
from collections.abc import Iterator, Sequence

import apache_beam as beam
import av
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tsnet_tf import atomic, console, filesystems
from tsnet_tf.data.annotations import (
    SPLITS,
    Annotation,
    check_files,
    counts,
    draw_classes,
    label_map,
    of_classes,
    stable_hash,
)
from tsnet_tf.data.decode import Limits
from tsnet_tf.data.labels import check_distinct, check_trained
from tsnet_tf.data.shards import MISSING, Report, Shard, location_of, plan_shards, read_report, write_shard
from tsnet_tf.errors import UserError

LABELS = "labels.json"
MANIFEST = "manifest.json"
REJECTS = "rejects.csv"
_PLAN = "plan.json"  # in an unfinished output only
_FORMAT = "tsnet_tf records 3"  # count up whenever the same input gives other records
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
    beam_options: str = "",
) -> None:
    """Writes the records to ``output``, or leaves them alone when they are there already.

    Args:
      annotations: every video.
      output: folder to make.
      options: content of the records.
      labels: the label map, when it is given beforehand; else all labels that occur, sorted.
      classes: the only classes to prepare, and the label map; None for all.
      beam_options: Beam's own flags, such as "--runner=FlinkRunner --flink_master=host:8081".

    Raises:
      UserError: a label is not in ``labels`` or looks like another one, a class is not in the annotations, a video is
        there twice, ``output`` holds something else, or no video is usable.
    """
    output = output.rstrip("/")
    filesystems.load_for(output, options.videos, *(annotation.path for annotation in annotations))
    if options.random_classes:
        classes = draw_classes(annotations, options.random_classes, options.class_seed)
    if classes is not None:
        annotations = of_classes(annotations, classes)
    labels = label_map(annotations, labels or classes)
    check_distinct(labels)
    check_files(annotations, lambda path: location_of(options.videos, path))
    check_trained(labels, counts(annotations))
    plan = plan_shards(annotations, options.shards)
    rows = sorted(map(dataclasses.astuple, annotations))
    fingerprint = stable_hash(_FORMAT, json.dumps([dataclasses.asdict(options), labels, rows]))
    if _is_complete(output, fingerprint, options.videos):
        return
    # Records are read as they are from the folder's real name on object stores, where a rename copies every byte.
    folder = output if "://" in output else f"{os.path.realpath(output)}.partial"
    _start_or_resume(folder, fingerprint)
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
    _write_rejects(os.path.join(folder, REJECTS), rejects)
    atomic.write_json(os.path.join(folder, LABELS), labels)
    for name in tf.io.gfile.listdir(folder):
        if name.endswith((".report.json", ".tmp")):  # the second of workers that were killed
            tf.io.gfile.remove(os.path.join(folder, name))
    manifest = _manifest(plan, reports, rejects, labels, options, fingerprint)
    atomic.write_json(os.path.join(folder, MANIFEST), manifest)
    tf.io.gfile.remove(os.path.join(folder, _PLAN))
    if folder != output:
        os.replace(folder, os.path.realpath(output))
    console.say(f"prepare: {videos} videos of {len(labels)} classes in {output}")
    if rejects:
        trained = counts(annotations)["train"]
        written = {split: of_split["classes"] for split, of_split in manifest["splits"].items()}
        check_trained([label for label in labels if label in trained], written, " that can be used")
        console.warn(f"{len(rejects)} of {len(annotations)} videos left out, see {os.path.join(output, REJECTS)}")


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
    manifest = _read_json(manifest_path)
    if manifest.get("fingerprint") != fingerprint:
        raise UserError(
            f"--output: expected a new folder or records of the same annotations and options, found in '{output}' "
            f"records of {manifest.get('options')}; delete it or choose another folder"
        )
    rejected = manifest["rejected"]["total"]
    rejects = os.path.join(output, REJECTS)
    left_out = f" ({rejected} left out, see {rejects})" if rejected else ""
    with tf.io.gfile.GFile(rejects) as file:
        missing = [row["path"] for row in csv.DictReader(file) if row["reason"] == MISSING]
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


def _manifest(
    plan: Sequence[Shard],
    reports: Sequence[Report],
    rejects: Sequence[Sequence[str]],
    labels: Sequence[str],
    options: Options,
    fingerprint: str,
) -> dict:
    splits = {}
    for split in SPLITS:
        of_split = [report for shard, report in zip(plan, reports, strict=False) if shard.split == split]
        if not of_split:
            continue
        classes = collections.Counter()
        for report in of_split:
            classes.update(report.classes)
        splits[split] = {
            "videos": sum(classes.values()),
            "frames": sum(report.frames for report in of_split),
            "bytes": sum(report.bytes for report in of_split),
            "videos_per_shard": [report.videos for report in of_split],
            "sha256_per_shard": [report.sha256 for report in of_split],
            "classes": dict(sorted(classes.items())),
        }
    rejected = {split: collections.Counter(r[1] for r in rejects if r[2] == split) for split in SPLITS}
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "av", "apache-beam")}
    versions["libavcodec"] = ".".join(map(str, av.library_versions["libavcodec"]))
    return {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "labels": list(labels),
        "splits": splits,
        "rejected": {"total": len(rejects), **{split: dict(sorted(rejected[split].items())) for split in SPLITS}},
        "options": dataclasses.asdict(options),
        "versions": versions,
    }


def _write_rejects(path: str, rejects: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "label", "split", "reason"])
    rows.writerows(rejects)
    atomic.write_text(path, text.getvalue())
