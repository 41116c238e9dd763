"""The pictures of a run folder, or of a progressive search with a run folder per step."""

from __future__ import annotations

import os

import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.report.curves import draw_curves, read_metrics
from tsnet_tf.report.drawing import draw
from tsnet_tf.space import genotype

FOLDER = "report"


def report(workdir: str) -> list[str]:
    """Draws what a run folder has: architectures and search curves.

    - ``report/architecture.png`` and ``.svg``: the final architecture, that of the last run;
    - ``report/architecture_<run>.png`` and ``.svg``: that of every run below ``workdir``;
    - ``report/curves.png`` and ``.svg``: how the searches went.

    A part that is not there, of a search that is still running for example, is said and left out.

    Args:
      workdir: a run folder, or a folder of run folders.

    Returns:
      The files that were written.

    Raises:
      UserError: there is nothing to draw.
    """
    if not tf.io.gfile.isdir(workdir):
        raise UserError(f"--workdir: expected a run folder, found nothing at '{workdir}'")
    runs = _runs(workdir)
    if not runs:
        raise UserError(f"--workdir: expected a run folder, or a folder of them, found no config.gin in '{workdir}'")
    output = os.path.join(workdir, FOLDER)
    written, final, curves = [], None, {}
    for name, folder in runs.items():
        path = os.path.join(folder, "genotype.json")
        if tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path) as file:
                final = genotype.loads(file.read(), path)
            if folder != workdir:
                written += draw(final, os.path.join(output, f"architecture_{name}"))
        else:
            console.warn(f"report: {name} has no genotype.json yet, its architecture is left out")
        path = os.path.join(folder, "metrics.jsonl")
        metrics = read_metrics(path) if tf.io.gfile.exists(path) else []
        if any("entropy" in row for row in metrics):
            curves[name] = metrics
    if final is not None:
        written += draw(final, os.path.join(output, "architecture"))
    if curves:
        written += draw_curves(curves, os.path.join(output, "curves"))
    else:
        console.warn(f"report: no search has metrics.jsonl in {workdir}, the curves are left out")
    for path in written:
        if path.endswith(".png"):
            console.say(f"report: {path} (and .svg)")
    return written


def _runs(workdir: str) -> dict[str, str]:
    """Name to folder of the runs, in the order in which they were started."""
    if _is_run(workdir):
        return {os.path.basename(os.path.normpath(workdir)): workdir}
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(workdir)]
    folders = {name: os.path.join(workdir, name) for name in names}
    return {name: folders[name] for name in sorted(names, key=lambda n: _started(folders[n])) if _is_run(folders[name])}


def _started(folder: str) -> tuple[float, str]:
    """When a run wrote its settings, which it does first; the name decides between equal times."""
    settings = os.path.join(folder, "config.gin")
    return tf.io.gfile.stat(settings).mtime_nsec if tf.io.gfile.exists(settings) else 0, folder


def _is_run(folder: str) -> bool:
    return tf.io.gfile.exists(os.path.join(folder, "config.gin"))
