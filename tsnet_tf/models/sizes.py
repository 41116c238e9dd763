"""The sizes in a blueprint: the largest, which weights have, and those of a sampled architecture."""

import numpy as np
import tensorflow as tf

from tsnet_tf.layers.elastic import on_host
from tsnet_tf.models.lookup import Lookup
from tsnet_tf.space.blueprint import Part, blueprint
from tsnet_tf.space.lookup_table import LookupTable
from tsnet_tf.space.two_stream import Space, choices


def largest(table: LookupTable) -> int | bool:
    """The largest of a size's candidates; of a flag, whether it can be set."""
    return max(table.values)


def sampled_parts(space: Space, architecture: tf.Tensor | None) -> list[Part]:
    """The blueprint with sampled sizes: ints where the space leaves no choice, scalar tensors elsewhere.

    Args:
      space: a space or a genotype.
      architecture: int32 ``[open choices]``, the index of each open choice's value in the order of
        `tsnet_tf.space.two_stream.choices`; None for a genotype.
    """
    parts, open_choices = blueprint(space), len(choices(space))
    if architecture is None and open_choices:
        raise ValueError(f"expected the architecture of a space with {open_choices} open choices, found None")
    tables = dict.fromkeys(table for part in parts for op in part.ops for table in op.tables)
    sampled = _sampled(space, [table for table in tables if len(set(table.values)) > 1], architecture)
    return [part.resolved(lambda table: sampled.get(table, table.values[0])) for part in parts]


def _sampled(space: Space, tables: list[LookupTable], architecture: tf.Tensor | None) -> dict[LookupTable, tf.Tensor]:
    """The value of every table."""
    if not tables:
        return {}
    with on_host():
        values = Lookup(space, tables, np.int32)(tf.cast(architecture, tf.int32)[None])
        sizes = zip(tables, tf.unstack(values[0], len(tables)), strict=True)
        return {table: tf.cast(size, tf.bool) if _is_flag(table) else size for table, size in sizes}


def _is_flag(table: LookupTable) -> bool:
    return isinstance(table.values[0], bool)
