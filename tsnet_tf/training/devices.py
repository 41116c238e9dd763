"""Which devices there are: those that TensorFlow has, and GPUs of the machine that it does not see."""

from __future__ import annotations

import collections
import ctypes
import glob
import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Sequence

import tensorflow as tf

from tsnet_tf.errors import UserError

DRIVER_LIBRARY = "libcuda.so.1"
_SECONDS_TO_ANSWER = 10


def check(wanted: Sequence[str]) -> None:
    """Refuses devices that TensorFlow does not have; it would take others in their place.

    Args:
      wanted: names such as "GPU:0".

    Raises:
      UserError: one of them is not there; the message says why a GPU may not be.
    """
    there = [short(device.name) for device in tf.config.list_logical_devices()]
    for name in wanted:
        if short(name) not in there:
            why = unseen_gpus()
            raise UserError(
                f"strategy.devices: expected devices out of {', '.join(there)}, found '{name}'"
                + (f" ({why})" if why else "")
            )


def check_gpus() -> None:
    """Refuses to go on without a GPU.

    Raises:
      UserError: there is none; the message says why.
    """
    if not tf.config.list_logical_devices("GPU"):
        why = unseen_gpus()
        raise UserError(
            f"strategy.name: expected GPUs for mirrored, found none{f' ({why})' if why else ''}; on the processor: "
            'strategy.name = "one_device"'
        )


def used_by(strategy: tf.distribute.Strategy) -> str:
    """What ``strategy`` computes on, for people."""
    names = [short(name) for name in strategy.extended.worker_devices]
    kinds = collections.Counter(filter(None, map(_model_of, names)))
    models = [f"{count} x {model}" if count > 1 else model for model, count in kinds.items()]
    shown = ", ".join(names) + (f" ({', '.join(models)})" if models else "")
    replicas = strategy.num_replicas_in_sync
    workers = f" on {replicas // len(names)} workers" if names and replicas > len(names) else ""
    return f"devices: {shown}; {replicas} replica{'s' if replicas > 1 else ''}{workers}"


def short(name: str) -> str:
    """A device's name without job, replica and task, such as "GPU:0"."""
    return name.rsplit("/", 1)[-1].removeprefix("device:").upper()


def unseen_gpus() -> str | None:
    """Why TensorFlow sees none of the GPUs of this machine, and what to do; None if it does, or there are none."""
    if tf.config.list_physical_devices("GPU"):
        return None
    models = gpus_of_the_machine()
    return f"this machine has {' and '.join(models)}, which TensorFlow does not see: {_why()}" if models else None


def gpus_of_the_machine(driver: str = "/proc/driver/nvidia", devices: str = "/dev") -> list[str]:
    """Names of NVIDIA's GPUs as their driver has them, whether TensorFlow sees them or not.

    Args:
      driver: folder in which it describes them.
      devices: folder in which it makes devices of them.
    """
    found = []
    for path in sorted(glob.glob(f"{driver}/gpus/*/information")):
        with open(path, encoding="utf-8") as file:
            found += re.findall(r"^Model:\s*(.+?)\s*$", file.read(), re.MULTILINE)
    if not found:
        names = sorted(os.path.basename(path) for path in glob.glob(f"{devices}/nvidia[0-9]*"))
        found = [f"an NVIDIA GPU (/dev/{name})" for name in names]
    if not found and shutil.which("nvidia-smi"):  # of Windows' Linux, which has neither
        try:
            listed = subprocess.run(
                ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_SECONDS_TO_ANSWER, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return []
        found = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", listed, re.MULTILINE)
    return found


def _why() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and not hidden[:1].isalnum():
        return f"CUDA_VISIBLE_DEVICES is '{hidden}' in the environment, which hides it; unset it"
    install = f"pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    if not tf.test.is_built_with_cuda():
        return f"this TensorFlow is built without CUDA; {install}"
    if not _loads(DRIVER_LIBRARY):
        return f"{DRIVER_LIBRARY} of its driver cannot be loaded; install it, or start the container with --gpus=all"
    missing = _missing_packages()
    if missing:
        return f"{', '.join(missing)} of CUDA are not installed; {install}"
    return (
        f"CUDA {tf.sysconfig.get_build_info().get('cuda_version', '')} does not start, most likely since the driver is "
        "too old; nvidia-smi shows which one it is"
    )


def _missing_packages() -> list[str]:
    """Packages with CUDA's libraries that this TensorFlow wants and has not; they need no CUDA of the system."""
    missing = []
    for requirement in importlib.metadata.requires("tensorflow") or []:
        name = re.match(r"[\w-]+", requirement)[0]
        if "and-cuda" in requirement:
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                missing.append(name)
    return missing


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _model_of(name: str) -> str | None:
    """The model of a GPU of this process, as TensorFlow knows it."""
    kind, _, number = name.partition(":")
    gpus = tf.config.list_physical_devices("GPU") if kind == "GPU" else []
    if not number.isdecimal() or int(number) >= len(gpus):
        return None
    return tf.config.experimental.get_device_details(gpus[int(number)]).get("device_name")
