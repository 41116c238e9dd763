"""What a figure was measured on, and how two things are compared."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

import tsnet_tf


def description() -> dict[str, str | int]:
    """Device, threads and versions, to stand beside every figure."""
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "device": ", ".join(filter(None, gpus)) or _processor(),
        "threads": os.cpu_count() or 1,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "tsnet_tf": tsnet_tf.__version__,
    }


def interleaved_seconds(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Runs every action once unmeasured, then all of them in turn ``repeats`` times: seconds by name.

    In turn, so that whatever else the machine does falls on all of them alike.
    """
    for action in actions.values():
        action()
    seconds = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median of the ratios of paired measurements."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
