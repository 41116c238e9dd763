"""How long a run is, how often it reports and saves, and which of its steps are traced."""

import dataclasses
import math

from tsnet_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Pace:
    """Steps of a run.

    Attributes:
      steps: length of the run.
      report_every: steps between two lines of ``metrics.jsonl`` and TensorBoard.
      checkpoint_every: steps between two checkpoints.
      batch_size: training clips per step, for the speed that is shown; 0 if it is not.
      profile_steps: the first and the last step to trace for TensorBoard's profiler; None for none.

    Raises:
      UserError: there are no such steps to trace.
    """

    steps: int
    report_every: int
    checkpoint_every: int
    batch_size: int = 0
    profile_steps: tuple[int, int] | None = None

    def __post_init__(self):
        if self.profile_steps is not None:
            first, last = self.profile_steps
            if not 1 <= first <= last <= self.steps:
                raise UserError(
                    f"profile_steps: expected first and last of the steps 1 to {self.steps}, found {first} and {last}"
                )


def steps_of(epochs: float, videos: int, batch_size: int) -> int:
    """How many steps ``epochs`` passes over ``videos`` take; at least one."""
    return max(1, math.ceil(epochs * videos / batch_size))
