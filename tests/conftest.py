"""What tests of several rooms share. TensorFlow is imported where it is used: xdist's own process does not need it."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


# Begun first, so that none of them is left to one process while the other has nothing to do.
LONGEST = ["tests/training/test_two_workers.py", "tests/test_end_to_end.py", "tests/test_documented_commands_run.py"]


def pytest_collection_modifyitems(items):
    """The longest files first, then those with slow tests, then the others."""
    names = {item: item.nodeid.split("::")[0] for item in items}
    slow = {names[item] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (names[item] not in LONGEST, names[item] not in slow))


@dataclasses.dataclass
class Program:
    """A process that `Programs` has started; in part what `subprocess.Popen` is."""

    pid: int
    folder: pathlib.Path

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def returncode(self) -> int | None:
        code = self.folder / "code"
        return int(code.read_text()) if code.exists() else None

    poll = returncode.fget

    def wait(self, timeout: float = 3600) -> int:
        started = time.monotonic()
        while self.returncode is None:
            assert time.monotonic() - started < timeout, f"still running after {timeout} s: {self.stderr[-3000:]}"
            time.sleep(0.02)
        return self.returncode

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Programs:
    """Starts binaries, and programs of a test's own, without their waiting for TensorFlow's import."""

    def __init__(self, folder: pathlib.Path):
        self._folder, self._started = folder, []
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        self._server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(folder / "stderr", "w"),
            text=True,
            env=environment,
        )
        assert self._server.stdout.readline() == "ready\n", (folder / "stderr").read_text()

    def start(self, program: str, *arguments, cwd=ROOT, **environment) -> Program:
        """Starts a file of ``bin/`` by its name, any other by its path, or the text of a program."""
        folder = self._folder / str(len(self._started))
        folder.mkdir()
        if "\n" in program:
            file = folder / "program.py"
            file.write_text(program)
        else:
            file = ROOT / "bin" / program  # a path as it is, if it is absolute
        for name in ("stdout", "stderr"):
            (folder / name).touch()
        job = {"folder": folder, "file": file, "arguments": arguments, "cwd": cwd, "environment": environment}
        print(json.dumps(job, default=str), file=self._server.stdin, flush=True)
        self._started.append(Program(int(self._server.stdout.readline()), folder))
        return self._started[-1]

    def run(self, program: str, *arguments, code: int = 0, **settings) -> Program:
        """The ended program; its exit code is the expected one."""
        ended = self.start(program, *arguments, **settings)
        ended.wait()
        assert ended.returncode == code, (
            f"{program[:40]}: {ended.returncode}\n{ended.stderr[-3000:]}\n{ended.stdout[-2000:]}"
        )
        return ended

    def close(self) -> None:
        for program in self._started:
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
        self._server.stdin.close()
        self._server.wait()


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """``programs.run("search.py", *flags)`` for what is to end, ``programs.start`` for what is watched."""
    running = Programs(tmp_path_factory.mktemp("programs"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """``shared(name, make)`` is a folder that ``make(folder)`` has filled once, for all of xdist's processes."""
    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name, make):
        path, made = root / name, root / f"{name}.made"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                path.mkdir()  # fails in the other process where making it has failed in one
                make(path)
                made.touch()
        return path

    return folder


# The demo as small as it gets: two stages of one block, four steps of each search and training.
TINY = [
    "table1.depths = ((1,), (1,))",
    "table1.hidden = 16",
    "table1.glore_ratio = 5.0",
    "table1.attention_places = 1",
    "batch_size = 6",
    "search.validation_batch_size = 6",
    "search.epochs = 1.3",
    "search.alpha_warmup = 0.0",
    "search.recalibration_batches = 2",
    "search.report_every = 1",
    "search.checkpoint_every = 2",
    "train.epochs = 0.65",
    "train.report_every = 1",
    "set_seed.op_determinism = True",
]
TINY_STEPS = {
    "sparse": "search.target_gmacs = 0.0006\nsearch.refine = 2\nsearch.profile_steps = (2, 3)\n",
    "dense_fusion": "search.target_gmacs = 0.005\nsearch.refine = 0\nsearch.finetune_epochs = 0.25\n",
    "attention": "search.target_gmacs = 0.0066\nsearch.refine = 0\n",
    "compare": "study.random = 0\n",
}


@dataclasses.dataclass(frozen=True)
class TinyDemo:
    """A finished demo. Others look at it at the same time: whoever changes something does so in a copy."""

    folder: pathlib.Path  # its parts, and what it was made of: videos, data, gin; saved_model; said.txt

    def flags(self, step: str = "demo") -> list[str]:
        """What the binaries were given for a step of the search, or for all of it."""
        bindings = [*TINY, f"data_dir = '{self.folder}/data'"]
        return [f"--gin_file={self.folder}/gin/{step}.gin", *(f"--gin_bindings={binding}" for binding in bindings)]


@pytest.fixture(scope="session")
def tiny_demo(shared, programs):
    """The one trained run of the tests, by the binaries: videos, records, search, training, evaluation, SavedModel."""

    def make(folder):
        (folder / "gin").mkdir()
        for step, settings in TINY_STEPS.items():
            (folder / "gin" / f"{step}.gin").write_text(f"include 'gin/demo/{step}.gin'\n{settings}")
        *steps, comparison = (f"{folder}/gin/{step}.gin" for step in TINY_STEPS)
        (folder / "gin" / "demo.gin").write_text(
            f"include 'gin/demo.gin'\nprogressive.steps = {tuple(steps)}\nprogressive.comparison = '{comparison}'\n"
        )
        videos, data = folder / "videos", folder / "data"
        programs.run("make_demo_videos.py", f"--output={videos}", "--videos_per_class=1,1,1")
        programs.run(
            "prepare_data.py", f"--annotations={videos}/annotations.csv", "--short_side=32", f"--output={data}"
        )
        said = programs.run("progressive.py", f"--workdir={folder}", *TinyDemo(folder).flags())
        (folder / "said.txt").write_text(said.stdout)
        programs.run("export.py", f"--workdir={folder}/train", f"--output={folder}/saved_model")

    return TinyDemo(shared("tiny_demo", make))


@pytest.fixture(scope="session")
def write_records():
    """Returns a function that writes a data set of one shard; its videos are (name, class, frames)."""
    import tensorflow as tf

    from tsnet_tf.data import schema, video_dataset

    def write(folder, videos, labels=("dark", "light"), split="test", claimed=None):
        os.makedirs(folder, exist_ok=True)
        with tf.io.TFRecordWriter(os.path.join(folder, f"{split}-00000-of-00001.tfrecord")) as writer:
            for name, label, frames in videos:
                writer.write(
                    schema.serialize_video(
                        [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in frames],
                        height=frames.shape[1],
                        width=frames.shape[2],
                        frame_rate=30.0,
                        label_index=label,
                        label_text=labels[label],
                        media_id=name,
                    )
                )
        count = len(videos) if claimed is None else claimed
        with open(os.path.join(folder, "labels.json"), "w") as file:
            json.dump(list(labels), file)
        with open(os.path.join(folder, "manifest.json"), "w") as file:
            json.dump({"splits": {split: {"videos": count, "videos_per_shard": [count]}}}, file)
        return video_dataset.VideoDataset(
            directory=str(folder),
            dense_frames=8,
            dense_stride=2,
            sparse_frames=2,
            crop=24,
            train_jitter=(28, 32),
            test_short_side=28,
        )

    return write


@pytest.fixture(scope="session")
def bright_and_dark(tmp_path_factory, write_records):
    """Folder of a data set of two classes and three splits of eight videos each: bright and dark, with noise."""
    folder = tmp_path_factory.mktemp("data")
    draw, splits = np.random.default_rng(0), {}
    for split in ("train", "validation", "test"):
        frames = [draw.integers(80 * (n % 2), 160 + 80 * (n % 2), (20, 18, 20, 3)).astype(np.uint8) for n in range(8)]
        videos = [(f"{split}{n}.mp4", n % 2, frames[n]) for n in range(8)]
        write_records(folder, videos, split=split)
        splits |= json.loads((folder / "manifest.json").read_text())["splits"]
    (folder / "manifest.json").write_text(json.dumps({"splits": splits}))
    return folder
