"""The whole way in order: search steps, training, evaluation; each a fresh process, each resumable."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import gin
import tensorflow as tf

from tsnet_tf import atomic, console, interruption, settings
from tsnet_tf.errors import NotFinite, TryAgain, UserError
from tsnet_tf.evaluation import protocol, run_settings
from tsnet_tf.search import forecast, parts, plan
from tsnet_tf.search.step import NOT_SEARCHING, show
from tsnet_tf.training import run_folder
from tsnet_tf.training.train import NOT_TRAINING

_POLL_SECONDS = 0.1


class PartFailed(UserError):
    """A part has ended without success, and has said why; the whole ends with the same exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:
        return self.code  # gin raises a class derived from this one, which finds instance attributes only


@gin.configurable
def progressive(
    *,
    workdir: str,
    files: Sequence[str],
    bindings: Sequence[str],
    binaries: str,
    dry_run: bool = False,
    steps: Sequence[str] = gin.REQUIRED,
    training: str = gin.REQUIRED,
    comparison: str | None = None,
    views: str = "10-center",
    target_gmacs: float | None = None,
    target_params_m: float | None = None,
    target_latency_ms: float | None = None,
) -> dict | None:
    """Runs the search steps one after the other, then trains and evaluates what they found, and what it has to beat.

    Finished parts are not run again, and an unfinished one goes on from its last checkpoint: running the same command
    again continues. SIGTERM and SIGINT are passed on to the part that runs.

    Args:
      workdir: folder of the whole; every part has a run folder in it, named as its gin file.
      files: gin files that every part gets after its own, so that they win.
      bindings: gin bindings that every part gets, after those.
      binaries: folder of ``search.py``, ``train.py``, ``evaluate.py`` and ``study.py``.
      dry_run: whether to say only what would be done.
      steps: gin files of the search steps, in order.
      training: gin file of the training from scratch.
      comparison: gin file of a study with the hand-made and random architectures that are trained beside it, at the
        cost of what was found; None for none.
      views: protocol of the final evaluation.
      target_gmacs: what the final model may cost, multiply-adds per view; divided over the steps in the proportions of
        their own targets (`tsnet_tf.space.reach.divided`). None: each step has its own.
      target_params_m: the same in millions of parameters.
      target_latency_ms: the same in milliseconds (`search.latency_table`).

    Returns:
      The summary that is also written to ``summary.json``; None if nothing is done.

    Raises:
      PartFailed: a part failed; it has said why.
      TryAgain: a signal has come; the part that was running has saved what it had.
      UserError: settings, data and budget do not fit together, the folder was made with other settings, or another
        process works on it.
    """
    started, views = time.monotonic(), protocol.named(views).name
    target = plan.the_one({"gmacs": target_gmacs, "params_m": target_params_m, "latency_ms": target_latency_ms})
    whole = _Whole(workdir, files, bindings, binaries)
    planned = plan.make([whole.settings(path) for path in steps], target)
    plan.show(planned)
    if dry_run:
        whole.forecast(steps, planned, training)
        return None
    earlier = run_folder.summary_of(workdir) if whole.check(steps, planned, training) else None
    if earlier is not None and earlier["final"]["views"] == views:
        console.say(f"already finished in {workdir}")
        show(earlier["steps"])
        return earlier
    run_folder.start(workdir, None, {})
    summaries = _search(whole, steps, planned)
    trained, evaluation = _train(whole, training, run_folder.genotype_in(whole.folder(steps[-1])), views)
    others = _compared(whole, comparison, trained["gmacs"], views) if comparison else {}
    done = [*summaries, trained, evaluation]
    summary = {
        "steps": summaries,
        "final": {
            "genotype": run_folder.genotype_in(os.path.join(workdir, parts.TRAINING)),
            **{name: trained[name] for name in ("gmacs", "params_m")},
            **{name: evaluation[name] for name in ("views", "top1", "top5")},
            **others,
        },
        # What the parts took, also those of an earlier attempt; start-up and waiting are in the difference.
        "seconds_total": max(time.monotonic() - started, sum(part["seconds"] for part in done)),
    }
    atomic.write_json(os.path.join(workdir, run_folder.SUMMARY), summary)
    return summary


@dataclasses.dataclass(frozen=True)
class _Whole:
    """What all parts have in common: the folder, what was given on the command line, and the binaries' folder."""

    workdir: str
    files: Sequence[str]
    bindings: Sequence[str]
    binaries: str

    def folder(self, gin_file: str) -> str:
        return os.path.join(self.workdir, parts.folder_of(gin_file))

    def settings(self, gin_file: str, own: Sequence[str] = ()) -> settings.Settings:
        return parts.read(gin_file, self.files, [*self.bindings, *own])

    def run(self, binary: str, gin_file: str | None, folder: str, own: Sequence[str] = (), **flags: str | None) -> None:
        """Runs a part: its gin file, then what was given, then bindings of its ``own``."""
        files = [*([gin_file] if gin_file else []), *self.files]
        part = self.settings(gin_file) if gin_file else run_settings.read(folder, self.files)
        bindings = [*settings.used_by(part, self.bindings), *own]
        given = {"workdir": folder, **flags, "console": console.level()}
        command = [*(f"--gin_file={file}" for file in files), *(f"--gin_bindings={one}" for one in bindings)]
        command += [f"--{name}={value}" for name, value in given.items() if value is not None]
        _run([sys.executable, os.path.join(self.binaries, binary), *command])

    def forecast(self, steps: Sequence[str], planned: Sequence[plan.Planned], training: str) -> None:
        """Shows what every part would take, read and write."""
        searches = plan.forecasts(planned, [self.folder(path) for path in steps])
        given = self.settings(training)
        settings.apply(given)
        last = searches[-1]
        trained = forecast.of_training(given, None, last.typical, os.path.join(self.workdir, parts.TRAINING))
        forecast.show([*searches, dataclasses.replace(trained, gmacs=last.gmacs)])

    def check(self, steps: Sequence[str], planned: Sequence[plan.Planned], training: str) -> bool:
        """Holds the settings of every part that has begun against those that it was begun with.

        What comes after a part that is not finished, or is begun anew, was made of something else: it is set aside.

        Returns:
          Whether all parts are finished.

        Raises:
          UserError: settings differ, and none of them says what to do about it.
        """
        folders, is_finished = [*map(self.folder, steps), os.path.join(self.workdir, parts.TRAINING)], True
        for number, (gin_file, folder) in enumerate(zip((*steps, training), folders, strict=True)):
            is_there = tf.io.gfile.exists(os.path.join(folder, run_folder.SETTINGS))
            if not is_finished and is_there:
                run_folder.set_aside(folder)
            elif is_there:
                before = folders[number - 1] if number else None
                if number < len(steps):
                    own = planned[number].bindings(before and run_folder.genotype_of(before))
                    flags, without = {"previous": before}, NOT_SEARCHING
                else:
                    own, flags, without = (), {"genotype": run_folder.genotype_in(before)}, NOT_TRAINING
                settings.apply(self.settings(gin_file, own))
                run_folder.check_settings(folder, flags, without=without)
            is_finished = is_finished and run_folder.summary_of(folder) is not None
        settings.apply(settings.read(self.files, self.bindings))
        compared = os.path.join(self.workdir, parts.COMPARISON)
        if not is_finished and tf.io.gfile.exists(compared):
            run_folder.set_aside(compared)
        return is_finished


def _search(whole: _Whole, steps: Sequence[str], planned: Sequence[plan.Planned]) -> list[dict]:
    """Runs the steps that are not finished; summaries of all."""
    summaries = []
    for number, gin_file in enumerate(steps):
        console.say(f"\nStep {number + 1} of {len(steps)}: {gin_file}")
        folder, previous = whole.folder(gin_file), whole.folder(steps[number - 1]) if number else None
        if run_folder.summary_of(folder) is None:
            own = planned[number].bindings(previous and run_folder.genotype_of(previous))
            whole.run("search.py", gin_file, folder, own, previous=previous)
        summaries.append(run_folder.summary_of(folder))
    show(summaries)
    return summaries


def _train(whole: _Whole, training: str, found: str, views: str) -> tuple[dict, dict]:
    """Trains the genotype in the file ``found`` and evaluates it, where that is not done; summary and evaluation."""
    console.say(f"\nTraining from scratch: {training}")
    folder = os.path.join(whole.workdir, parts.TRAINING)
    if run_folder.summary_of(folder) is None:
        whole.run("train.py", training, folder, genotype=found)
    evaluated = os.path.join(folder, "evaluation.json")
    if not tf.io.gfile.exists(evaluated) or run_folder.read_json(evaluated)["views"] != views:
        whole.run("evaluate.py", None, folder, views=views)
    return run_folder.summary_of(folder), run_folder.read_json(evaluated)


def _compared(whole: _Whole, comparison: str, gmacs: float, views: str) -> dict[str, float]:
    """Top-1 of the hand-made architecture, and the mean of the random ones, at the same cost."""
    console.say(f"\nHand-made and random architectures at {gmacs:.4g} GMACs: {comparison}")
    folder = os.path.join(whole.workdir, parts.COMPARISON)
    whole.run("study.py", comparison, folder, [f"study.target_gmacs = {gmacs!r}", f"study.views = '{views}'"])
    with tf.io.gfile.GFile(os.path.join(folder, "study.jsonl")) as file:
        rows = [json.loads(line) for line in file.read().splitlines()]
    accuracies = {origin: [row["top1"] for row in rows if row["origin"] == origin] for origin in ("hand", "random")}
    names = {"hand": "hand_made_top1", "random": "random_top1"}
    return {names[origin]: sum(found) / len(found) for origin, found in accuracies.items() if found}


def _run(command: Sequence[str]) -> None:
    """Runs one part, and passes signals on to it."""
    received: list[int] = []
    with interruption.on_signal(received.append):
        process, passed_on = subprocess.Popen(command), 0
        while process.poll() is None:
            for number in received[passed_on:]:
                process.send_signal(number)
                passed_on += 1
            time.sleep(_POLL_SECONDS)
    name, again = os.path.basename(command[1]), "; run the same command again to go on from there"
    if received:
        raise TryAgain(f"stopped by {signal.Signals(received[0]).name} in {name}{again}")
    code = process.returncode
    if code < 0:
        raise PartFailed(f"{name} was ended by {signal.Signals(-code).name}{again}", 128 - code)
    if code:
        comes_to_the_same = code in (UserError.exit_code, NotFinite.exit_code)
        raise PartFailed(f"{name} ended with exit code {code}{'' if comes_to_the_same else again}", code)
