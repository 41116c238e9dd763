"""The folder that a preparation writes: new, begun, or complete.

What is begun is ``<output>.partial`` and holds ``plan.json``, with the fingerprint of its input; object stores, which
cannot rename a folder, have it under its name from the start, and there ``manifest.json`` says that it is complete.
"""

from __future__ import annotations

import json
import os

import tensorflow as tf

from tsnet_tf import atomic, console
from tsnet_tf.data import manifest
from tsnet_tf.data.shards import MISSING, location_of
from tsnet_tf.data.video_dataset import MANIFEST
from tsnet_tf.errors import UserError

_PLAN = "plan.json"


def is_complete(output: str, fingerprint: str, videos: str) -> bool:
    """Whether the records are there already, which is said.

    Args:
      output: the folder, by the name that the user gave it.
      fingerprint: of what is to be written.
      videos: folder that the videos' paths are relative to.

    Raises:
      UserError: there is something else, or a video that was missing when they were made is there now.
    """
    manifest_path = os.path.join(output, MANIFEST)
    if not tf.io.gfile.exists(manifest_path):
        _check_new(output)
        return False
    described = _read_json(manifest_path)
    if described.get("fingerprint") != fingerprint:
        raise UserError(
            f"--output: expected a new folder or records of the same annotations and options, found in '{output}' "
            f"records of {described.get('options')}; delete it or choose another folder"
        )
    rejected = described["rejected"]["total"]
    rejects = os.path.join(output, manifest.REJECTS)
    left_out = f" ({rejected} left out, see {rejects})" if rejected else ""
    missing = [path for path, *_, reason in manifest.read_rejects(output) if reason == MISSING]
    found = [path for path in missing if tf.io.gfile.exists(location_of(videos, path))]
    if found:
        raise UserError(
            f"--output: expected a new folder, or the videos that '{output}' was made of, found {len(found)} that were "
            f"missing then, such as '{found[0]}'; delete it or choose another folder"
        )
    console.say(f"prepare: {output} is complete, reused{left_out}")
    return True


def begin(output: str, fingerprint: str) -> str:
    """Makes the folder to write to, or keeps it, with its finished shards, if a run with the same input was stopped.

    Raises:
      UserError: it cannot be made, or was begun with another input.
    """
    # Records are read as they are from the folder's real name on object stores, where a rename copies every byte.
    folder = output if "://" in output else f"{os.path.realpath(output)}.partial"
    plan_path = os.path.join(folder, _PLAN)
    if tf.io.gfile.exists(plan_path):
        if _read_json(plan_path).get("fingerprint") == fingerprint:
            return folder
        raise UserError(
            f"--output: expected a new folder or one that was begun with the same annotations and options, found "
            f"'{folder}' begun with others; delete it or choose another folder"
        )
    try:
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        tf.io.gfile.makedirs(folder)
        atomic.write_json(plan_path, {"fingerprint": fingerprint})
    except (
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
        tf.errors.FailedPreconditionError,
        tf.errors.InvalidArgumentError,  # a bucket instead of a folder in one
    ) as error:
        raise UserError(f"--output: expected a folder that can be made, found: {error.message}") from error
    return folder


def finish(folder: str, output: str) -> None:
    """Gives what was written to the folder of `begin` the name that it was made for."""
    tf.io.gfile.remove(os.path.join(folder, _PLAN))
    if folder != output:
        os.replace(folder, os.path.realpath(output))


def _check_new(output: str) -> None:
    """Refuses at once what could not be written, or given its name, hours later."""
    if "://" not in output and os.path.lexists(output) and (not os.path.isdir(output) or os.path.ismount(output)):
        raise UserError(f"--output: expected a new folder, found a file, or a disk itself, at '{output}'")
    if tf.io.gfile.isdir(output) and tf.io.gfile.listdir(output) and not tf.io.gfile.exists(f"{output}/{_PLAN}"):
        raise UserError(f"--output: expected a new folder or prepared records, found other files in '{output}'")


def _read_json(path: str) -> dict:
    with tf.io.gfile.GFile(path) as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise UserError(f"--output: expected a JSON file, found in '{path}': {error}") from error
