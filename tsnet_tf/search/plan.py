"""What the steps of a progressive search will do, known before the first of them begins: reach, budgets, lengths."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from tsnet_tf import console, settings
from tsnet_tf.errors import UserError
from tsnet_tf.search import forecast, search_settings
from tsnet_tf.search.cost_tables import CostModel, CostTables
from tsnet_tf.settings import Settings
from tsnet_tf.space import reach
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.two_stream import Space, entropy_of_uniform, only, restrict, values_of


@dataclasses.dataclass(frozen=True)
class Planned:
    """One step of the plan.

    Attributes:
      step: what it searches.
      space: the whole space, for its data.
      cost_model: what its target is about.
      reach: what it can reach, whatever the steps before it find; in the target's unit.
      target: what its architecture may cost.
      own: its settings.
      forward_passes: of one clip in a training step, backward ones counted too.
      numbers: precision and optimizer.
      is_divided: whether the target is its part of the budget of the whole, instead of its own setting.
    """

    step: reach.Step
    space: Space
    cost_model: CostModel
    reach: reach.Range
    target: float
    own: search_settings.SearchSettings
    forward_passes: float
    numbers: tuple[str, str]
    is_divided: bool

    def bindings(self, before: Space | None) -> list[str]:
        """Its part of the budget as gin bindings, no more than it can reach with what the step before has found."""
        if not self.is_divided:
            return []
        searched = restrict(only(self.space, self.step.streams), self.step.free, values_of(before) if before else {})
        target = min(self.target, _price(self.cost_model)(largest(searched)))
        names = [f"search.target_{name}" for name in search_settings.TARGETS]
        own = f"search.target_{self.cost_model.name}"
        return [f"{name} = {target if name == own else None!r}" for name in names]


def make(parts: Sequence[Settings], target: tuple[str, float] | None, before: Space | None = None) -> list[Planned]:
    """The plan of the steps with the settings ``parts``. Gin holds those of the last one afterwards.

    Args:
      parts: what each step gets.
      target: name of a cost model and the budget of the whole; None if every step has a target of its own.
      before: what was found before the first of them.

    Raises:
      UserError: settings, data and budget do not fit together.
    """
    owns, spaces, steps, passes, fixed = [], [], [], [], values_of(before) if before else None
    for part in parts:
        settings.apply(part)
        own = search_settings.settings_from_gin()
        own.check_splits()
        owns.append(own)
        spaces.append(search_settings.space_of_data(own, own.dataset.labels()))
        passes.append(_forward_passes(own, part))
    last = owns[-1].target_gmacs
    for own in owns:
        share = own.target_gmacs / last if last and own.target_gmacs else None
        steps.append(reach.Step(own.name, own.streams, own.free, share))
    if target is None:
        models, targets = zip(*map(search_settings.cost_model_and_target, owns), strict=True)
    else:
        name, most = target
        models = [search_settings.cost_model(name, own) for own in owns]
        targets = reach.divided(most, steps, reach.ranges(spaces, steps, _price(models[-1])), models[-1].unit)
    reached = [reach.ranges(spaces, steps, _price(model), fixed)[number] for number, model in enumerate(models)]
    numbers = map(forecast.of_numbers, parts)
    return [
        Planned(*row, is_divided=target is not None)
        for row in zip(steps, spaces, models, reached, targets, owns, passes, numbers, strict=True)
    ]


def _forward_passes(own: search_settings.SearchSettings, given: Settings) -> float:
    """Of one clip in a training step: K architectures on the validation clips, some of them on the training clips."""
    samples = given.value("joint.samples") or 16
    trained = given.value("joint.weight_samples") or samples
    validated = samples * own.validation_batch_size * (1 - own.alpha_warmup)
    return (1 + forecast.BACKWARD) * trained * own.batch_size + validated


def forecasts(plan: Sequence[Planned], folders: Sequence[str], before: str | None = None) -> list[forecast.Forecast]:
    """What each step will take, read and write.

    Args:
      plan: the steps.
      folders: their run folders.
      before: the run folder of the step before the first.
    """
    found = []
    for one, folder in zip(plan, folders, strict=True):
        searched, width = _searched(one), one.reach.most - one.reach.least
        part = (one.target - one.reach.least) / width if width else 0.0
        least, most = (complexity(extreme(searched)).gmacs for extreme in (smallest, largest))
        gmacs = one.target if one.cost_model.name == "gmacs" else least + part * (most - least)
        reads = ", ".join(filter(None, [one.own.dataset.directory, before]))
        steps, clips = one.own.pace(one.own.epochs).steps, max(one.own.batch_size, one.own.validation_batch_size)
        typical = forecast.between(searched, part)
        row = (one.step.name, reads, folder, typical, gmacs, steps, clips, one.forward_passes)
        found.append(forecast.Forecast(*row, *one.numbers))
        before = folder
    return found


def the_one(targets: dict[str, float | None]) -> tuple[str, float] | None:
    """The one budget of the whole that is given, if any: name of its cost model, and the budget.

    Raises:
      UserError: there are several.
    """
    given = [(name, target) for name, target in targets.items() if target is not None]
    if len(given) > 1:
        found = " and ".join(f"progressive.target_{name} = {target:g}" for name, target in given)
        raise UserError(f"expected one budget, the others None; found {found}")
    return given[0] if given else None


def show(plan: Sequence[Planned]) -> None:
    """Prints it as a table."""
    console.table(
        "Search steps (a target is a ceiling, for the whole model at that step)",
        ["step", "log10 architectures", "reachable", "target", "unit", "training steps"],
        [
            [
                one.step.name,
                f"{entropy_of_uniform(_searched(one)) / 2.302585:.1f}",
                str(one.reach),
                f"{one.target:.4g}",
                one.cost_model.unit,
                one.own.pace(one.own.epochs).steps,
            ]
            for one in plan
        ],
    )


def _searched(one: Planned) -> Space:
    streams = only(one.space, one.step.streams)
    return restrict(streams, one.step.free, values_of(largest(streams)))


def _price(model: CostModel) -> Callable[[Space], float]:
    """What a genotype costs."""
    return lambda genotype: float(CostTables(genotype, model).of(tf.zeros([1, 0], tf.int32))[0])
