"""Values that depend on choices, as tables over the candidates of those choices."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

from tsnet_tf.space.two_stream import Choice, Value


@dataclasses.dataclass(frozen=True)
class LookupTable:
    """A value for every combination of the candidates of some open choices.

    Attributes:
      axes: the choices.
      values: one for each combination, the last choice fastest.
    """

    axes: tuple[Choice, ...]
    values: tuple

    @functools.cached_property
    def strides(self) -> dict[str, int]:
        """How far apart the values of a choice's neighbouring candidates are, by the choice's label."""
        strides, step = {}, 1
        for axis in reversed(self.axes):
            strides[axis.label] = step
            step *= len(axis.values)
        return strides

    def at(self, chosen: Mapping[str, Value]) -> object:
        """The value where every choice, by its label, is as in ``chosen``."""
        return self.values[sum(self.strides[a.label] * a.values.index(chosen[a.label]) for a in self.axes)]

    def over(self, axes: Sequence[Choice]) -> list:
        """The value for every combination of ``axes``, among which the table's own are."""
        steps = [[self.strides.get(axis.label, 0) * i for i in range(len(axis.values))] for axis in axes]
        return [self.values[sum(combination)] for combination in itertools.product(*steps)]

    def map(self, function: Callable) -> "LookupTable":
        """The table of ``function`` of the values."""
        return LookupTable(self.axes, tuple(map(function, self.values)))


def tabulate(function: Callable, *axes: Choice) -> object:
    """The table of ``function`` of one value for each of ``axes``, or its only value where none of them is open."""
    values = tuple(function(*combination) for combination in itertools.product(*(axis.values for axis in axes)))
    open_axes = tuple(axis for axis in axes if len(axis.values) > 1)
    return LookupTable(open_axes, values) if open_axes else values[0]
