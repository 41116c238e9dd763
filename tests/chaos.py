"""Stops the demo at random moments, over and over, and compares what comes out with a run that nobody disturbed.

It is the demo with its videos and models, but with six epochs in every part.

  python tests/chaos.py --workdir=runs/chaos                        (or: make chaos)
  python tests/chaos.py --workdir=runs/chaos_term --stop=SIGTERM
  python tests/chaos.py --workdir=/tmp/chaos --short --times=1

Every phase, from preparation to export, is stopped --times times; each time the same command is run again. What a phase
has left when it is over is compared, before it is begun anew for the next moment, and all of it in the end: records,
genotypes, metrics, alpha, weights, predictions and the SavedModel must be the same bits. After a signal that can be
handled, every step must be saved. The table of moments is printed and left in moments.md. Exit code 1: something was
lost.
"""

import glob
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

from absl import flags

from tsnet_tf import cli

STOP = flags.DEFINE_enum("stop", "SIGKILL", ["SIGKILL", "SIGTERM", "SIGINT"], "Signal that ends the process.")
TIMES = flags.DEFINE_integer("times", 3, "How often each of the seven phases is stopped.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Draws the moments.")
SHORT = flags.DEFINE_bool("short", False, "Few videos and few steps.")

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Phase to the file that ends it, in order, below the folder of a run.
PHASES = {
    "prepare": "data/manifest.json",
    "sparse": "sparse/summary.json",
    "dense_fusion": "dense_fusion/summary.json",
    "attention": "attention/summary.json",
    "train": "train/summary.json",
    "evaluate": "summary.json",
    "export": "saved_model/saved_model.pb",
}
SECONDS_TO_SAVE = 30
SECONDS_TO_LISTEN = 3
SETTINGS = [
    "set_seed.op_determinism = True",
    "search.epochs = 6",
    "search.finetune_epochs = 2",
    "search.checkpoint_every = 10",
    "train.epochs = 6",
    "train.checkpoint_every = 10",
]
SHORT_SETTINGS = [
    "search.epochs = 2",
    "search.finetune_epochs = 1",
    "search.refine = 2",
    "search.recalibration_batches = 2",
    "search.report_every = 2",
    "search.checkpoint_every = 2",
    "train.epochs = 2",
    "train.report_every = 2",
    "train.checkpoint_every = 2",
    "batch_size = 8",
    "search.validation_batch_size = 8",
    "search.alpha_warmup = 0.0",
    "joint.samples = 2",
    "table1.dropout = 0.5",
    "table1.depths = ((1,), (1,), (1,), (1,))",
    "table1.attention_places = 1",
    "table1.glore_ratio = 1.0",
]


def main() -> None:
    folder = pathlib.Path(cli.WORKDIR.value or "runs/chaos").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    videos = ["--videos_per_class=2,1,1"] if SHORT.value else []
    run([ROOT / "bin" / "make_demo_videos.py", f"--output={folder}/videos", *videos])
    seconds = undisturbed(folder)
    moments, differing = disturbed(folder, seconds)
    (folder / "moments.md").write_text(table(moments))
    print(table(moments))
    late = [
        row for row in moments if row["seconds_to_exit"] > SECONDS_TO_SAVE or row["code"] not in expected_codes(row)
    ]
    for row in late:
        print(f"expected an exit with one of the codes {expected_codes(row)} within {SECONDS_TO_SAVE} s, found {row}")
    lost = [row for row in moments if row["lost"]]
    for row in lost:
        print(f"expected no step but the one in flight to be lost, found {row['lost']} in {row}")
    print("\n".join(differing) or f"{len(moments)} times {STOP.value}, and nothing differs")
    if differing or late or lost:
        sys.exit(1)


def expected_codes(row: dict) -> tuple[int, ...]:
    number = signal.Signals[STOP.value]
    if number == signal.SIGKILL:
        return (0, -number)
    # Python itself takes a while to start, and does not listen then.
    return (0, 75, -number) if row["moment"] < SECONDS_TO_LISTEN else (0, 75)


def command(phase: str, folder: pathlib.Path) -> list:
    """The command whose part a phase is."""
    if phase == "prepare":
        annotations = folder.parent / "videos" / "annotations.csv"
        shape = ["--short_side=32", "--shards=4"]
        return [ROOT / "bin" / "prepare_data.py", f"--annotations={annotations}", *shape, f"--output={folder}/data"]
    if phase == "export":
        return [ROOT / "bin" / "export.py", f"--workdir={folder}/train", f"--output={folder}/saved_model"]
    bindings = [f"data_dir = '{folder}/data'", *SETTINGS, *(SHORT_SETTINGS if SHORT.value else [])]
    flags_ = ["--gin_file=gin/demo.gin", *(f"--gin_bindings={binding}" for binding in bindings)]
    return [ROOT / "bin" / "progressive.py", f"--workdir={folder}", *flags_]


def start(arguments: list) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(arguments: list) -> None:
    process = start(arguments)
    error = process.communicate()[1]
    if process.returncode:
        sys.exit(f"expected exit code 0 of {arguments[0].name}, found {process.returncode}: {error[-2000:]}")


def undisturbed(folder: pathlib.Path) -> dict[str, float]:
    """Runs everything once; phase to the seconds it took. A run that is there already is not made again."""
    folder, times = folder / "undisturbed", folder / "seconds.json"
    if times.exists():
        return json.loads(times.read_text())
    seconds, begun = {}, time.monotonic()
    for phase in ("prepare", "sparse", "export"):
        process = start(command(phase, folder))
        while process.poll() is None:
            time.sleep(0.05)
            for name, end in PHASES.items():
                if name not in seconds and (folder / end).exists():
                    seconds[name], begun = time.monotonic() - begun, time.monotonic()
        if process.returncode:
            sys.exit(f"{phase}: expected exit code 0, found {process.returncode}: {process.stderr.read()[-2000:]}")
        for name, end in PHASES.items():
            if name not in seconds and (folder / end).exists():
                seconds[name], begun = time.monotonic() - begun, time.monotonic()
    times.write_text(json.dumps(seconds))
    return seconds


def disturbed(folder: pathlib.Path, seconds: dict[str, float]) -> tuple[list[dict], list[str]]:
    """Runs everything again, stopped in every phase as often as --times says.

    Returns:
      A row for every stop, and what differs from the undisturbed run.
    """
    draw, rows, differing, previous = random.Random(SEED.value), [], [], None
    begin, whole, folder = folder / "begin", folder / "undisturbed", folder / "disturbed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for phase, end in PHASES.items():
        if previous and not (folder / PHASES[previous]).exists():
            run_until(command(previous, folder), folder / PHASES[previous])
        shutil.rmtree(begin, ignore_errors=True)
        shutil.copytree(folder, begin)
        hits = hits_of_this_try = 0
        while hits < TIMES.value:
            moment = draw.uniform(0, seconds[phase])
            process, started = start(command(phase, folder)), time.monotonic()
            while process.poll() is None and time.monotonic() - started < moment and not (folder / end).exists():
                time.sleep(0.02)
            if process.poll() is not None or (folder / end).exists():
                # The phase was over before the moment came: once more from its beginning.
                ended = stop(process, signal.SIGKILL)
                if not (folder / end).exists():
                    sys.exit(f"{phase}: expected {end}, found exit code {ended['code']}: {ended['said']}")
                if hits_of_this_try:
                    differing += differences(whole, folder, [phase])
                shutil.rmtree(folder)
                shutil.copytree(begin, folder)
                hits_of_this_try = 0
                continue
            row = {"phase": phase, "moment": moment, "reached": reached(folder, phase), **stop(process)}
            rows.append({**row, "lost": "" if STOP.value == "SIGKILL" else lost_steps(folder, phase, row["said"])})
            print(json.dumps(rows[-1]), flush=True)
            hits, hits_of_this_try = hits + 1, hits_of_this_try + 1
        previous = phase
    for phase in ("prepare", "sparse", "export"):
        run(command(phase, folder))
    return rows, differing + differences(whole, folder, PHASES)


def run_until(arguments: list, end: pathlib.Path) -> None:
    """Goes on with a stopped phase until it is over; the next one has hardly begun then."""
    process = start(arguments)
    while process.poll() is None and not end.exists():
        time.sleep(0.02)
    if not end.exists():
        sys.exit(f"expected {end}, found exit code {process.wait()}: {process.stderr.read()[-2000:]}")
    if process.poll() is None and end.name == "summary.json" and end.parent.name != "disturbed":
        stop(process, signal.SIGKILL)
    process.wait()


def stop(process: subprocess.Popen, number: int | None = None) -> dict:
    """Sends the signal: SIGKILL to all processes, others to the first, which has to pass them on."""
    number, started = number or signal.Signals[STOP.value], time.monotonic()
    if process.poll() is None:
        (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
    error = process.communicate()[1]
    said = error.strip().splitlines()
    return {"seconds_to_exit": time.monotonic() - started, "code": process.returncode, "said": said[0] if said else ""}


def reached(folder: pathlib.Path, phase: str) -> str:
    """How far a phase has come, by what it has left."""
    if phase in ("prepare", "export"):
        left = glob.glob(f"{folder}/data.partial/*.tfrecord") if phase == "prepare" else []
        return f"{len(left)} shards" if left else "nothing written"
    if phase == "evaluate":
        return "evaluating"
    part, saved, reported = progress(folder, phase)
    name = "fine-tuning, " if part.name == "finetune" else ""
    return name + (f"checkpoint {saved}, report {reported}" if saved else "no checkpoint yet")


def progress(folder: pathlib.Path, phase: str) -> tuple[pathlib.Path, int, int]:
    """Where a search step or training works, the last step that is saved there, and the last that is reported."""
    part = folder / phase / ("finetune" if (folder / phase / "finetune" / "checkpoints").exists() else "")
    saved = [int(re.search(r"ckpt-(\d+)", name)[1]) for name in glob.glob(f"{part}/checkpoints/ckpt-*.index")]
    records = part / "metrics.jsonl"
    whole = [line for line in records.read_text().splitlines() if line.endswith("}")] if records.exists() else []
    return part, max(saved, default=0), json.loads(whole[-1])["step"] if whole else 0


def lost_steps(folder: pathlib.Path, phase: str, said: str) -> str:
    """Steps that a process did not save when it was asked to end, by what it says and has reported; empty if none."""
    if phase not in ("sparse", "dense_fusion", "attention", "train"):
        return ""
    _, saved, reported = progress(folder, phase)
    done = re.search(r"after step (\d+);", said)
    if done and int(done[1]) != saved:
        return f"step {done[1]} done, {saved} saved"
    return f"step {reported} reported, {saved} saved" if reported > saved else ""


def differences(one: pathlib.Path, other: pathlib.Path, phases: Iterable[str]) -> list[str]:
    """What is not the same bits in two run folders, but for times and paths, after the given phases."""
    import numpy as np
    import tensorflow as tf

    found = []

    def compare(name: str, read) -> None:
        try:
            if not read(one / name) == read(other / name):
                found.append(f"{name} differs")
        except Exception as error:
            found.append(f"{name}: {error}")

    def tensors(path: pathlib.Path) -> dict[str, bytes]:
        reader = tf.train.load_checkpoint(str(path))
        names = [
            n for n in reader.get_variable_to_shape_map() if "save_counter" not in n and not n.startswith("_CHECK")
        ]
        return {n: np.asarray(reader.get_tensor(n)).tobytes() for n in names}

    def without_times(path: pathlib.Path) -> str:
        def strip(value):
            if isinstance(value, dict):
                return {k: strip(v) for k, v in value.items() if "seconds" not in k and k != "genotype"}
            return [strip(v) for v in value] if isinstance(value, list) else value

        return json.dumps(strip(json.loads(path.read_text())))

    def arrays(path: pathlib.Path) -> dict[str, bytes]:
        with np.load(path) as content:
            return {name: content[name].tobytes() for name in content}

    def compare_training(part: pathlib.Path) -> None:
        compare(f"{part}/metrics.jsonl", pathlib.Path.read_text)
        latest = os.path.basename(tf.train.latest_checkpoint(str(one / part / "checkpoints")))
        compare(f"{part}/checkpoints/{latest}", tensors)

    for phase in phases:
        if phase == "prepare":
            for path in sorted((one / "data").iterdir()):
                compare(f"data/{path.name}", pathlib.Path.read_bytes)
        elif phase == "evaluate":
            compare("train/evaluation.json", without_times)
            for path in (one / "train" / "predictions").glob("*.npz"):
                compare(f"train/predictions/{path.name}", arrays)
            compare("summary.json", without_times)
        elif phase == "export":
            compare("saved_model/variables/variables", tensors)
        else:
            compare_training(pathlib.Path(phase))
            if (one / phase / "finetune").exists():
                compare_training(pathlib.Path(phase, "finetune"))
            compare(f"{phase}/genotype.json", pathlib.Path.read_text)
            compare(f"{phase}/checkpoints/final", tensors)
            compare(f"{phase}/summary.json", without_times)
    return found


def table(rows: list[dict]) -> str:
    lines = [
        "| phase | stopped after, s | it had | exit code | seconds to exit | it said |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        said = re.sub(r"'?/\S*/", "", row["said"])
        lines.append(
            f"| {row['phase']} | {row['moment']:.1f} | {row['reached']} | {row['code']} | {row['seconds_to_exit']:.1f} "
            f"| {said} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    cli.run(main)
