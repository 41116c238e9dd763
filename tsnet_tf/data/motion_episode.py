"""A robot's episode: a scripted expert does a task, with a hand of its own, and what is worth filming is cut out."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

_MAX_STEPS = 250  # experts that need more have dropped what they carried
_STEPS_AFTER = 30  # the hand goes elsewhere when it is done
_HAND_LOW, _HAND_HIGH = (-0.15, -0.08, -0.03), (0.15, 0.04, 0.10)  # of the first place, metres from the task's own
_AWAY_LOW, _AWAY_HIGH = (-0.15, -0.15, 0.03), (0.15, 0.0, 0.15)  # of the last place, metres from where the task ends
_NOISE = 0.2  # largest standard deviation of a hand's tremor, shares of the fastest movement
_SLOWEST = 0.6  # share of the expert's speed
_FIRST = 0.3  # largest share of the expert's steps that is left out at the beginning
_FEWEST_AFTER = 4  # steps


class Environment(Protocol):
    """What is used of Meta-World's environments."""

    hand_init_pos: np.ndarray  # metres [3]
    data: object  # with ``qpos``, the positions of all joints and objects

    def seed(self, seed: int) -> object: ...

    def reset(self) -> tuple[np.ndarray, dict]: ...

    def step(self, action: np.ndarray) -> tuple: ...


@dataclasses.dataclass(frozen=True)
class Episode:
    """What happened, step by step.

    Attributes:
      states: positions of all joints and objects [steps, coordinates], before the first step and after each.
      success: the step after which the task was done.
    """

    states: np.ndarray
    success: int


def perform(environment: Environment, expert, place: np.ndarray, random: np.random.Generator) -> Episode | None:
    """Lets the expert do its task once, and then move its hand away.

    Where the hand begins and where it goes afterwards is random, so that neither says whether a film runs backwards.

    Args:
      environment: with a new task drawn at every reset.
      expert: has ``get_action(observation)``.
      place: the task's own first place of the hand, metres [3].
      random: draws where things are, where the hand begins, its speed and its tremor.

    Returns:
      The episode, or None if the task was not done in 250 steps.
    """
    environment.seed(int(random.integers(2**31)))
    environment.hand_init_pos = place + random.uniform(_HAND_LOW, _HAND_HIGH)
    tremor, speed = random.uniform(0.0, _NOISE), random.uniform(_SLOWEST, 1.0)
    away = random.uniform(_AWAY_LOW, _AWAY_HIGH)

    def step(action: np.ndarray) -> tuple[np.ndarray, bool]:
        moved = action[:3] * speed + tremor * random.standard_normal(3)
        seen, *_, info = environment.step(np.clip(np.append(moved, action[3]), -1.0, 1.0))
        states.append(environment.data.qpos.copy())
        return seen, bool(info["success"])

    seen, _ = environment.reset()
    states, done = [environment.data.qpos.copy()], False
    while not done:
        if len(states) > _MAX_STEPS:
            return None
        seen, done = step(np.array(expert.get_action(seen), np.float64))
    success = len(states) - 1
    target = seen[:3] + away
    for _ in range(_STEPS_AFTER):
        seen, _ = step(np.append(10.0 * (target - seen[:3]), -1.0))
    return Episode(np.stack(states), success)


def cut(episode: Episode, frames: int, random: np.random.Generator) -> np.ndarray:
    """Returns the states that are filmed [frames, coordinates].

    They are even in time, from a random step before the task is done to a random one after it: how an episode begins
    and ends, and how long it takes, says little.
    """
    first = random.uniform(0.0, _FIRST) * episode.success
    last = episode.success + random.uniform(_FEWEST_AFTER, len(episode.states) - 1 - episode.success)
    return episode.states[np.rint(np.linspace(first, last, frames)).astype(int)]
