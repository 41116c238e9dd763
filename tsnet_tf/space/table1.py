"""The paper's space: Tables 1 and 2 of "Searching for Two-Stream Models in Multivariate Space", as data."""

import math
from collections.abc import Sequence

from tsnet_tf.space.two_stream import FUSIONS, Group, Space, Stream, validate

TEMPORAL_KERNELS = (1, 3, 5)  # Table 2
SPATIAL_KERNELS = (3, 5)  # Table 2
EXPANSIONS = (1.5, 6.0, 0.75)  # (min, max, step), every group of both streams
DEPTHS = ((1, 2), (1, 4), (1, 3, 3, 4), (1, 3, 3))  # blocks of each group, stage by stage
SPARSE_CHANNELS = ((32, 48, 8), (64, 88, 8), (128, 176, 16), (248, 344, 24))  # (min, max, step) of stages 1 to 4
DENSE_CHANNELS = ((8, 16, 8), (8, 24, 8), (16, 32, 8), (32, 56, 8))
STEM_CHANNELS = {"sparse": 24, "dense": 8}
ATTENTION_STAGES = (2, 3, 4)
ATTENTION_PLACES = 2  # in each of those stages and each stream: 2^6 x 2^6 = 4096 (section 5.5.3)


def table1(
    *,
    name: str = "table1",
    resolution: int = 160,
    sparse_frames: int = 4,
    dense_frames: int = 32,
    sparse_width: float = 1.0,
    dense_width: float = 1.0,
    depths: Sequence[Sequence[int]] = DEPTHS,
    fusions: Sequence[str] = FUSIONS,
    hidden: int = 2048,
    dropout: float = 0.5,
    classes: int = 400,
    glore_ratio: float = 1.5,
) -> Space:
    """The two-stream multivariate space; the defaults are the paper's.

    Args:
      name: a name for people.
      resolution: side of the training crop in pixels.
      sparse_frames: frames of the sparse stream, spread over the same span as the dense ones.
      dense_frames: frames of the dense stream.
      sparse_width: factor on the sparse stream's channels (the demo uses a quarter).
      dense_width: factor on the dense stream's channels.
      depths: blocks of each group, stage by stage.
      fusions: candidate operations at the end of each group.
      hidden: width of the layer before the classifier.
      dropout: rate before the classifier.
      classes: number of classes.
      glore_ratio: GloRe nodes per channel.

    Raises:
      UserError: the settings do not make a space that can be built.
    """
    return validate(
        Space(
            name=name,
            resolution=resolution,
            streams=(
                _stream("sparse", sparse_frames, SPARSE_CHANNELS, sparse_width, depths, tuple(fusions)),
                _stream("dense", dense_frames, DENSE_CHANNELS, dense_width, depths, ("none",)),
            ),
            hidden=hidden,
            dropout=dropout,
            classes=classes,
            glore_ratio=glore_ratio,
        )
    )


def span(minimum: float, maximum: float, step: float) -> tuple[float, ...]:
    """``(min, max, step)`` as the paper writes it: (1.5, 3.0, 0.75) is 1.5, 2.25, 3.0."""
    return tuple(minimum + step * i for i in range(round((maximum - minimum) / step) + 1))


def attention_places(groups: int) -> set[int]:
    """Which groups of a stage (from 0) may be followed by GloRe: `ATTENTION_PLACES`, uniformly, the last included."""
    return {math.ceil(groups * (i + 1) / ATTENTION_PLACES) - 1 for i in range(ATTENTION_PLACES)}


def scaled(channels: float, width: float) -> int:
    """A channel number times ``width``, to the nearest even number, at least 2."""
    return max(2, int(channels * width / 2 + 0.5) * 2)


def _stream(name, frames, channels, width, depths, fusions) -> Stream:
    groups = []
    for stage, stage_depths in enumerate(depths, start=1):
        candidates = tuple(sorted({scaled(c, width) for c in span(*channels[stage - 1])}))
        places = attention_places(len(stage_depths)) if stage in ATTENTION_STAGES else set()
        for index, depth in enumerate(stage_depths):
            groups.append(
                Group(
                    stage=stage,
                    depth=depth,
                    stride=2 if index == 0 else 1,
                    temporal_kernel=TEMPORAL_KERNELS,
                    spatial_kernel=SPATIAL_KERNELS,
                    channels=candidates,
                    expansion=span(*EXPANSIONS),
                    fusion=fusions,
                    attention=(False, True) if index in places else (False,),
                )
            )
    return Stream(
        name=name,
        frames=frames,
        stem_channels=scaled(STEM_CHANNELS[name], width),
        stem_temporal_kernel=3,
        head_channels=int(2.25 * groups[-1].channels[-1] + 0.5),
        groups=tuple(groups),
    )
