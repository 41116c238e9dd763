"""The gin settings of a finished run, under those that are given now."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf

from tsnet_tf.errors import UserError


def restore(workdir: str, gin_files: Sequence[str], gin_bindings: Sequence[str]) -> None:
    """Reads the run folder's ``config.gin``, then ``gin_files`` and ``gin_bindings``, which win.

    Args:
      workdir: a run folder.
      gin_files: given with --gin_file.
      gin_bindings: given with --gin_bindings.

    Raises:
      UserError: there is no such run folder.
    """
    config = f"{workdir}/config.gin"
    if not tf.io.gfile.exists(config):
        raise UserError(f"--workdir: expected a finished run, found no config.gin in '{workdir}'")
    gin.clear_config()
    # A run also has settings for parts that are not loaded here, such as its optimizer.
    with tf.io.gfile.GFile(config) as file:
        gin.parse_config(file.read(), skip_unknown=True)
    gin.parse_config_files_and_bindings(list(gin_files), list(gin_bindings))
