"""What a model is exported as, and which folders can take it; TensorFlow is not needed to know that."""

import os

from tsnet_tf import paths
from tsnet_tf.errors import UserError

PRECISIONS = ("float32", "float16", "int8")  # of LiteRT models
SAVED_MODEL, METADATA = "saved_model.pb", os.path.join("assets", "metadata.json")


def check_output(output: str) -> None:
    """Refuses a local ``output`` that is there and holds something else than a SavedModel.

    Raises:
      UserError: it does.
    """
    is_something = paths.is_local(output) and os.path.lexists(output)
    if is_something and not os.path.isfile(os.path.join(output, SAVED_MODEL)):
        raise UserError(f"--output: expected a new folder or an earlier SavedModel, found something else in {output}")


def check_saved_model(folder: str) -> None:
    """Refuses a local ``folder`` that bin/export.py has not written.

    Raises:
      UserError: it has not.
    """
    if paths.is_local(folder) and not all(
        os.path.isfile(os.path.join(folder, name)) for name in (SAVED_MODEL, METADATA)
    ):
        raise UserError(f"--saved_model: expected a folder written by bin/export.py, found none at '{folder}'")
