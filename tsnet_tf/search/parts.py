"""The parts of a progressive search, whose settings are held against the source before the first of them begins."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tsnet_tf import configurables, paths, setting_mistakes, settings
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Settings

TRAINING = "train"  # folder of the training from scratch
COMPARISON = "comparison"  # and of what it is compared with
_OF_THE_WHOLE = ("progressive", "check_settings")


def folder_of(gin_file: str) -> str:
    """Name of the run folder of the search step that has this gin file, in that of the whole."""
    return os.path.splitext(os.path.basename(gin_file))[0]


def check(given: Settings, bindings: Sequence[str]) -> None:
    """Checks what was given to ``bin/progressive.py``, and what every part will get.

    Args:
      given: gin files and bindings.
      bindings: the bindings alone, which the parts get besides their own gin files.

    Raises:
      UserError: the first mistake, in whichever part it is.
    """
    steps = given.value("progressive.steps") or ()
    if isinstance(steps, str):
        raise UserError(f"progressive.steps: expected several gin files such as ('{steps}',), found '{steps}'")
    training, comparison = (given.value(f"progressive.{name}") for name in ("training", "comparison"))
    for name, files in (("steps", steps), ("training", [training]), ("comparison", [comparison])):
        for path in filter(None, files):
            settings.find(path, f"progressive.{name}")
    _check_folders(steps)
    calls = dict.fromkeys(steps, "search")
    calls |= {path: name for path, name in ((training, "train"), (comparison, "study")) if path}
    parts = {path: settings.read([path], bindings) for path in calls}
    setting_mistakes.check(given, calls=["progressive"], beside=parts.values())
    for binding in given.bindings:
        of_a_part = binding.parameter and configurables.find(binding.selector) not in _OF_THE_WHOLE
        if of_a_part and binding.where != settings.FLAG:
            raise UserError(
                f"{binding.where}: expected settings of progressive, found '{binding.name}', which no part would get: "
                f"set it in the part's own gin file, or with {settings.FLAG} for all parts"
            )
    for path, part in parts.items():
        setting_mistakes.check(part, calls=[calls[path]], beside=[given, *parts.values()])


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
