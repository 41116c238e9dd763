"""What a demo video shows: one shape that moves over a textured background, as numbers and as pixels.

The data set is built to need both streams. Two properties, both tested, make it so:

* **The motion has a period of `PERIOD` source frames**, the distance between two sparse frames, and a random phase. The
  sparse stream meets the same pose again and again (but for a slow drift) and cannot tell a motion from a still.
* **A single pose says nothing about the motion.** Every video has all four oscillations (horizontal and vertical
  place, angle, size), each with its own uniform phase; the motion only decides *which one of the phases advances*. At
  any one instant the pose has therefore exactly the same joint distribution for all four motions.

Every shape comes in a tint of its own, so that appearance is learned in a minute and the demo's time goes to motion.
"""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np

SHAPES = ("cross", "ring", "square", "triangle")
MOTIONS = ("shake_left_right", "shake_up_down", "rotate", "pulsate")  # in the order of the pose's four numbers

HEIGHT, WIDTH = 64, 80  # pixels
FRAMES = 80
FRAME_RATE = 30
PERIOD = 16  # source frames: 8 dense frames at stride 2, 1 sparse frame at stride 16

_SWING = (11.0, 11.0, 1.1, 0.45)  # pixels, pixels, radians, natural logarithm of the size
_RESTING_SPREAD = (4.0, 3.0, 0.1, 0.05)  # of a pose's uniform centre, in the same units
_MEAN_RADIUS = 14.0  # pixels
_DRIFT = (2.0, 2.0)  # pixels from the middle of the video to its ends
_BACKGROUND_SPEED = 0.25  # pixels per source frame
_WAVES = 6
_NOISE = 3.0  # standard deviation, grey levels

_FRAMES_AT_ONCE = 8  # their arrays fit into a processor's cache; all frames at once take twice as long


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything that is random in one video, drawn without knowing the motion.

    Attributes:
      rest: centre of each oscillation [4]: x and y in pixels from the middle, angle in radians, log size.
      swing: amplitude of each oscillation [4], same units.
      phase: phase of each oscillation at frame 0 [4], radians.
      drift: x and y in pixels per source frame [2].
      tint: of the shape: hue next to that of its kind, saturation, brightness, all in [0, 1].
      background: mean colour of the background, RGB in [0, 1].
      waves: texture of the background [waves, 4]: angular frequency in x and y (radians per pixel), phase, strength.
      background_drift: x and y in pixels per source frame [2].
    """

    rest: np.ndarray
    swing: np.ndarray
    phase: np.ndarray
    drift: np.ndarray
    tint: tuple[float, float, float]
    background: tuple[float, float, float]
    waves: np.ndarray
    background_drift: np.ndarray


def draw_scene(random: np.random.Generator) -> Scene:
    """Draws a scene. The motion is no argument: nothing here can depend on it."""
    wave_length = random.uniform(18.0, 60.0, _WAVES)
    direction = random.uniform(0.0, 2 * np.pi, _WAVES)
    waves = np.stack(
        [
            2 * np.pi / wave_length * np.cos(direction),
            2 * np.pi / wave_length * np.sin(direction),
            random.uniform(0.0, 2 * np.pi, _WAVES),
            random.uniform(0.004, 0.02, _WAVES),
        ],
        axis=1,
    )
    return Scene(
        rest=random.uniform(-1.0, 1.0, 4) * _RESTING_SPREAD,
        swing=random.uniform(0.9, 1.1, 4) * _SWING,
        phase=random.uniform(0.0, 2 * np.pi, 4),
        drift=random.uniform(-1.0, 1.0, 2) * _DRIFT / (FRAMES / 2),
        tint=(random.uniform(-0.05, 0.05), random.uniform(0.5, 0.9), random.uniform(0.9, 1.0)),
        background=colorsys.hsv_to_rgb(random.uniform(), random.uniform(0.1, 0.5), random.uniform(0.1, 0.25)),
        waves=waves,
        background_drift=random.uniform(-1.0, 1.0, 2) * _BACKGROUND_SPEED,
    )


def poses(scene: Scene, motion: str) -> np.ndarray:
    """Returns the shape's pose in every frame [frames, 4]: x, y (pixels from the middle), angle (radians), log size."""
    frame = np.arange(FRAMES)
    phase = np.tile(scene.phase, (FRAMES, 1))
    # The frame is taken modulo the period before the sine, so that the period is exact and not only nearly so.
    phase[:, MOTIONS.index(motion)] += 2 * np.pi / PERIOD * (frame % PERIOD)
    pose = scene.rest + scene.swing * np.sin(phase)
    pose[:, :2] += (frame[:, None] - FRAMES / 2) * scene.drift
    return pose


def render(scene: Scene, shape: str, motion: str, random: np.random.Generator) -> np.ndarray:
    """Draws the video.

    Args:
      scene: from `draw_scene`.
      shape: one of `SHAPES`.
      motion: one of `MOTIONS`.
      random: source of the noise.

    Returns:
      RGB frames, uint8 [frames, height, width, 3]. There is no motion blur: it would show the motion in one frame.
    """
    every_pose = poses(scene, motion).astype(np.float32)
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for first in range(0, FRAMES, _FRAMES_AT_ONCE):
        chosen = np.arange(first, min(first + _FRAMES_AT_ONCE, FRAMES))
        frames[chosen] = _render_frames(scene, shape, chosen, every_pose[chosen], random)
    return frames


def _render_frames(
    scene: Scene, shape: str, chosen: np.ndarray, pose: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    y = (np.arange(HEIGHT, dtype=np.float32) - (HEIGHT - 1) / 2)[:, None]
    x = np.arange(WIDTH, dtype=np.float32) - (WIDTH - 1) / 2
    shape_x, shape_y, angle, log_size = pose.T[:, :, None, None]
    radius = _MEAN_RADIUS * np.exp(log_size)
    shifted_x, shifted_y = x - shape_x, y - shape_y
    along = (np.cos(angle) * shifted_x + np.sin(angle) * shifted_y) / radius
    across = (np.cos(angle) * shifted_y - np.sin(angle) * shifted_x) / radius
    covered = np.clip(0.5 - radius * _signed_distance(shape, along, across), 0.0, 1.0)
    # A dark hand from the centre outwards shows the angle; it cuts a gap into the ring.
    hand = np.clip(0.5 - radius * np.maximum(np.abs(across) - 0.14, -along), 0.0, 1.0)
    ink = covered * (1.0 - 0.85 * hand)

    grey = 255.0 * (1.0 - covered) * _texture(scene, x, y, chosen)
    grey += random.standard_normal(size=covered.shape, dtype=np.float32) * _NOISE
    pixels = np.empty((*covered.shape, 3), np.uint8)
    hue, saturation, brightness = scene.tint
    rgb = colorsys.hsv_to_rgb((SHAPES.index(shape) / len(SHAPES) + hue) % 1.0, saturation, brightness)
    for channel, (color, background) in enumerate(zip(rgb, scene.background, strict=True)):
        value = grey + 255.0 * (color * ink + background * (1.0 - covered))
        pixels[..., channel] = np.clip(np.rint(value), 0, 255)
    return pixels


def _texture(scene: Scene, x: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the background's brightness around its mean [frames, height, width]: a sheet of waves that slides."""
    frame = chosen.astype(np.float32)[:, None, None]
    texture = np.zeros((len(chosen), HEIGHT, WIDTH), np.float32)
    for frequency_x, frequency_y, phase, strength in scene.waves.astype(np.float32):
        moved = frequency_x * scene.background_drift[0] + frequency_y * scene.background_drift[1]
        texture += strength * np.cos(frequency_x * x + frequency_y * y + phase - np.float32(moved) * frame)
    return texture


def _signed_distance(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns the distance to the shape's outline, negative inside, for a shape of radius about 1.

    Two shapes are solid and two are hollow: a network that sees a few hundred videos has to find them easy to tell.
    """
    if shape == "ring":
        return np.abs(np.hypot(u, v) - 0.72) - 0.24
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) - 0.8
    if shape == "triangle":
        edges = [np.cos(a) * u + np.sin(a) * v for a in np.deg2rad([60.0, 180.0, 300.0])]
        return np.abs(np.maximum.reduce(edges) - 0.62) - 0.16
    if shape == "cross":
        u, v = np.abs(u), np.abs(v)
        return np.minimum(np.maximum(u - 1.1, v - 0.25), np.maximum(u - 0.25, v - 1.1))
    raise ValueError(f"Expected a shape among {SHAPES}; received {shape!r}")
