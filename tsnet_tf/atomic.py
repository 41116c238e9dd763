"""Writes files that are either whole or absent, on any file system TensorFlow knows."""

import json
import os
import uuid

import tensorflow as tf


def write_bytes(path: str, content: bytes) -> None:
    """Writes ``content`` to a temporary name beside ``path``, then renames it to ``path``."""
    folder = os.path.dirname(path)
    if folder:
        tf.io.gfile.makedirs(folder)
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(content)
        if "://" not in temporary:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())  # else a power cut may leave the name without the content
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except BaseException:  # a full disk, for one, should not be left fuller
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
        raise


def write_text(path: str, text: str) -> None:
    """Writes ``text`` in UTF-8 with `write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: str, value: object) -> None:
    """Writes ``value`` as indented JSON with `write_bytes`."""
    write_text(path, json.dumps(value, indent=2) + "\n")
