"""What numbers a model computes with."""

import contextlib
from collections.abc import Iterator

import gin
import keras

from tsnet_tf.errors import UserError

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@gin.configurable
@contextlib.contextmanager
def precision(policy: str = "float32") -> Iterator[None]:
    """Models made in this context compute with the precision of ``policy``; their variables are float32 always.

    Args:
      policy: "float32"; "mixed_bfloat16", which has float32's range, so that no loss needs scaling; or, for GPUs that
        do not know it (V100, T4), "mixed_float16", with which the optimizers scale losses.

    Raises:
      UserError: no such policy.
    """
    if policy not in PRECISIONS:
        raise UserError(f"precision.policy: expected one of {', '.join(PRECISIONS)}; found '{policy}'")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
