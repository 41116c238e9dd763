"""The paper's space: Tables 1 and 2 of "Searching for Two-Stream Models in Multivariate Space", as data."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Sequence

from tsnet_tf.errors import UserError
from tsnet_tf.space.two_stream import Group, Space, Stream
from tsnet_tf.space.validation import is_number, is_whole, validate

TEMPORAL_KERNELS = (1, 3, 5)  # Table 2
SPATIAL_KERNELS = (3, 5)  # Table 2
EXPANSIONS = (1.5, 6.0, 0.75)  # (min, max, step), every group of both streams
DEPTHS = ((1, 2), (1, 4), (1, 3, 3, 4), (1, 3, 3))  # blocks of each group, stage by stage
SPARSE_CHANNELS = ((32, 48, 8), (64, 88, 8), (128, 176, 16), (248, 344, 24))  # (min, max, step) of stages 1 to 4
DENSE_CHANNELS = ((8, 16, 8), (8, 24, 8), (16, 32, 8), (32, 56, 8))
FUSIONS = ("none", "time_to_channel", "time_strided_sampling", "time_strided_conv")
STEM_CHANNELS = (24, 8)  # of the sparse and the dense stream
ATTENTION_STAGES = (2, 3, 4)
ATTENTION_PLACES = 2  # in each of those stages and each stream: 2^6 x 2^6 = 4096 (section 5.5.3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table1:
    """The two-stream multivariate space; the defaults are the paper's.

    Spaces that differ more than these settings can say are written out, as JSON or as Python
    (`tsnet_tf.space.genotype.load_space`).

    Args:
      name: a name for people.
      resolution: side of the training crop in pixels.
      sparse_frames: frames of the sparse stream, spread over the same span as the dense ones.
      dense_frames: frames of the dense stream.
      sparse_width: factor on the sparse stream's channels (the demo uses a quarter).
      dense_width: factor on the dense stream's channels.
      depths: blocks of each group, stage by stage.
      stem_channels: channels of the stem, of the sparse and the dense stream.
      sparse_channels: (min, max, step) of the sparse stream's channels, stage by stage.
      dense_channels: the same of the dense stream.
      expansions: (min, max, step) of the expansion.
      temporal_kernels: sizes in frames.
      spatial_kernels: sizes in pixels.
      fusions: candidate operations at the end of each group.
      attention_stages: stages, from 1, with places for attention.
      attention_places: number of places in each of them, at most one for a group.
      hidden: width of the layer before the classifier.
      dropout: rate before the classifier.
      classes: number of classes.
      glore_ratio: GloRe nodes per channel.

    Raises:
      UserError: the settings do not make a space that can be built.
    """

    name: str = "table1"
    resolution: int = 160
    sparse_frames: int = 4
    dense_frames: int = 32
    sparse_width: float = 1.0
    dense_width: float = 1.0
    depths: Sequence[Sequence[int]] = DEPTHS
    stem_channels: Sequence[int] = STEM_CHANNELS
    sparse_channels: Sequence[Sequence[int]] = SPARSE_CHANNELS
    dense_channels: Sequence[Sequence[int]] = DENSE_CHANNELS
    expansions: Sequence[float] = EXPANSIONS
    temporal_kernels: Sequence[int] = TEMPORAL_KERNELS
    spatial_kernels: Sequence[int] = SPATIAL_KERNELS
    fusions: Sequence[str] = FUSIONS
    attention_stages: Sequence[int] = ATTENTION_STAGES
    attention_places: int = ATTENTION_PLACES
    hidden: int = 2048
    dropout: float = 0.5
    classes: int = 400
    glore_ratio: float = 1.5


@functools.wraps(Table1, assigned=("__doc__",), updated=())
def table1(**settings) -> Space:
    chosen = Table1(**settings)
    _check(chosen)
    streams = (
        _stream(chosen, 0, chosen.sparse_frames, chosen.sparse_channels, chosen.sparse_width, chosen.fusions),
        _stream(chosen, 1, chosen.dense_frames, chosen.dense_channels, chosen.dense_width, ("none",)),
    )
    shared = ("name", "resolution", "hidden", "dropout", "classes", "glore_ratio")
    return validate(Space(streams=streams, **{name: getattr(chosen, name) for name in shared}))


table1.__signature__ = inspect.signature(Table1)  # where gin looks for defaults: it does not ask what is wrapped


def _check(settings: Table1) -> None:
    """Names the first setting from which no streams can be made; what else is wrong, `validate` finds."""
    for stage, depths in enumerate(_listed("depths", settings.depths), start=1):
        _listed(f"depths, stage {stage}", depths)
    stages = len(settings.depths)
    for label, defaults in (("sparse_channels", SPARSE_CHANNELS), ("dense_channels", DENSE_CHANNELS)):
        rows = _listed(label, getattr(settings, label))
        # With fewer stages the paper's own rows need not be written again.
        if len(rows) != stages and not (rows == defaults and len(rows) > stages):
            raise UserError(f"{label}: expected one (min, max, step) for each of {stages} stages, found {len(rows)}")
    stems = _listed("stem_channels", settings.stem_channels)
    if len(stems) != 2 or not all(map(is_whole, stems)):
        raise UserError(f"stem_channels: expected two whole numbers above 0, found {tuple(stems)}")
    for label in ("temporal_kernels", "spatial_kernels", "fusions"):
        _listed(label, getattr(settings, label))
    for label in ("sparse_width", "dense_width"):
        width = getattr(settings, label)
        if not is_number(width) or not 0 < width <= 100:
            raise UserError(f"{label}: expected a number above 0, up to 100, found {width!r}")
    with_attention, places = settings.attention_stages, settings.attention_places
    known = range(1, 1 + max(stages, len(DEPTHS)))
    if not isinstance(with_attention, list | tuple) or not all(stage in known for stage in with_attention):
        raise UserError(f"attention_stages: expected stages from 1 to {stages}, found {with_attention!r}")
    if not (places == 0 or is_whole(places)) or isinstance(places, bool):
        raise UserError(f"attention_places: expected a whole number from 0, found {places!r}")


def _stream(
    settings: Table1, index: int, frames: int, channels: Sequence[Sequence[int]], width: float, fusions: Sequence[str]
) -> Stream:
    groups = []
    for stage, depths in enumerate(settings.depths, start=1):
        widths = {scaled(c, width) for c in _span(f"channels of stage {stage}", channels[stage - 1])}
        with_attention = stage in settings.attention_stages
        places = spread(settings.attention_places, len(depths)) if with_attention else set()
        for group, depth in enumerate(depths):
            groups.append(
                Group(
                    stage=stage,
                    depth=depth,
                    stride=2 if group == 0 else 1,
                    temporal_kernel=tuple(settings.temporal_kernels),
                    spatial_kernel=tuple(settings.spatial_kernels),
                    channels=tuple(sorted(widths)),
                    expansion=_span("expansions", settings.expansions),
                    fusion=tuple(fusions),
                    attention=(False, True) if group in places else (False,),
                )
            )
    return Stream(
        name=("sparse", "dense")[index],
        frames=frames,
        stem_channels=scaled(settings.stem_channels[index], width),
        stem_temporal_kernel=3,
        head_channels=int(2.25 * groups[-1].channels[-1] + 0.5),
        groups=tuple(groups),
    )


def span(minimum: float, maximum: float, step: float) -> tuple[float, ...]:
    """``(min, max, step)`` as the paper writes it: (1.5, 3.0, 0.75) is 1.5, 2.25, 3.0.

    Raises:
      UserError: the steps miss the maximum.
    """
    if step <= 0 or maximum < minimum:
        raise UserError(f"expected min <= max and a step above 0, found ({minimum:g}, {maximum:g}, {step:g})")
    steps = round((maximum - minimum) / step)
    if not math.isclose(minimum + steps * step, maximum):
        last = minimum + int((maximum - minimum) / step) * step
        raise UserError(
            f"expected steps of {step:g} from {minimum:g} that reach {maximum:g}, found {last:g} as the last"
        )
    return tuple(minimum + step * i for i in range(steps + 1))


def _span(label: str, row: Sequence[float]) -> tuple[float, ...]:
    """`span` of a setting."""
    if not isinstance(row, list | tuple) or len(row) != 3 or not all(map(is_number, row)):
        raise UserError(f"{label}: expected (min, max, step), found {row!r}")
    try:
        return span(*row)
    except UserError as error:
        raise UserError(f"{label}, (min, max, step): {error}") from None


def _listed(label: str, value: Sequence) -> Sequence:
    if not isinstance(value, list | tuple) or not value:
        raise UserError(f"{label}: expected a list with at least one entry, found {value!r}")
    return value


def spread(places: int, groups: int) -> set[int]:
    """Which groups of a stage, from 0, have one of ``places`` uniform places: the last group always has one."""
    return {math.ceil(groups * (i + 1) / places) - 1 for i in range(places)}


def scaled(channels: float, width: float) -> int:
    """A channel number times ``width``, to the nearest even number, at least 2."""
    return channels if width == 1 else max(2, int(channels * width / 2 + 0.5) * 2)
