"""Writes matplotlib figures; no display and no global state."""

from __future__ import annotations

import io
import os
import uuid

import matplotlib
import tensorflow as tf
from matplotlib.figure import Figure

PNG_DOTS_PER_INCH = 160
STYLE = {
    "font.size": 10,
    "hatch.linewidth": 0.9,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tsnet_tf",  # equal figures give equal files
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def save(figure: Figure, path: str) -> list[str]:
    """Writes ``<path>.png`` and ``<path>.svg``, each whole or not at all, on any file system TensorFlow knows.

    Returns:
      The two file names.
    """
    written = []
    tf.io.gfile.makedirs(os.path.dirname(path) or ".")
    for kind in ("png", "svg"):
        content = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else None
        with matplotlib.rc_context(STYLE):
            figure.savefig(content, format=kind, dpi=PNG_DOTS_PER_INCH, metadata=metadata, facecolor="white")
        name = f"{path}.{kind}"
        temporary = f"{name}.{uuid.uuid4().hex}.tmp"
        with tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(content.getvalue())
        tf.io.gfile.rename(temporary, name, overwrite=True)
        written.append(name)
    return written
