"""Every size that the paper states for a model of ours, and what we count for it.

`bin/complexity.py --published` prints the comparison; docs/fidelity.md shows it and says where the paper is silent.
"""

import dataclasses
from collections.abc import Iterator

from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity, largest, output_shapes
from tsnet_tf.space.table1 import spread, table1
from tsnet_tf.space.two_stream import Space


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published figure beside ours.

    Attributes:
      source: table of the paper.
      model: name in the archive, and what of it.
      quantity: what is counted, with its unit.
      published: as printed.
      ours: the same by `tsnet_tf.space.cost`.
    """

    source: str
    model: str
    quantity: str
    published: float
    ours: float

    @property
    def difference(self) -> float:
        """Ours above the published, as a part of it."""
        return self.ours / self.published - 1


def figures() -> list[Figure]:
    """The paper's figures about size, table by table; GMACs are per view unless they say otherwise."""
    return [*_table_1(), *_table_3(), *_table_4(), *_table_5(), *_table_6(), *_table_8()]


def _table_1() -> Iterator[Figure]:
    """The largest feature maps: channels and side at 224 pixels, by stage."""
    shapes = output_shapes(largest(table1()), 224)
    printed = {"sparse": (48, 88, 176, 344), "dense": (16, 24, 32, 56)}
    for stream, channels in printed.items():
        for stage, (width, side) in enumerate(zip(channels, (56, 28, 14, 7), strict=True), start=1):
            shape = shapes[stream, f"s{stage}"]
            yield Figure("Table 1", f"{stream} stream, S{stage}", "largest number of channels", width, shape[0])
            yield Figure("Table 1", f"{stream} stream, S{stage}", "side of the features at 224²", side, shape[2])


def _table_3() -> Iterator[Figure]:
    """30 views of a test crop as large as the short side."""
    rows = [
        ("x3d_s", 182, 3.8, 2.7, 81),
        ("auto_tsnet_s_dagger", 182, 7.7, 2.8, 84),
        ("auto_tsnet_s", 182, 8.6, 3.4, 102),
        ("x3d_m", 256, 3.8, 6.2, 186),
        ("auto_tsnet_m_dagger", 256, 7.7, 5.2, 156),
        ("auto_tsnet_m", 256, 8.6, 6.1, 183),
        ("x3d_l", 356, 6.1, 24.8, 744),
        ("auto_tsnet_l_dagger", 356, 12.2, 18.1, 543),
        ("auto_tsnet_l", 356, 13.2, 19.9, 597),
    ]
    for name, crop, params, gmacs, video in rows:
        size = complexity(genotype.load(name), crop)
        yield Figure("Table 3", name, "parameters, M", params, size.params_m)
        yield Figure("Table 3", name, f"GMACs at {crop}²", gmacs, size.gmacs)
        yield Figure("Table 3", name, f"GMACs x 30 views at {crop}²", video, 30 * size.gmacs)


def _table_4() -> Iterator[Figure]:
    for percent in (85, 70, 55):
        name = f"manual_tsnet_{percent}"
        model = genotype.load(name)
        total = complexity(model).gmacs
        yield Figure("Table 4", name, "GMACs at 160²", 2.0, total)
        yield Figure("Table 4", name, "sparse stream's share, %", percent, 100 * _sparse_alone(model) / total)


def _table_5() -> Iterator[Figure]:
    small = genotype.load("auto_tsnet_s_dagger")
    yield Figure("Table 5", f"{small.name}, sparse stream alone", "GMACs at 160²", 1.39, _sparse_alone(small))
    for name, gmacs in (("auto_tsnet_s_dagger", 2.05), ("auto_tsnet_s", 2.46)):
        yield Figure("Table 5", name, "GMACs at 160²", gmacs, complexity(genotype.load(name)).gmacs)


def _table_6() -> Iterator[Figure]:
    manual = genotype.load("manual_tsnet_70")
    yield Figure("Table 6", f"{manual.name}, sparse stream alone", "GMACs at 160²", 1.40, _sparse_alone(manual))


def _table_8() -> Iterator[Figure]:
    """Manual-TSNet-70% with GloRe blocks in the sparse stream; the last row is the searched one."""
    model = genotype.load("manual_tsnet_70")
    rows = [
        ({}, 7.71, 2.03),
        ({2: 2}, 8.03, 2.19),
        ({2: 2, 3: 2}, 8.24, 2.41),
        ({2: 2, 3: 2, 4: 2}, 8.37, 2.51),
        ({2: 1, 3: 1}, 8.15, 2.40),
    ]
    for blocks, params, gmacs in rows:
        size = complexity(_with_glore(model, blocks))
        where = " ".join(f"+{count} S{stage}" for stage, count in blocks.items())
        name = f"{model.name}, GloRe {where}" if blocks else model.name
        yield Figure("Table 8", name, "parameters, M", params, size.params_m)
        yield Figure("Table 8", name, "GMACs at 160²", gmacs, size.gmacs)


def _sparse_alone(model: Space) -> float:
    """GMACs of the sparse stream with its own head and without what the dense stream tells it."""
    groups = tuple(dataclasses.replace(group, fusion=("none",)) for group in model.sparse.groups)
    return complexity(dataclasses.replace(model, streams=(dataclasses.replace(model.sparse, groups=groups),))).gmacs


def _with_glore(model: Space, blocks: dict[int, int]) -> Space:
    """``model`` with so many GloRe blocks in the stages of its sparse stream, uniformly."""
    numbers = [group.stage for group in model.sparse.groups]
    groups = []
    for index, group in enumerate(model.sparse.groups):
        place = index - numbers.index(group.stage)
        here = place in spread(blocks.get(group.stage, 0), numbers.count(group.stage))
        groups.append(dataclasses.replace(group, attention=(here,)))
    return dataclasses.replace(model, streams=(dataclasses.replace(model.sparse, groups=tuple(groups)), model.dense))
