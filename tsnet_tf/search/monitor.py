"""What is worth recording of a search, besides the metrics of its steps."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tsnet_tf.report import costs, distribution, drawing, figures
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.two_stream import pick, values_at

ARCHITECTURES_DRAWN = 64  # for the histogram of costs
DOTS_PER_INCH = 80


class Monitor:
    """Reads the state of ``model``, a search under way, for `tsnet_tf.training.recorder.Recorder`.

    Args:
      model: the search.
      seed: of the architectures that are drawn to be looked at.
    """

    def __init__(self, model: SearchModel, seed: int):
        self._model, self._seed, self._space = model, seed, model.network.space

    def measure(self, metrics: dict[str, float]) -> dict[str, float]:
        """The metrics of the last steps, and the state of P(A | alpha)."""
        return {**metrics, **self._model.state_of_search()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Probabilities ``[choices, values]``, alpha by kind of variable, and costs of some architectures."""
        alpha, found = np.array(self._model.alpha), self._model.distribution
        kinds = {}
        for row, choice in zip(alpha, found.choices, strict=True):
            kinds.setdefault(f"alpha/{choice.kind}", []).extend(row[: len(choice.values)])
        return {
            "probabilities": found.probabilities(tf.constant(alpha)).numpy(),
            f"drawn_{self._model.costs.model.name}": self._drawn_costs(alpha),
            **{name: np.array(values) for name, values in kinds.items()},
        }

    def pictures(self) -> dict[str, Callable[[], np.ndarray]]:
        """The most probable architecture, the heat map of P(A | alpha), and what drawn architectures cost."""
        alpha, model, theme = np.array(self._model.alpha), self._model, figures.LIGHT
        best = pick(self._space, values_at(self._space, model.distribution.most_probable(tf.constant(alpha)).numpy()))
        probabilities = model.distribution.probabilities(tf.constant(alpha)).numpy()
        unit, target, drawn = model.costs.model.unit, model.target, self._drawn_costs(alpha)
        return {
            "architecture": lambda: figures.pixels(lambda t: drawing.figure_of(best, t), theme, DOTS_PER_INCH),
            "heat_map": lambda: distribution.raster(self._space, probabilities, theme),
            "costs": lambda: figures.pixels(lambda t: costs.figure_of(drawn, target, unit, t), theme, DOTS_PER_INCH),
        }

    def shown(self, measured: dict[str, float]) -> dict[str, str]:
        """What a person watches."""
        cost, indicator = self._model.costs.model, self._model.settings.indicator
        return {
            "loss": f"{measured['loss']:.2f}" if "loss" in measured else "-",
            f"validation {indicator}": f"{measured['indicator']:.2f}" if "indicator" in measured else "-",
            "entropy": f"{measured['entropy']:.1f} nats",
            cost.unit.split()[0]: f"{measured[f'expected_{cost.name}']:.3g} (target {self._model.target:g})",
        }

    def _drawn_costs(self, alpha: np.ndarray) -> np.ndarray:
        # One seed for all reports: what changes between two histograms is P(A | alpha), not the luck of the draw.
        drawn = self._model.distribution.sample(tf.constant(alpha), ARCHITECTURES_DRAWN, tf.constant([self._seed, 0]))
        return self._model.costs.of(drawn).numpy()
