"""The whole way in order: search steps, training, evaluation; each a fresh process, each resumable."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import gin
import tensorflow as tf

import tsnet_tf.training.train  # noqa: F401 (its settings may be among the bindings)
from tsnet_tf import atomic, console, interruption, settings
from tsnet_tf.errors import TryAgain, UserError
from tsnet_tf.evaluation import protocol, run_settings
from tsnet_tf.search import parts
from tsnet_tf.search.step import show
from tsnet_tf.training import run_folder

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
    bindings: Sequence[str],
    binaries: str,
    steps: Sequence[str] = gin.REQUIRED,
    training: str = gin.REQUIRED,
    comparison: str | None = None,
    views: str = "10-center",
) -> dict:
    """Runs the search steps one after the other, then trains and evaluates what they found, and what it has to beat.

    Finished parts are not run again, and an unfinished one goes on from its last checkpoint: running the same command
    again continues. SIGTERM and SIGINT are passed on to the part that runs.

    Args:
      workdir: folder of the whole; every part has a run folder in it, named as its gin file.
      bindings: gin bindings that every part gets.
      binaries: folder of ``search.py``, ``train.py``, ``evaluate.py`` and ``study.py``.
      steps: gin files of the search steps, in order.
      training: gin file of the training from scratch.
      comparison: gin file of a study with the hand-made and random architectures that are trained beside it, at the
        cost of what was found; None for none.
      views: protocol of the final evaluation.

    Returns:
      The summary that is also written to ``summary.json``.

    Raises:
      PartFailed: a part failed; it has said why.
      TryAgain: a signal has come; the part that was running has saved what it had.
      UserError: the folder was made with other settings, or another process works on it.
    """
    started, views = time.monotonic(), protocol.named(views).name
    run_folder.check_settings(workdir, {})
    earlier = run_folder.summary_of(workdir)
    if earlier is not None:
        console.say(f"already finished in {workdir}")
        show(earlier["steps"])
        return earlier

    run_folder.start(workdir, None, {})

    def run(binary: str, part: settings.Settings, *flags: str) -> None:
        own = [f"--gin_bindings={binding}" for binding in settings.used_by(part, bindings)]
        _run([sys.executable, os.path.join(binaries, binary), *flags, f"--console={console.level()}", *own])

    summaries, previous = [], None
    for number, gin_file in enumerate(steps, start=1):
        folder = os.path.join(workdir, parts.folder_of(gin_file))
        console.say(f"\nStep {number} of {len(steps)}: {gin_file}")
        if run_folder.summary_of(folder) is None:
            flags = [f"--previous={previous}"] if previous else []
            part = settings.read([gin_file])
            run("search.py", part, f"--gin_file={gin_file}", f"--workdir={folder}", *flags)
        summaries.append(run_folder.summary_of(folder))
        previous = folder
    show(summaries)

    console.say(f"\nTraining from scratch: {training}")
    folder = os.path.join(workdir, parts.TRAINING)
    if run_folder.summary_of(folder) is None:
        genotype = os.path.join(previous, "genotype.json")
        part = settings.read([training])
        run("train.py", part, f"--gin_file={training}", f"--workdir={folder}", f"--genotype={genotype}")
    evaluated = os.path.join(folder, "evaluation.json")
    if not tf.io.gfile.exists(evaluated) or run_folder.read_json(evaluated)["views"] != views:
        run("evaluate.py", run_settings.read(folder), f"--workdir={folder}", f"--views={views}")
    trained = run_folder.summary_of(folder)
    evaluation = run_folder.read_json(evaluated)
    others = _compared(workdir, comparison, trained["gmacs"], views, run) if comparison else {}
    done = [*summaries, trained, evaluation]
    summary = {
        "steps": summaries,
        "final": {
            "genotype": os.path.join(folder, "genotype.json"),
            "gmacs": trained["gmacs"],
            "params_m": trained["params_m"],
            "views": views,
            "top1": evaluation["top1"],
            "top5": evaluation["top5"],
            **others,
        },
        # What the parts took, also those of an earlier attempt; start-up and waiting are in the difference.
        "seconds_total": max(time.monotonic() - started, sum(part["seconds"] for part in done)),
    }
    atomic.write_json(os.path.join(workdir, run_folder.SUMMARY), summary)
    return summary


def _compared(workdir: str, comparison: str, gmacs: float, views: str, run: Callable[..., None]) -> dict[str, float]:
    """Top-1 of the hand-made architecture, and the mean of the random ones, at the same cost."""
    console.say(f"\nHand-made and random architectures at {gmacs:.4g} GMACs: {comparison}")
    folder = os.path.join(workdir, parts.COMPARISON)
    own = [f"study.target_gmacs = {gmacs!r}", f"study.views = '{views}'"]
    part = settings.read([comparison], own)
    run("study.py", part, f"--gin_file={comparison}", f"--workdir={folder}", *(f"--gin_bindings={one}" for one in own))
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
    name, again = os.path.basename(command[1]), "run the same command again to go on from there"
    if received:
        raise TryAgain(f"stopped by {signal.Signals(received[0]).name} in {name}; {again}")
    code = process.returncode
    if code < 0:
        raise PartFailed(f"{name} was ended by {signal.Signals(-code).name}; {again}", 128 - code)
    if code:
        raise PartFailed(f"{name} ended with exit code {code}; {again}", code)
