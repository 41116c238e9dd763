"""The parts of a progressive search, whose settings are held against the source before the first of them begins."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tsnet_tf import configurables, paths, setting_mistakes, settings
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Settings

TRAINING = "train"  # folder of the training from scratch
COMPARISON = "comparison"  # and of what it is compared with
TARGETS = ("target_gmacs", "target_params_m", "target_latency_ms")  # of progressive, and of each search step
_OF_ONE_STEP = ("name", "after", "streams", "free")


def folder_of(gin_file: str) -> str:
    """Name of the run folder of the search step that has this gin file, in that of the whole."""
    return os.path.splitext(os.path.basename(gin_file))[0]


def read(gin_file: str, files: Sequence[str], bindings: Sequence[str]) -> Settings:
    """What a part gets: its own gin file, then the files and bindings that were given for the whole, which win."""
    own = settings.read([gin_file, *files])
    return settings.read([gin_file, *files], settings.used_by(own, bindings))


def check(given: Settings, files: Sequence[str], bindings: Sequence[str]) -> None:
    """Checks what was given to ``bin/progressive.py``, and what every part will get.

    Args:
      given: gin files and bindings.
      files: the gin files alone, by their paths.
      bindings: the bindings alone.

    Raises:
      UserError: the first mistake, in whichever part it is.
    """
    steps = given.value("progressive.steps") or ()
    if isinstance(steps, str):
        raise UserError(f"progressive.steps: expected several gin files such as ('{steps}',), found '{steps}'")
    training, comparison = (given.value(f"progressive.{name}") for name in ("training", "comparison"))
    for name, named in (("steps", steps), ("training", [training]), ("comparison", [comparison])):
        for path in filter(None, named):
            settings.find(path, f"progressive.{name}")
    _check_folders(steps)
    calls = dict.fromkeys(steps, "search")
    calls |= {path: name for path, name in ((training, "train"), (comparison, "study")) if path}
    parts = {path: read(path, files, bindings) for path in calls}
    setting_mistakes.check(given, calls=["progressive"], beside=parts.values())
    _check_meant_for_all(given)
    for path, part in parts.items():
        setting_mistakes.check(part, calls=[calls[path]])


def _check_meant_for_all(given: Settings) -> None:
    """Refuses what would make every step the same one, or give each of them the budget of the whole."""
    for name in _OF_ONE_STEP + TARGETS:
        binding = next((one for one in given.bindings if _is(one, "search", name)), None)
        if binding is not None and name in TARGETS:
            raise UserError(
                f"{binding.where}: expected progressive.{name}, which is divided over the steps, found "
                f"'{binding.name}', which every step would get"
            )
        if binding is not None:
            raise UserError(
                f"{binding.where}: expected settings that all parts can share, found '{binding.name}', which is one "
                "step's: name the step's gin file in progressive.steps"
            )


def _is(binding: settings.Binding, configurable: str, parameter: str) -> bool:
    return binding.parameter == parameter and configurables.find(binding.selector) == configurable


def _check_folders(steps: Sequence[str]) -> None:
    """Refuses steps that would work in the same folder, of which the second would be thought finished."""
    folders = [TRAINING, COMPARISON]
    for path in steps:
        paths.check_no_pattern(os.path.basename(path))
        if folder_of(path) in folders:
            raise UserError(
                f"progressive.steps: expected gin files of different names, none called {TRAINING}.gin or "
                f"{COMPARISON}.gin; found {', '.join(steps)}"
            )
        folders.append(folder_of(path))
