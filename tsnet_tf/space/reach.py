"""What the steps of a progressive search can reach: the cheapest and the most expensive architecture of each."""

import dataclasses
import decimal
import fnmatch
from collections.abc import Callable, Mapping, Sequence

from tsnet_tf.errors import UserError
from tsnet_tf.space.cost import largest, smallest
from tsnet_tf.space.two_stream import Space, Value, only, restrict, variables


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a progressive search.

    Attributes:
      name: of the step.
      streams: streams that its model has.
      free: patterns of the labels that it searches (`tsnet_tf.space.two_stream.restrict`).
      share: its budget as a part of that of the last step; None if nobody has said.
    """

    name: str
    streams: tuple[str, ...]
    free: tuple[str, ...]
    share: float | None = None


@dataclasses.dataclass(frozen=True)
class Range:
    """What the cheapest and the most expensive architecture cost that a step can find."""

    least: float
    most: float

    def __str__(self) -> str:
        """In four digits, each end rounded to the inside, so that it can be reached as it is printed."""
        inside = ((self.least, decimal.ROUND_CEILING), (self.most, decimal.ROUND_FLOOR))
        least, most = (decimal.Context(4, way).create_decimal_from_float(value) for value, way in inside)
        return f"{float(least):g} to {float(most):g}"


def ranges(
    spaces: Sequence[Space],
    steps: Sequence[Step],
    cost: Callable[[Space], float],
    fixed: Mapping[str, Value] | None = None,
) -> list[Range]:
    """What each step can reach, whatever the steps before it have found.

    Args:
      spaces: the whole space of each step.
      steps: in their order.
      cost: of an architecture.
      fixed: values of what was found before the first of them.
    """
    reached = []
    for number, (space, step) in enumerate(zip(spaces, steps, strict=True), start=1):
        streams = only(space, step.streams)
        labels = [variable.label for variable in variables(streams)]
        so_far = [pattern for one in steps[:number] for pattern in one.free]
        searched = restrict(streams, [one for one in so_far if fnmatch.filter(labels, one)], fixed or {})
        reached.append(Range(cost(smallest(searched)), cost(largest(searched))))
    return reached


def divided(target: float, steps: Sequence[Step], reached: Sequence[Range], unit: str) -> list[float]:
    """The budget of each step, so that the last one can keep to ``target`` whatever the ones before it find.

    A step gets its share of the target. It gets less where the cheapest additions of later steps would not fit on top,
    and as much as its cheapest architecture costs where its share is less.

    Args:
      target: what the final architecture may cost.
      steps: with their shares.
      reached: of each step (`ranges`).
      unit: of the target, for the message.

    Raises:
      UserError: the last step cannot reach the target.
    """
    last = reached[-1]
    if not last.least <= target <= last.most:
        raise UserError(
            f"expected a budget of {last} {unit}, the cheapest and the most expensive architecture of the step "
            f"'{steps[-1].name}'; found {target:g}"
        )
    budgets = [target]
    for step, own, later in reversed(list(zip(steps[:-1], reached[:-1], reached[1:], strict=True))):
        most = min(own.most, budgets[0] - (later.least - own.least))
        budgets.insert(0, min(max((step.share or 1.0) * target, own.least), most))
    return budgets
