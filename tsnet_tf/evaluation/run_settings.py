"""The gin settings of a finished run, under those that are given now."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tsnet_tf import paths, setting_mistakes, settings
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Settings

CONFIG = "config.gin"


def check(workdir: str, given: Settings) -> None:
    """Holds ``given`` against the source and the run's own settings; without TensorFlow where the folder is local.

    Raises:
      UserError: there is no such run folder, or a mistake in ``given``.
    """
    setting_mistakes.check(given, beside=[read(workdir)])


def read(workdir: str, gin_files: Sequence[str] = ()) -> Settings:
    """The settings of the run folder ``workdir``, then those of ``gin_files``.

    Raises:
      UserError: there is no such run folder.
    """
    path = os.path.join(workdir, CONFIG)
    if paths.is_local(path):
        exists, opened = os.path.exists, open
    else:
        import tensorflow as tf

        exists, opened = tf.io.gfile.exists, tf.io.gfile.GFile
    if not exists(path):
        raise UserError(f"--workdir: expected a finished run, found no {CONFIG} in '{workdir}'")
    with opened(path) as file:
        return settings.read(gin_files, under=file.read(), with_base=False)


def restore(workdir: str, gin_files: Sequence[str], gin_bindings: Sequence[str]) -> None:
    """Makes gin hold the run folder's ``config.gin``, then ``gin_files`` and ``gin_bindings``, which win.

    Args:
      workdir: a run folder.
      gin_files: given with --gin_file.
      gin_bindings: given with --gin_bindings.

    Raises:
      UserError: there is no such run folder, or a mistake in what is given now.
    """
    settings.apply(settings.read(gin_files, gin_bindings, with_base=False), under=read(workdir))
