"""The paper's hand-made two-stream models (section 5.4, Tables 4 and 7), from X3D-S and two width factors.

The paper gives the rule, not the widths: X3D-S's macro-architecture in both streams, 4 and 32 frames, each stream's
channels times one factor so that all of it costs about what X3D-S costs and the sparse stream P % of that. The factors
in `WIDTHS` are ones with which cost, share and, for 70 %, parameters come within 2 % of the published figures
(docs/fidelity.md); channels are rounded to even numbers.
"""

import dataclasses

from tsnet_tf.space import genotype
from tsnet_tf.space.table1 import ATTENTION_PLACES, ATTENTION_STAGES, scaled, spread
from tsnet_tf.space.two_stream import Group, Space, Stream
from tsnet_tf.space.validation import validate

WIDTHS = {85: (1.75, 0.19), 70: (1.58, 0.29), 55: (1.39, 0.37)}  # P in % to the factors of the sparse and dense stream
DEPTHS = ((1, 2), (2, 3), (2, 3, 3, 3), (3, 4))  # X3D-S's blocks, cut where 10 fusions can stand (Table 7)
PLACES = {0: ((), (), (), ()), 5: ((1,), (1,), (1, 3), (1,)), 10: ((0, 1), (0, 1), (0, 1, 2, 3), (0, 1))}


def manual_tsnet(percent: int, fusions: int = 5) -> Space:
    """Manual-TSNet-P%.

    Args:
      percent: P, the sparse stream's share of the multiply-adds: 85, 70 or 55.
      fusions: number of time-strided convolutions from dense to sparse stream: 0, 5 or 10.
    """
    sparse_width, dense_width = WIDTHS[percent]
    suffix = "" if fusions == 5 else f"_fusion{fusions}"
    return validate(
        Space(
            name=f"manual_tsnet_{percent}{suffix}",
            resolution=160,
            streams=(_stream("sparse", 4, sparse_width, PLACES[fusions]), _stream("dense", 32, dense_width, PLACES[0])),
            notes=(
                "Reconstruction: the paper (section 5.4) gives the rule and the cost, not the widths.",
                "Known: X3D-S's macro-architecture in both streams, 4 and 32 frames, time-strided convolutions placed "
                "uniformly.",
                f"Chosen: width factors {sparse_width} and {dense_width}, channels rounded to even numbers, fusion at "
                "the end of groups of blocks, as evenly as they divide.",
            ),
        )
    )


def manual_tsnet_70_fusions() -> Space:
    """Manual-TSNet-70% with none or a time-strided convolution at each of its 10 places (Table 7's search)."""
    model = manual_tsnet(70, 10)
    groups = tuple(
        dataclasses.replace(group, fusion=("none", *group.fusion) if group.fusion != ("none",) else group.fusion)
        for group in model.sparse.groups
    )
    return validate(_with_groups(model, "manual_tsnet_70_fusions", {"sparse": groups}))


def manual_tsnet_70_attention() -> Space:
    """Manual-TSNet-70% with GloRe or not at two places of stages 2, 3 and 4 of both streams (Table 8's search)."""
    model = manual_tsnet(70)
    groups = {}
    for stream in model.streams:
        stages = [group.stage for group in stream.groups]
        places = [
            group.stage in ATTENTION_STAGES
            and index - stages.index(group.stage) in spread(ATTENTION_PLACES, stages.count(group.stage))
            for index, group in enumerate(stream.groups)
        ]
        groups[stream.name] = tuple(
            dataclasses.replace(group, attention=(False, True) if here else (False,))
            for group, here in zip(stream.groups, places, strict=True)
        )
    return validate(_with_groups(model, "manual_tsnet_70_attention", groups))


def _with_groups(space: Space, name: str, groups) -> Space:
    streams = tuple(dataclasses.replace(s, groups=groups.get(s.name, s.groups)) for s in space.streams)
    return dataclasses.replace(space, name=name, streams=streams, notes=())


def _stream(name: str, frames: int, width: float, places) -> Stream:
    x3d = genotype.load("x3d_s").sparse
    groups = []
    for original, depths, fused in zip(x3d.groups, DEPTHS, places, strict=True):
        for index, depth in enumerate(depths):
            groups.append(
                Group(
                    stage=original.stage,
                    depth=depth,
                    stride=original.stride if index == 0 else 1,
                    temporal_kernel=original.temporal_kernel,
                    spatial_kernel=original.spatial_kernel,
                    channels=(scaled(original.channels[0], width),),
                    expansion=original.expansion,
                    fusion=("time_strided_conv",) if index in fused else ("none",),
                )
            )
    return Stream(
        name=name,
        frames=frames,
        stem_channels=scaled(x3d.stem_channels, width),
        stem_temporal_kernel=x3d.stem_temporal_kernel,
        head_channels=scaled(x3d.head_channels, width),
        groups=tuple(groups),
    )
