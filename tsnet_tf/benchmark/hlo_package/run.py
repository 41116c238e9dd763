"""Checks and times the programs of this folder; JAX and NumPy are all that it needs.

  python run.py --output=results.json --seconds=450

Programs are compiled first, several at a time, then checked against the numbers that TensorFlow gave on another
machine, and timed one after the other. Where PyTorch is installed, X3D-S in PyTorch follows. What is done is written at
once, and what the time does not suffice for is left out and named.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import platform
import queue
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).parent
JAX_SHARE, COMPILING_SHARE = 0.55, 0.4  # of the seconds: JAX's part, and its compiling
EAGER_SHARE = 0.4  # of what is left for PyTorch
TOLERANCE = {
    "float32": 1e-3,
    "tf32": 0.2,
    "bfloat16": 0.8,
}  # of the first output: random weights magnify rounding 80-fold


class Results:
    """A file that always has everything that was found so far."""

    def __init__(self, path: str):
        self._path, self._started = path, time.monotonic()
        self.content: dict = {"rows": [], "left_out": []}

    def add(self, row: dict) -> None:
        self.content["rows"].append(row)
        self.write()
        print(_line(row), flush=True)

    def leave_out(self, name: str, why: str) -> None:
        self.content["left_out"].append({"name": name, "why": why})
        self.write()
        print(f"{name}: {why}", flush=True)

    def write(self) -> None:
        self.content["seconds"] = self.seconds()
        with open(f"{self._path}.part", "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
        os.replace(f"{self._path}.part", self._path)

    def seconds(self) -> float:
        return time.monotonic() - self._started


def jax_programs(results: Results, arguments: argparse.Namespace, manifest: dict) -> None:
    """Compiles, checks and times what the manifest has, in its order."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    from programs import PRECISIONS, Program

    device = jax.devices()[0]
    results.content |= {"device": device.device_kind, "jax": jax.__version__, "python": platform.python_version()}
    results.write()
    tasks = []
    for entry in manifest["programs"]:
        precisions = PRECISIONS if entry["policy"] == "float32" else [None]
        tasks += [Program(FOLDER, entry, manifest["models"], precision) for precision in precisions]
    tasks = [task for task in tasks if all(part in task.title for part in arguments.only.split(","))]
    pool = concurrent.futures.ThreadPoolExecutor(arguments.threads)
    compiling = [(task, pool.submit(task.compile)) for task in tasks]
    concurrent.futures.wait(
        [future for _, future in compiling], max(1.0, arguments.seconds * COMPILING_SHARE - results.seconds())
    )
    for _, future in compiling:
        future.cancel()  # what has not begun
    pool.shutdown(wait=True)
    print(f"compiled after {results.seconds():.0f} s", flush=True)
    for task, future in compiling:
        if future.cancelled():
            results.leave_out(task.title, "no time to compile it")
        elif results.seconds() > arguments.seconds * JAX_SHARE and not arguments.without_pytorch:
            results.leave_out(task.title, "no time to run it")
        elif error := future.exception():
            results.add({"name": task.title, "error": f"{type(error).__name__}: {error}"[:800]})
        else:
            try:
                row = {"name": task.title, **task.measure(arguments.repeats)}
                row["peak_gigabytes_of_process"] = (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 1e9
                row["right"] = row["first_output_error"] < TOLERANCE[task.numbers]
                results.add(row)
            except Exception as error:  # one failure is no reason to lose what follows
                results.add({"name": task.title, "error": f"{type(error).__name__}: {error}"[:800]})
        task.release()


def pytorch_models(results: Results, arguments: argparse.Namespace) -> None:
    """X3D-S in PyTorch: as it is, then compiled, each configuration in a process of its own."""
    if importlib.util.find_spec("torch") is None:
        results.leave_out("PyTorch", "not installed")
        return
    script = [sys.executable, str(FOLDER / "x3d_s_pytorch.py"), f"--repeats={arguments.repeats}"]
    end = arguments.seconds
    plain, limit = _Worker("PyTorch, eager", script), results.seconds() + EAGER_SHARE * (end - results.seconds())
    while (line := plain.next_line(limit - results.seconds())) is not None:
        _add_line(results, line)
    plain.end()
    if plain.error:
        results.leave_out(plain.name, plain.error)
    workers = []
    for kind in ("inference", "training"):
        for precision in ("float32", "tf32", "bfloat16"):
            given = ["--compiled", f"--kind={kind}", f"--precision={precision}"]
            workers.append(_Worker(f"PyTorch, torch.compile, {kind}, {precision}", [*script, *given]))
    last = end - 5.0 * len(workers)  # when timing begins, whoever is ready
    ready = [(worker, worker.next_line(last - results.seconds())) for worker in workers]
    for worker, line in ready:
        if line != "ready":
            worker.end()
    for worker, line in ready:
        if line != "ready":
            _add_line(results, line) if line else results.leave_out(
                worker.name, worker.error or "no time to compile it"
            )
            continue
        worker.go()
        found = worker.next_line(end - results.seconds())
        _add_line(results, found) if found else results.leave_out(worker.name, worker.error or "no time to run it")
        worker.end()


class _Worker:
    """A process whose lines are read as they come."""

    def __init__(self, name: str, command: list[str]):
        self.name, self.error = name, ""
        environment = {**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": "3"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self._lines: queue.Queue = queue.Queue()
        self._errors: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self._errors.extend(self._process.stderr), daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put(None)

    def next_line(self, seconds: float) -> str | None:
        """The next line, or None: there is none any more, or not within ``seconds``."""
        try:
            line = self._lines.get(timeout=max(0.1, seconds))
        except queue.Empty:
            self.error = "no time"
            return None
        if line is None and self._process.wait() != 0:
            self.error = "".join(self._errors[-3:]).strip()[-500:]
        return line

    def go(self) -> None:
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()


def _add_line(results: Results, line: str) -> None:
    try:
        results.add(json.loads(line))
    except ValueError:
        print(line, flush=True)


def _line(row: dict) -> str:
    if "error" in row:
        return f"{row['name']}: {row['error']}"
    says = [f"{row['name']:<50}", f"{row.get('precision') or '':<8}"]
    if "milliseconds" in row:
        says += [f"{row['milliseconds']:8.2f} ms", f"{row['latency']:8.2f} ms alone"]
        says += [f"{row['clips_per_second']:8.1f} clips/s"]
    if row.get("gigabytes") is not None:
        says.append(f"{row['gigabytes']:.2f} GB")
    says.append(f"error {row['first_output_error']:.1e}")
    if "max_error" in row:
        says.append(f"(largest {row['max_error']:.1e}, {row['of']})")
    if row.get("seconds_to_compile") is not None:
        says.append(f"compiled in {row['seconds_to_compile']:.0f} s")
    return " ".join(says)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="results.json")
    parser.add_argument("--seconds", type=float, default=450.0, help="what is not begun by then is left out")
    parser.add_argument(
        "--repeats", type=int, default=15, help="measurements of everything, of which medians count; 0: check only"
    )
    parser.add_argument("--threads", type=int, default=max(1, min(8, (os.cpu_count() or 2) // 2)), help="that compile")
    parser.add_argument("--only", default="", help="programs whose name has this in it")
    parser.add_argument("--without_pytorch", action="store_true")
    parser.add_argument("--part", choices=["jax"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    results = Results(arguments.output)
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    if arguments.part == "jax":
        jax_programs(results, arguments, manifest)
        return
    # In a process of its own, so that its memory is free again, and nothing that happens there ends this one.
    command = [sys.executable, *sys.argv, "--part=jax"]
    process = subprocess.Popen(command)
    try:
        process.wait(arguments.seconds * (1.0 if arguments.without_pytorch else JAX_SHARE + 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    results.content |= _read(arguments.output)
    if process.returncode:
        results.leave_out("JAX", f"ended with exit code {process.returncode}")
    if not arguments.without_pytorch:
        pytorch_models(results, arguments)
    results.write()


def _read(path: str) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    main()
