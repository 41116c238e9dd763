"""What there is in a run folder to report on, finished or not."""

from __future__ import annotations

import dataclasses
import json
import os
import re

import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import predictions, samples
from tsnet_tf.report.curves import read_metrics
from tsnet_tf.space import genotype
from tsnet_tf.space.two_stream import Space


@dataclasses.dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
      name: what the report calls it.
      folder: where it is.
      config: gin settings in force.
      metrics: rows of ``metrics.jsonl``, none if there is no such file.
      genotype: the architecture; None if it is not there (yet), as all that follow.
      space: what was searched.
      summary: of ``summary.json``, which a finished run has.
      evaluation: of ``evaluation.json``.
      samples: test clips with what the model said about them.
      front: rows of ``front.json``, which a search that measures several architectures has.
      missing: what a person would expect and does not find, in words.
    """

    name: str
    folder: str
    config: str
    metrics: list[dict]
    genotype: Space | None
    space: Space | None
    summary: dict | None
    evaluation: dict | None
    samples: samples.Samples | None
    front: list[dict] | None
    missing: tuple[str, ...]

    @property
    def search(self) -> str | None:
        """Name of the search step; None if this is a training."""
        return _setting(self.config, "search.name")

    @property
    def after(self) -> str | None:
        """Name of the search step that this one goes on from."""
        return _setting(self.config, "search.after")

    @property
    def views(self) -> str | None:
        """Protocol that a search step was measured with at its end."""
        return _setting(self.config, "search.views")

    @property
    def reached(self) -> str:
        """How far it has come, such as "after step 40"."""
        return _reached(self.metrics)


def runs_of(workdir: str, name: str, prefix: str = "") -> list[Run]:
    """Reads a run folder, or every run folder directly below ``workdir``, in order.

    A search step comes after the one that it goes on from, trainings come last; else the order is that in which they
    were started.

    Args:
      workdir: the folder.
      name: of the run, if ``workdir`` is one.
      prefix: of the names of the runs below ``workdir``, which are those of their folders.

    Raises:
      UserError: there is none.
    """
    if not tf.io.gfile.isdir(workdir):
        raise UserError(f"expected a run folder, found nothing at '{workdir}'")
    if is_run(workdir):
        return [_read(name, workdir)]
    names = [found.rstrip("/") for found in tf.io.gfile.listdir(workdir)]
    folders = {found: os.path.join(workdir, found) for found in names if is_run(os.path.join(workdir, found))}
    if not folders:
        raise UserError(f"expected a run folder, or a folder of them, found no config.gin in '{workdir}'")
    return _in_order([_read(prefix + found, folder) for found, folder in folders.items()])


def _read(name: str, folder: str) -> Run:
    missing = []

    def content(file: str, parse, why: str | None = None):
        """A file's content; None, and a line in ``missing``, if it is not there or cannot be read."""
        path = os.path.join(folder, file)
        if not tf.io.gfile.exists(path):
            if why:
                missing.append(f"{name}: no {file}: {why}")
            return None
        try:
            with tf.io.gfile.GFile(path, "rb") as opened:
                return parse(opened.read())
        except (UserError, ValueError) as error:
            missing.append(f"{name}: {file} cannot be read: {error}")
            return None

    config = content("config.gin", bytes.decode) or ""
    path = os.path.join(folder, "metrics.jsonl")
    metrics = read_metrics(path) if tf.io.gfile.exists(path) else []
    if not metrics:
        missing.append(f"{name}: nothing has been recorded in metrics.jsonl")
    reached = f"it is still running or ended early, {_reached(metrics)}"
    space = content("space.json", lambda text: genotype.loads(text.decode(), f"{name}/space.json"))
    evaluation = content("evaluation.json", json.loads)
    command = f"bin/evaluate.py --workdir={folder}"
    clips = None
    if evaluation:
        views = f"{evaluation.get('split', 'test')}_{evaluation['views']}"
        path = os.path.join(predictions.FOLDER, f"{views}{samples.SUFFIX}")
        clips = content(path, samples.parse, f"there are no test clips to show ({command})")
    run = Run(
        name=name,
        folder=folder,
        config=config,
        metrics=metrics,
        genotype=content("genotype.json", lambda text: genotype.loads(text.decode(), f"{name}/genotype.json"), reached),
        space=space,
        summary=content("summary.json", json.loads, reached),
        evaluation=evaluation,
        samples=clips,
        front=content("front.json", json.loads),
        missing=(),
    )
    if run.search and not any(row.get("probabilities") for row in metrics):
        missing.append(f"{name}: the probabilities of the architectures were not recorded")
    if not run.search and run.summary and run.evaluation is None:
        missing.append(f"{name}: no evaluation.json: it has not been evaluated ({command})")
    return dataclasses.replace(run, missing=tuple(missing))


def _reached(metrics: list[dict]) -> str:
    return f"after step {metrics[-1]['step']}" if metrics else "before its first report"


def _in_order(runs: list[Run]) -> list[Run]:
    """See `runs_of`. When a folder was started is told by its files' times, which a copy need not keep."""
    ordered, left = [], sorted(runs, key=lambda run: (run.search is None, *_started(run.folder)))
    while left:
        to_come = {run.search for run in left if run.search}
        following = next((run for run in left if run.after not in to_come - {run.search}), left[0])
        ordered.append(following)
        left = [run for run in left if run is not following]
    return ordered


def _setting(config: str, name: str) -> str | None:
    """The text that gin sets ``name`` to; None if it does not."""
    found = re.search(rf"^{re.escape(name)} = '(.*)'$", config, re.MULTILINE)
    return found and found[1]


def _started(folder: str) -> tuple[float, str]:
    """When a run wrote its settings, which it does first; the name decides between equal times."""
    return tf.io.gfile.stat(os.path.join(folder, "config.gin")).mtime_nsec, folder


def is_run(folder: str) -> bool:
    """Whether a run has been started in ``folder`` itself."""
    return tf.io.gfile.exists(os.path.join(folder, "config.gin"))
