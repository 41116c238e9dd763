"""The report of a run folder, or of a progressive search with a run folder per step: pictures and one HTML page."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.evaluation import protocol
from tsnet_tf.report import confusion, curves, distribution, drawing, figures, samples, trade_off
from tsnet_tf.report.page import Picture, page
from tsnet_tf.report.run import Run, is_run, runs_of
from tsnet_tf.space.cost import complexity

FOLDER, PAGE, ARCHITECTURE = "report", "report.html", "architecture"


def report(workdir: str, others: Sequence[str] = (), kinds: Sequence[str] = figures.SHOWN) -> list[str]:
    """Writes ``report.html`` and the pictures in it, light and dark.

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
      kinds: of files, SVG among them, which is what the page shows.

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
    pictures = _pictures(runs, output, kinds, written)
    written += _copy_of_final_architecture(runs, output, kinds)
    title = f"Report of {', '.join(names.values())}"
    path = os.path.join(workdir, PAGE)
    atomic.write_text(path, page(title, runs, finals, missing, pictures))
    for line in missing:
        console.warn(f"report: {line}")
    console.say(f"report: {len(written)} pictures in {output}")
    console.say(f"report: {path}")
    return [*written, path]


class _Job(NamedTuple):
    """A picture that is to be drawn: ``draw(path, kinds=...)`` writes it."""

    section: str
    file: str
    draw: Callable[..., list[str]]
    alt: str
    caption: str
    small: bool = False


def _pictures(runs: Sequence[Run], output: str, kinds: Sequence[str], written: list[str]) -> list[Picture]:
    """Draws everything there is; the files' names are added to ``written``."""
    pictures, jobs = [], list(_jobs(runs))
    with console.progress("report", len(jobs)) as bar:
        for job in jobs:
            files = job.draw(os.path.join(output, job.file), kinds=kinds)
            light, dark = (_read(file) for file in files if file.endswith(".svg"))
            pictures.append(Picture(job.section, light, dark, job.alt, job.caption, job.small))
            written += files
            bar.advance(drawn=job.file)
    return pictures


def _jobs(runs: Sequence[Run]) -> Iterator[_Job]:
    for run in runs:
        if run.genotype is not None:
            cost = complexity(run.genotype)
            alt = f"Architecture of {run.name}: {cost.gmacs:.4g} GMACs per view, {cost.params_m:.3g} M parameters"
            draw, caption = functools.partial(drawing.draw, run.genotype), f"{run.name}: {_NOTE_OF_DRAWING}"
            yield _Job("Architecture", f"{ARCHITECTURE}_{_file_name(run)}", draw, alt, caption)
    for run in (run for run in runs if run.space and distribution.recorded(run.metrics)):
        step = f"step {distribution.recorded(run.metrics)[-1]['step']}"
        draw = functools.partial(distribution.draw_film_strip, run.space, run.metrics)
        alt = f"Probabilities of {run.name} from the start to {step}"
        caption = f"{run.name}: a row is a choice, a cell a candidate, its colour the probability."
        yield _Job("Search", f"film_strip_{_file_name(run)}", draw, alt, caption)
        draw = functools.partial(distribution.draw_heat_map, run.space, run.metrics)
        alt = f"Probability of every candidate of {run.name} at {step}"
        caption = f"{run.name}: every candidate's probability at {step}."
        yield _Job("Search", f"heat_map_{_file_name(run)}", draw, alt, caption, small=True)
    searched = {run.name: run.metrics for run in runs if any("entropy" in row for row in run.metrics)}
    if searched:
        draw, alt = (
            functools.partial(curves.draw_curves, searched),
            "Entropy, expected cost, loss and indicator over the steps",
        )
        yield _Job("Search", "curves", draw, alt, "A row is a search.")
    losses = {run.name: run.metrics for run in runs if any("loss" in row for row in run.metrics)}
    trained = {name: metrics for name, metrics in losses.items() if name not in searched}
    if trained:
        draw, alt = (
            functools.partial(curves.draw_curves, trained),
            "Loss and accuracy on the training clips over the steps",
        )
        yield _Job("Training", "training_curves", draw, alt, "A row is a run.", small=True)
    points = [point for run in runs for point in _points(run)]
    if points:
        fronts = {run.name: _front(run) for run in runs if run.front and _is_of_one_view(run)}
        draw, alt = (
            functools.partial(trade_off.draw_trade_off, points, fronts=fronts),
            "Accuracy against multiply-adds per video",
        )
        yield _Job("Accuracy and cost", "trade_off", draw, alt, _NOTE_OF_TRADE_OFF)
    for run in (run for run in runs if run.evaluation):
        e = run.evaluation
        draw = functools.partial(confusion.draw_confusion, e["confusion"], e["labels"])
        alt = f"Confusion matrix of {run.name}: {e['videos']} videos, {100 * e['top1']:.1f} % on the diagonal"
        caption = f"{run.name}: rows are true classes, columns predictions."
        yield _Job("Confusion matrix", f"confusion_{_file_name(run)}", draw, alt, caption, small=True)
    for run in (run for run in runs if run.samples and run.samples.videos):
        draw = functools.partial(samples.draw_samples, run.samples)
        right = sum(a == b for a, b in zip(run.samples.labels, run.samples.predicted, strict=True))
        alt = f"{len(run.samples.videos)} test clips of {run.name}, {right} of them classified rightly"
        yield _Job("Test clips", f"samples_{_file_name(run)}", draw, alt, f"{run.name}: {_NOTE_OF_SAMPLES}")


def _copy_of_final_architecture(runs: Sequence[Run], output: str, kinds: Sequence[str]) -> list[str]:
    """The last run's architecture under a name that does not depend on the run."""
    finished = [run for run in runs if run.genotype is not None]
    written = []
    for theme, kind in itertools.product((figures.LIGHT, figures.DARK), kinds if finished else ()):
        drawn = os.path.join(output, f"{ARCHITECTURE}_{_file_name(finished[-1])}{theme.suffix}.{kind}")
        written.append(os.path.join(output, f"{ARCHITECTURE}{theme.suffix}.{kind}"))
        atomic.write_bytes(written[-1], _read(drawn))
    return written


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
    """What a search has measured of its candidates, from cheap to expensive."""
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
