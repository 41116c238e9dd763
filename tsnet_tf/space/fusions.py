"""The operations that bring dense features to the sparse stream, one entry each: all that the rest has to know of them.

To add one, add an entry; the layer, the costs, the pictures and the checks of spaces follow it. The paper's space has
the three of SlowFast (section 3.3), by name (`tsnet_tf.space.table1`).
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Operation:
    """What is fused, before a 1x1x1 projection to the sparse stream's channels that all operations have.

    Attributes:
      frames: dense frames per sparse frame to the dense frames that a sparse frame sees, as distances from its own.
      pool: ``(tf, seen)`` with seen ``[n, h, w, frames, channels]`` to what is projected, ``[n, h, w, 1, channels]``;
        None to project all frames. TensorFlow is given, so that this file needs none.
      convolved: the frames are convolved to so many times the dense channels first, with BN and ReLU; 0 for not.
      label, short: names in pictures.
      colour, line: of its arrow, as matplotlib has them.
    """

    frames: Callable[[int], range]
    label: str
    short: str
    colour: str
    line: str | tuple
    pool: Callable | None = None
    convolved: int = 0


OPERATIONS = {
    # The dense frames of a sparse frame become channels.
    "time_to_channel": Operation(range, "time to channel", "to ch.", "#9b5fc8", "solid"),
    # The dense frame that the sparse stream sees too.
    "time_strided_sampling": Operation(
        lambda ratio: range(1), "time-strided sampling", "sampl.", "#1a8a5a", (0, (4, 2))
    ),
    # A 5x1x1 convolution with the streams' ratio as temporal stride.
    "time_strided_conv": Operation(
        lambda ratio: range(-2, 3), "time-strided convolution", "conv.", "#d9483f", (0, (1, 1.2)), convolved=2
    ),
}
