"""The report of a run folder, or of a progressive search with a run folder per step: pictures and one HTML page."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.evaluation import protocol
from tsnet_tf.report import confusion, curves, distribution, drawing, samples, trade_off
from tsnet_tf.report.page import Picture, page
from tsnet_tf.report.run import Run, is_run, runs_of
from tsnet_tf.space.cost import complexity

FOLDER, PAGE = "report", "report.html"


def report(workdir: str, others: Sequence[str] = ()) -> list[str]:
    """Writes ``report.html`` and, each as PNG and SVG, light and dark, the pictures in it.

    - ``report/architecture``: the final architecture, that of the last run;
    - ``report/architecture_<run>``: that of every run below ``workdir``;
    - ``report/film_strip_<run>`` and ``heat_map_<run>``: P(A | alpha) of every search;
    - ``report/curves`` and ``training_curves``: how the searches and the trainings went;
    - ``report/trade_off``: accuracy against cost, beside the published models;
    - ``report/confusion_<run>``: which class is taken for which;
    - ``report/samples_<run>``: test clips with what the model said.

    What is not there, of a search that is still running for example, is left out, and the page says so.

    Args:
      workdir: a run folder, or a folder of run folders; the report is written there.
      others: more of them, to compare with.

    Returns:
      The files that were written, the page last.

    Raises:
      UserError: there is nothing to report on.
    """
    names = _names([workdir, *others])
    runs: list[Run] = []
    missing: list[str] = []
    finals: dict[str, dict] = {}
    for folder, name in names.items():
        runs += runs_of(folder, name, prefix=f"{name}/" if others else "")
        final, why = (None, None) if is_run(folder) else _final(folder, name)
        if final:
            finals[folder] = final
        if why:
            missing.append(why)
    missing += [line for run in runs for line in run.missing]
    output = os.path.join(workdir, FOLDER)
    written: list[str] = []
    pictures = _pictures(runs, output, written)
    title = f"Report of {', '.join(names.values())}"
    path = os.path.join(workdir, PAGE)
    atomic.write_text(path, page(title, runs, finals, missing, pictures))
    for line in missing:
        console.warn(f"report: {line}")
    console.say(f"report: {len(written)} pictures in {output}")
    console.say(f"report: {path}")
    return [*written, path]


def _pictures(runs: Sequence[Run], output: str, written: list[str]) -> list[Picture]:
    """Draws everything there is; the files' names are added to ``written``."""
    pictures = []

    def add(section: str, files: list[str], alt: str, caption: str, small: bool = False) -> None:
        written.extend(files)
        light, dark = (_read(file) for file in files if file.endswith(".svg"))
        pictures.append(Picture(section, light, dark, alt, caption, small))

    for run in runs:
        if run.genotype is not None:
            files = drawing.draw(run.genotype, os.path.join(output, f"architecture_{_file_name(run)}"))
            cost = complexity(run.genotype)
            alt = f"Architecture of {run.name}: {cost.gmacs:.4g} GMACs per view, {cost.params_m:.3g} M parameters"
            add("Architecture", files, alt, f"{run.name}: {_NOTE_OF_DRAWING}")
    finished = [run for run in runs if run.genotype is not None]
    if finished:
        written += drawing.draw(finished[-1].genotype, os.path.join(output, "architecture"))
    for run in (run for run in runs if run.space and distribution.recorded(run.metrics)):
        arguments = run.space, run.metrics
        step = f"step {distribution.recorded(run.metrics)[-1]['step']}"
        files = distribution.draw_film_strip(*arguments, os.path.join(output, f"film_strip_{_file_name(run)}"))
        alt = f"Probabilities of {run.name} from the start to {step}"
        add("Search", files, alt, f"{run.name}: a row is a choice, a cell a candidate, its colour the probability.")
        files = distribution.draw_heat_map(*arguments, os.path.join(output, f"heat_map_{_file_name(run)}"))
        alt = f"Probability of every candidate of {run.name} at {step}"
        add("Search", files, alt, f"{run.name}: every candidate's probability at {step}.", small=True)
    searched = {run.name: run.metrics for run in runs if any("entropy" in row for row in run.metrics)}
    if searched:
        files = curves.draw_curves(searched, os.path.join(output, "curves"))
        add("Search", files, "Entropy, expected cost, loss and indicator over the steps", "A row is a search.")
    losses = {run.name: run.metrics for run in runs if any("loss" in row for row in run.metrics)}
    trained = {name: metrics for name, metrics in losses.items() if name not in searched}
    if trained:
        files = curves.draw_curves(trained, os.path.join(output, "training_curves"))
        add("Training", files, "Loss and accuracy on the training clips over the steps", "A row is a run.", small=True)
    points = [point for run in runs for point in _points(run)]
    if points:
        fronts = {run.name: _front(run) for run in runs if run.front and _is_of_one_view(run)}
        files = trade_off.draw_trade_off(points, os.path.join(output, "trade_off"), fronts)
        add("Accuracy and cost", files, "Accuracy against multiply-adds per video", _NOTE_OF_TRADE_OFF)
    for run in (run for run in runs if run.evaluation):
        e, path = run.evaluation, os.path.join(output, f"confusion_{_file_name(run)}")
        files = confusion.draw_confusion(e["confusion"], e["labels"], path)
        alt = f"Confusion matrix of {run.name}: {e['videos']} videos, {100 * e['top1']:.1f} % on the diagonal"
        add("Confusion matrix", files, alt, f"{run.name}: rows are true classes, columns predictions.", small=True)
    for run in (run for run in runs if run.samples and run.samples.videos):
        files = samples.draw_samples(run.samples, os.path.join(output, f"samples_{_file_name(run)}"))
        right = sum(a == b for a, b in zip(run.samples.labels, run.samples.predicted, strict=True))
        alt = f"{len(run.samples.videos)} test clips of {run.name}, {right} of them classified rightly"
        add("Test clips", files, alt, f"{run.name}: {_NOTE_OF_SAMPLES}")
    return pictures


_NOTE_OF_DRAWING = (
    "a box is a block group; its height is the expansion, its colour the spatial and its hatch the temporal kernel; "
    "arrows are fusions, stars attention."
)
_NOTE_OF_TRADE_OFF = (
    "Left: these runs on their own videos; a search step with one view; rings are candidates of a search, on its "
    "validation videos. Right: what the paper's Tables 3 and 10 give for Kinetics-400. The accuracies of the two sides "
    "are not comparable."
)
_NOTE_OF_SAMPLES = (
    "frames of the model's input, what it says over all views and how sure it is. Mistakes are shown more often than "
    "they occur."
)


def _points(run: Run) -> list[trade_off.Point]:
    """The run in the trade-off plot: with its evaluation, or a search step with the one view it was measured with."""
    if run.evaluation:
        return [trade_off.Point(run.name, run.evaluation["gmacs_per_video"], 100 * run.evaluation["top1"])]
    if run.summary and "test_top1" in run.summary and _is_of_one_view(run):
        return [trade_off.Point(run.name, run.summary["gmacs"], 100 * run.summary["test_top1"])]
    return []


def _front(run: Run) -> list[trade_off.Point]:
    """What a search has measured of its candidates, from cheap to dear."""
    return [trade_off.Point("", row["gmacs"], 100 * row["validation_top1"]) for row in run.front]


def _is_of_one_view(run: Run) -> bool:
    """Whether a search measured with one view, so that GMACs per view are GMACs per video."""
    return run.views is not None and protocol.named(run.views).views == 1


def _final(workdir: str, name: str) -> tuple[dict | None, str | None]:
    """What a progressive search came to; if it has not finished, what is missing. Neither, if it is no such search."""
    path = os.path.join(workdir, "summary.json")
    if not tf.io.gfile.exists(path):
        begun = tf.io.gfile.exists(os.path.join(workdir, "settings.json"))
        return None, f"{name}: no summary.json: not every part of it has been done" if begun else None
    try:
        summary = json.loads(_read(path))
        return {**summary["final"], "seconds_total": summary["seconds_total"]}, None
    except (ValueError, KeyError) as error:
        return None, f"{name}: summary.json cannot be read: {error}"


def _names(folders: Sequence[str]) -> dict[str, str]:
    """What the report calls each folder: by its last part, or if several share that, by the whole path."""
    last = {folder: os.path.basename(os.path.abspath(folder)) for folder in folders}
    return {folder: name if [*last.values()].count(name) == 1 else folder for folder, name in last.items()}


def _file_name(run: Run) -> str:
    return run.name.strip("/").replace("/", "_")


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()
