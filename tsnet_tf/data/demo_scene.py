"""What a demo video shows: objects that move one way and then another, as numbers and as pixels.

The label is a texture and what the object with it does: one motion all the time, or two in an order.
"stripes_sway_then_blink" is a video in which the striped object sways and then blinks. Beside it is an object without
texture that does something else. So a label needs appearance (which texture is there, and on which object), motion
(what that object does) and time (what it does first):

* **In a single frame, only the texture names the object.** Place, tint and grain of all objects are draws of one
  distribution. Over time the other object also swings less, by a factor drawn from 0 to a fifth of the level.
* **A single pose says nothing about the order.** Every object always has all three oscillations (place, size,
  brightness), each with its own uniform phase; the motion only decides *which one of the phases advances*.
  At any one instant the poses have therefore exactly the same joint distribution for all orders.
* **Two poses half a clip apart say little**: the motions have a period of `PERIOD` source frames, the distance between
  two sparse frames, and only where the second motion has begun in between do these differ by more than noise.
* **One motion is learnt before two**, and shows what to look for: without these labels a small model sees nothing in
  the videos for hundreds of steps.
* **An order and its opposite differ in nothing but the direction of time.** A video run backwards is, in distribution,
  one of the opposite order.

How hard a video is varies from one to the next: the contrast of the texture and the swing of the motions are drawn. On
top of that there are `DIFFICULTIES`, levels of noise: trembling objects, grain that looks like texture, pixel noise,
and how much the other object moves. One stream of all frames gets everything that two streams get.
"""

from __future__ import annotations

import colorsys
import dataclasses
import itertools

import numpy as np

TEXTURES = ("checks", "stripes")
MOTIONS = ("sway", "pulse", "blink")  # in place, size and brightness: the order of a pose's three numbers
ORDERS = (*((motion, motion) for motion in MOTIONS), *itertools.permutations(MOTIONS, 2))  # first motion, second motion
DIFFICULTIES = (1, 2, 3, 4, 5)

HEIGHT, WIDTH = 48, 60  # pixels
FRAMES = 40
FRAME_RATE = 30
PERIOD = 16  # source frames: 8 dense frames at stride 2, 1 sparse frame at stride 16

OBJECTS = 2  # the first has the texture
_RADIUS = 11.0  # pixels
_RING = 11.5  # pixels from the middle, where the objects stand at equal distances from one another
_SWING = (6.5, 0.5, 0.4)  # pixels, natural logarithms of size and brightness
_SMALLEST_SWING = 0.85  # part of the swing, drawn for each object and motion
_PLACE_SPREAD = 1.5  # pixels
_REST_SPREAD = (0.0, 0.1, 0.05)  # of a pose's centre, in its units
_SMALLEST_CONTRAST = 0.9
_TEXTURE_WAVE = 15.0  # pixels
_SWITCH_SPREAD = 2.0  # source frames around the middle of the video
_BACKGROUND_SPEED = 0.25  # pixels per source frame
_BACKGROUND_WAVES = 4
_GRAIN_WAVES = 3

_FRAMES_AT_ONCE = 8  # their arrays fit into a processor's cache; all frames at once take longer


@dataclasses.dataclass(frozen=True)
class Noise:
    """How much of it there is.

    Attributes:
      tremble: standard deviation of the pose, new in each frame [3], in the pose's units.
      grain: strength of the pattern that every object has, beside 1 for a texture of full contrast.
      pixel: standard deviation, grey levels.
      company: largest swing of the other objects, as a part of what the textured one's may be.
    """

    tremble: tuple[float, float, float]
    grain: float
    pixel: float
    company: float


def noise(difficulty: int) -> Noise:
    """Returns the noise of a level, one of `DIFFICULTIES`; all of it grows in proportion to the level."""
    return Noise(
        tremble=(0.2 * difficulty, 0.015 * difficulty, 0.015 * difficulty),
        grain=0.06 * difficulty,
        pixel=2.0 * difficulty,
        company=0.2 * difficulty,
    )


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything that is random in one video but for its noise, drawn without knowing the class.

    Attributes:
      middle: x and y of each object in pixels from the middle of the picture [objects, 2].
      rest: centre of each oscillation [objects, 3]: x in pixels from there, log size, log brightness.
      swing: amplitude of each oscillation [objects, 3], same units.
      phase: phase of each oscillation at frame 0 [objects, 3], radians.
      switch: frame at which the second motion follows the first.
      other_orders: how many places in `ORDERS` each further object's order is from the first object's [objects - 1].
      tint: of each object [objects, 3]: RGB in [0, 1].
      angle: of the texture and grain on each object [objects], radians.
      contrast: of the texture, in [0, 1].
      texture_phase: radians [2].
      grain: of each object [objects, waves, 3]: angular frequency in x and y (radians per pixel), phase.
      depth: the objects from the farthest to the nearest [objects].
      background: mean colour of the background, RGB in [0, 1].
      waves: texture of the background [waves, 4]: angular frequency in x and y (radians per pixel), phase, strength.
      background_drift: x and y in pixels per source frame [2].
    """

    middle: np.ndarray
    rest: np.ndarray
    swing: np.ndarray
    phase: np.ndarray
    switch: float
    other_orders: np.ndarray
    tint: np.ndarray
    angle: np.ndarray
    contrast: float
    texture_phase: np.ndarray
    grain: np.ndarray
    depth: np.ndarray
    background: tuple[float, float, float]
    waves: np.ndarray
    background_drift: np.ndarray


def draw_scene(random: np.random.Generator, noise: Noise) -> Scene:
    """Draws a scene. Texture and order are no arguments: nothing here can depend on them."""
    around = random.uniform(0.0, 2 * np.pi) + np.arange(OBJECTS) * 2 * np.pi / OBJECTS
    middle = _RING * np.stack([np.cos(around), np.sin(around)], 1) + random.uniform(-1, 1, (OBJECTS, 2)) * _PLACE_SPREAD
    swing = random.uniform(_SMALLEST_SWING, 1.0, (OBJECTS, 3))
    swing[1:] *= noise.company * random.uniform(0.0, 1.0, (OBJECTS - 1, 1))
    return Scene(
        middle=middle,
        rest=random.uniform(-1.0, 1.0, (OBJECTS, 3)) * _REST_SPREAD - [0.0, 0.0, _SWING[2]],
        swing=swing * _SWING,
        phase=random.uniform(0.0, 2 * np.pi, (OBJECTS, 3)),
        switch=FRAMES / 2 + random.uniform(-1.0, 1.0) * _SWITCH_SPREAD,
        other_orders=random.integers(1, len(ORDERS), OBJECTS - 1),
        tint=np.stack([_color(random, (0.1, 0.5), (0.8, 1.0)) for _ in range(OBJECTS)]),
        angle=random.uniform(-0.2, 0.2, OBJECTS),
        contrast=random.uniform(_SMALLEST_CONTRAST, 1.0),
        texture_phase=random.uniform(0.0, 2 * np.pi, 2),
        grain=np.stack(
            [_waves(random, _GRAIN_WAVES, 0.8 * _TEXTURE_WAVE, 1.6 * _TEXTURE_WAVE) for _ in range(OBJECTS)]
        ),
        depth=random.permutation(OBJECTS),
        background=tuple(_color(random, (0.1, 0.5), (0.1, 0.3))),
        waves=np.concatenate(
            [
                _waves(random, _BACKGROUND_WAVES, 12.0, 45.0),
                random.uniform(0.01, 0.04, (_BACKGROUND_WAVES, 1)),
            ],
            1,
        ),
        background_drift=random.uniform(-1.0, 1.0, 2) * _BACKGROUND_SPEED,
    )


def orders(scene: Scene, order: tuple[str, str]) -> list[tuple[str, str]]:
    """Returns the order of each object's motions; only the first object has the one asked for."""
    own = ORDERS.index(order)
    return [order, *(ORDERS[(own + other) % len(ORDERS)] for other in scene.other_orders)]


def poses(scene: Scene, order: tuple[str, str]) -> np.ndarray:
    """Returns the poses in every frame [frames, objects, 3]: x (pixels from its place), log size, log brightness."""
    frame = np.arange(FRAMES) + 0.5
    phase = np.tile(scene.phase, (FRAMES, 1, 1))
    speed = 2 * np.pi / PERIOD
    for number, (first, second) in enumerate(orders(scene, order)):
        phase[:, number, MOTIONS.index(first)] += speed * np.minimum(frame, scene.switch)
        phase[:, number, MOTIONS.index(second)] += speed * np.maximum(frame - scene.switch, 0.0)
    return scene.rest + scene.swing * np.sin(phase)


def render(scene: Scene, texture: str, order: tuple[str, str], noise: Noise, random: np.random.Generator) -> np.ndarray:
    """Draws the video.

    Args:
      scene: from `draw_scene`.
      texture: one of `TEXTURES`.
      order: one of `ORDERS`.
      noise: how much of it.
      random: its source.

    Returns:
      RGB frames, uint8 [frames, height, width, 3]. There is no motion blur: it would show the motion in one frame.
    """
    pose = poses(scene, order)
    pose = (pose + random.standard_normal(pose.shape) * noise.tremble).astype(np.float32)
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for first in range(0, FRAMES, _FRAMES_AT_ONCE):
        chosen = np.arange(first, min(first + _FRAMES_AT_ONCE, FRAMES))
        frames[chosen] = _render_frames(scene, texture, chosen, pose[chosen], noise, random)
    return frames


def _render_frames(
    scene: Scene, texture: str, chosen: np.ndarray, pose: np.ndarray, noise: Noise, random: np.random.Generator
) -> np.ndarray:
    y = (np.arange(HEIGHT, dtype=np.float32) - (HEIGHT - 1) / 2)[:, None]
    x = np.arange(WIDTH, dtype=np.float32) - (WIDTH - 1) / 2
    behind = _background(scene, x, y, chosen)
    image = [behind + np.float32(color) for color in scene.background]
    for number in scene.depth:
        aside, log_size, log_brightness = pose[:, number].T[:, :, None, None]
        size, (middle_x, middle_y) = np.exp(log_size), scene.middle[number].astype(np.float32)
        shifted_x, shifted_y = (x - middle_x - aside) / size, (y - middle_y) / size
        distance = np.hypot(shifted_x, shifted_y)
        covered = np.clip(0.5 + size * (_RADIUS - distance), 0.0, 1.0)
        cos, sin = np.float32(np.cos(scene.angle[number])), np.float32(np.sin(scene.angle[number]))
        along, across = cos * shifted_x + sin * shifted_y, cos * shifted_y - sin * shifted_x
        pattern = np.float32(noise.grain) * _grain(scene.grain[number], along, across)
        if number == 0:
            pattern += np.float32(scene.contrast) * _texture(texture, along, across, distance, scene.texture_phase)
        ink = covered * np.exp(log_brightness) * (0.6 + 0.4 * np.clip(pattern, -1.0, 1.0))
        for channel in range(3):
            image[channel] = image[channel] * (1.0 - covered) + ink * np.float32(scene.tint[number, channel])
    grain = random.standard_normal(size=behind.shape, dtype=np.float32) * np.float32(noise.pixel)
    return np.stack([np.clip(np.rint(255.0 * color + grain), 0, 255).astype(np.uint8) for color in image], axis=-1)


def _background(scene: Scene, x: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the background's brightness around its mean [frames, height, width]: a sheet of waves that slides."""
    frame = chosen.astype(np.float32)[:, None, None]
    sheet = np.zeros((len(chosen), HEIGHT, WIDTH), np.float32)
    for frequency_x, frequency_y, phase, strength in scene.waves.astype(np.float32):
        moved = frequency_x * scene.background_drift[0] + frequency_y * scene.background_drift[1]
        sheet += strength * np.cos(frequency_x * x + frequency_y * y + phase - np.float32(moved) * frame)
    return sheet


def _grain(waves: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Returns a pattern of variance 1 in an object's own coordinates, of about the texture's wave length."""
    pattern = sum(np.cos(fx * along + fy * across + phase) for fx, fy, phase in waves.astype(np.float32))
    return pattern * np.float32(np.sqrt(2.0 / len(waves)))


def _texture(
    texture: str, along: np.ndarray, across: np.ndarray, distance: np.ndarray, phase: np.ndarray
) -> np.ndarray:
    """Returns the texture in an object's own coordinates, -1 to 1, with soft edges."""
    frequency, (first, second) = np.float32(2 * np.pi / _TEXTURE_WAVE), phase.astype(np.float32)
    if texture == "stripes":
        wave = np.cos(frequency * along + first)
    elif texture == "checks":
        wave = 1.5 * np.cos(frequency * along + first) * np.cos(frequency * across + second)
    else:
        raise ValueError(f"Expected a texture among {TEXTURES}; received {texture!r}")
    return np.clip(1.5 * wave, -1.0, 1.0)


def _waves(random: np.random.Generator, number: int, shortest: float, longest: float) -> np.ndarray:
    """Draws plane waves [number, 3]: angular frequency in x and y (radians per pixel), phase."""
    length, direction = random.uniform(shortest, longest, number), random.uniform(0.0, 2 * np.pi, number)
    frequency = 2 * np.pi / length
    phase = random.uniform(0.0, 2 * np.pi, number)
    return np.stack([frequency * np.cos(direction), frequency * np.sin(direction), phase], axis=1)


def _color(random: np.random.Generator, saturation: tuple[float, float], brightness: tuple[float, float]) -> np.ndarray:
    """Draws a colour of any hue, RGB in [0, 1]."""
    return np.array(colorsys.hsv_to_rgb(random.uniform(), random.uniform(*saturation), random.uniform(*brightness)))
