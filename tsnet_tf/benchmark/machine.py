"""What a figure was measured on, and how two things are compared."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import tensorflow as tf

import tsnet_tf

THREADS = os.cpu_count() or 1  # as many as TensorFlow takes


def description() -> dict[str, str | int]:
    """Device, threads and versions, to stand beside every figure."""
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "device": ", ".join(filter(None, gpus)) or _processor(),
        "threads": THREADS,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "tsnet_tf": tsnet_tf.__version__,
    }


def interleaved_seconds(
    actions: Mapping[str, Callable[[], object]], repeats: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Runs every action once unmeasured, then all of them in turn ``repeats`` times: seconds by name.

    In turn, so that whatever else the machine does falls on all of them alike.

    Args:
      actions: by name.
      repeats: measurements of each.
      pause: seconds of rest before each, in which the threads of another library stop waiting for more work.
    """
    for action in actions.values():
        action()
    seconds = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            time.sleep(pause)
            started = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median of the ratios of paired measurements."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def spread(values: Sequence[float]) -> float:
    """Half the distance between the quartiles, as a share of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / (2 * middle)


def peak_gigabytes() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def in_fresh_process(function: Callable[..., dict], *arguments) -> dict:
    """``function(*arguments)``, in a process of its own: memory starts anew."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@contextlib.contextmanager
def process_with_threads(intra_op_threads: int, make: Callable[..., Callable], *arguments) -> Iterator[Callable]:
    """``make(*arguments)``, a function, in a process where so many threads share an operation.

    Each process has one number for all that it does.

    Yields:
      What calls that function there and waits for what it returns.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context, _make, (intra_op_threads, make, arguments)) as pool:
        yield lambda *given: pool.submit(_call, *given).result()


def _make(intra_op_threads: int, make: Callable[..., Callable], arguments: tuple) -> None:
    global _made
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    _made = make(*arguments)


def _call(*given) -> object:
    return _made(*given)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
