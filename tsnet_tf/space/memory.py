"""How much memory a training step takes, from the blueprint: weights with what belongs to them, and features.

What is kept for the gradients are a convolution's outputs and what normalisation, activations and gates make of them.
For X3D-S, and within a few per cent whatever its batch, frames, crop and width, that is 2.6 numbers for each one that a
convolution puts out (docs/performance.md, "How cost grows").
"""

import dataclasses

from tsnet_tf.errors import UserError
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.two_stream import Space

KEPT = 2.6  # numbers, for each that a convolution, product or layer puts out
PROCESS = 1.33e9  # bytes that TensorFlow, its graph and its threads take on a processor
BYTES = {"float32": 4, "mixed_bfloat16": 2, "mixed_float16": 2}  # of a feature; weights have 4 always
STATE = {"sgd": 1, "adam": 2}  # numbers that an optimizer keeps for every weight


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of one replica's training step: weights, their gradients and the optimizer's state; features."""

    weights: float
    features: float

    @property
    def gigabytes(self) -> float:
        """All of it, without what the framework takes."""
        return (self.weights + self.features) / 1e9


def of_training(
    genotype: Space, batch: int, resolution: int | None = None, policy: str = "float32", optimizer: str = "sgd"
) -> Memory:
    """What training one architecture takes.

    Args:
      genotype: a space with one candidate for every variable.
      batch: clips per replica, or per microbatch.
      resolution: side of the crop; default the genotype's own.
      policy: of `tsnet_tf.training.precision.precision`.
      optimizer: "sgd" or "adam".

    Raises:
      UserError: no such policy or optimizer.
    """
    for what, value, known in (("policy", policy, BYTES), ("optimizer", optimizer, STATE)):
        if value not in known:
            raise UserError(f"{what}: expected {' or '.join(known)}, found '{value}'")
    cost = complexity(genotype, resolution).total
    return Memory(4 * (2 + STATE[optimizer]) * cost.params, BYTES[policy] * KEPT * batch * cost.activations)
