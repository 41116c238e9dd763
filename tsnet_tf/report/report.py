"""The pictures of a run folder, or of a progressive search with a run folder per step."""

from __future__ import annotations

import json
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
        raise UserError(
            f"--workdir: expected a run folder with genotype.json or metrics.jsonl, found none in '{workdir}'"
        )
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
    """Name to folder of the runs: the steps in the order of summary.json, then others such as the final training."""
    order = []
    summary = os.path.join(workdir, "summary.json")
    if tf.io.gfile.exists(summary):
        with tf.io.gfile.GFile(summary) as file:
            order = [step["step"] for step in json.load(file).get("steps", [])]
    found = {}
    for name in tf.io.gfile.listdir(workdir):
        folder = os.path.join(workdir, name.rstrip("/"))
        if _is_run(folder):
            found[name.rstrip("/")] = folder
    if not found and _is_run(workdir):
        return {os.path.basename(os.path.normpath(workdir)): workdir}
    known = [name for name in order if name in found]
    return {name: found[name] for name in known + sorted(set(found) - set(known))}


def _is_run(folder: str) -> bool:
    return any(tf.io.gfile.exists(os.path.join(folder, name)) for name in ("genotype.json", "metrics.jsonl"))
