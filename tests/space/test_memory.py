"""Memory of a training step by hand, and against what processes were measured to need."""

import dataclasses

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space import genotype, memory
from tsnet_tf.space.cost import complexity


def test_by_hand():
    """A weight, its gradient and its momentum are 4 bytes each; Adam has two moments. Features: 2.6 per output."""
    x3d_s = genotype.load("x3d_s")
    cost = complexity(x3d_s).total
    found = memory.of_training(x3d_s, 8)
    assert found.weights == 12 * cost.params and found.features == 8 * 2.6 * 4 * cost.activations
    assert memory.of_training(x3d_s, 8, optimizer="adam").weights == 16 * cost.params
    narrow = memory.of_training(x3d_s, 8, policy="mixed_bfloat16")
    assert narrow.features == found.features / 2 and narrow.weights == found.weights


@pytest.mark.parametrize(
    ("batch", "frames", "crop", "gigabytes"),
    [(2, 13, 160, 2.10), (4, 13, 160, 2.90), (8, 13, 160, 4.37), (4, 7, 160, 2.19), (4, 26, 160, 4.36)]
    + [(4, 13, 112, 2.11), (4, 13, 224, 4.31)],
)
def test_as_measured(batch, frames, crop, gigabytes):
    """The figures of docs/performance.md, "How cost grows"; with TensorFlow itself, within 25 %."""
    space = genotype.load("x3d_s")
    space = dataclasses.replace(space, streams=(dataclasses.replace(space.sparse, frames=frames),))
    expected = memory.of_training(space, batch, crop).gigabytes + memory.PROCESS / 1e9
    assert expected == pytest.approx(gigabytes, rel=0.25)


def test_unknown_policy_is_refused():
    with pytest.raises(UserError, match="policy: expected float32 or mixed_bfloat16 or mixed_float16, found 'float8'"):
        memory.of_training(genotype.load("x3d_s"), 1, policy="float8")
