"""What ends a training loop is told in one line that says what helps."""

import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.training import stopping

ON_GPU = "OOM when allocating tensor with shape[104,160,160,54] and type float on /job:localhost/device:GPU:0"
OF_XLA = "Out of memory while trying to allocate 12345678900 bytes."


@pytest.mark.parametrize("text", [ON_GPU + " by allocator GPU_0_bfc [Op:Conv2D]", OF_XLA])
def test_a_step_that_does_not_fit_names_microbatches(text):
    found = stopping.foreseen(tf.errors.ResourceExhaustedError(None, None, text), "training", "runs/a/ckpt-4")
    assert isinstance(found, UserError) and found.exit_code == 2
    said = str(found)
    assert said.startswith("training: expected a step that fits into the device's memory, found one that does not: ")
    assert "train.microbatches" in said and "bin/complexity.py --memory" in said
    assert said.endswith("last good checkpoint: runs/a/ckpt-4")


def test_other_errors_are_not_foreseen():
    assert (
        stopping.foreseen(tf.errors.InvalidArgumentError(None, None, "shapes do not match"), "training", None) is None
    )
    assert stopping.foreseen(ValueError("Out of memory"), "training", None) is None
