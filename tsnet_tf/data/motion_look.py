"""How a film looks: camera, light, colours and the sensor's noise, drawn from a seed alone.

The seed is all that decides: of one seed, every class is seen from the same place and in the same colours.
"""

from __future__ import annotations

import dataclasses

import numpy as np

_TINTS = 4096  # more than any scene has surfaces


@dataclasses.dataclass(frozen=True)
class Look:
    """Everything that is random in a look.

    Attributes:
      target: what the camera looks at at the first and at the last frame, metres [2, 3].
      distance: of the camera from there, metres [2].
      azimuth: of its direction, degrees [2].
      elevation: the same, negative from above.
      tints: a colour for every surface, RGB in [0, 1] [surfaces, 3].
      tint_share: how much of a surface's colour is its tint.
      light: factor on the brightness of every lamp, RGB [3].
      light_shift: of every lamp, metres [3].
      noise: standard deviation of the sensor's noise, grey levels.
      exposure: standard deviation of the frames' brightness, a factor.
    """

    target: np.ndarray
    distance: np.ndarray
    azimuth: np.ndarray
    elevation: np.ndarray
    tints: np.ndarray
    tint_share: float
    light: np.ndarray
    light_shift: np.ndarray
    noise: float
    exposure: float


def draw_look(seed: int) -> Look:
    """Draws a look. The task is no argument: nothing here can depend on it."""
    random = np.random.default_rng([seed, 1])

    def moving(low: float, high: float, drift: float) -> np.ndarray:
        return random.uniform(low, high) + random.uniform(-drift, drift) * np.array([-0.5, 0.5])

    return Look(
        target=np.array([0.0, 0.66, 0.12])
        + random.uniform(-0.06, 0.06, 3)
        + np.array([[-0.5], [0.5]]) * random.uniform(-0.03, 0.03, 3),
        distance=moving(0.85, 1.2, 0.06),
        azimuth=moving(-150.0, -30.0, 8.0),
        elevation=moving(-70.0, -38.0, 4.0),
        tints=random.uniform(0.0, 1.0, (_TINTS, 3)),
        tint_share=random.uniform(0.2, 0.6),
        light=random.uniform(0.8, 1.4) * random.uniform(0.85, 1.15, 3),
        light_shift=random.uniform(-1.0, 1.0, 3),
        noise=random.uniform(2.0, 8.0),
        exposure=random.uniform(0.0, 0.05),
    )


def expose(frames: np.ndarray, look: Look, random: np.random.Generator) -> np.ndarray:
    """Returns frames as the sensor gives them: brightness that flickers, and noise.

    Args:
      frames: RGB, uint8 [frames, height, width, 3].
      look: its ``noise`` and ``exposure`` are used.
      random: draws them.
    """
    gain = 1.0 + look.exposure * random.standard_normal((len(frames), 1, 1, 1), dtype=np.float32)
    noise = look.noise * random.standard_normal(frames.shape, dtype=np.float32)
    return np.clip(np.rint(frames * gain + noise), 0, 255).astype(np.uint8)
