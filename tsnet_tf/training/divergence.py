"""A training that diverges is told of while it does: a loss far above that of guessing, for long."""

from __future__ import annotations

import math

import keras

from tsnet_tf import console

FAR = 3.0  # times the loss of guessing, the logarithm of the number of classes
LONG = 3  # reports in a row


class Watch:
    """Looks at the loss of every report, and warns once.

    Args:
      model: what is trained, compiled.
      title: what is being done.
      batch_size: clips per step; 0 if nobody has said.
    """

    def __init__(self, model: keras.Model, title: str, batch_size: int):
        space = getattr(getattr(model, "network", None), "space", None)
        self._chance = math.log(space.classes) if space is not None and space.classes > 1 else math.inf
        self._title, self._far = title, 0
        rate = getattr(model.optimizer, "highest_learning_rate", None)
        batch = f", with batches of {batch_size}" if batch_size else ""
        found = f"the learning rate goes up to {rate:g}{batch}: " if rate is not None else ""
        self.hint = f"{found}a smaller learning_rate or weight_optimizer.clip_norm may help"

    def look(self, step: int, loss: float) -> None:
        """Warns if the loss has been far above that of guessing for `LONG` reports."""
        self._far = self._far + 1 if loss > FAR * self._chance else 0
        if self._far == LONG:
            console.warn(
                f"{self._title}: the loss is {loss:,.4g} at step {step}, that of guessing {self._chance:.3g}; "
                f"{self.hint}"
            )
            self._chance = math.inf  # once is enough
