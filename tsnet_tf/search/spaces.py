"""Names that gin files and flags have for spaces; the spaces themselves know no gin."""

import gin

from tsnet_tf.errors import UserError
from tsnet_tf.space.genotype import load_space
from tsnet_tf.space.manual_tsnet import manual_tsnet_70_attention, manual_tsnet_70_fusions
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Space

_table1 = gin.external_configurable(table1, "table1")
gin.external_configurable(load_space, "space_file")
gin.external_configurable(manual_tsnet_70_fusions, "manual_tsnet_70_fusions")
gin.external_configurable(manual_tsnet_70_attention, "manual_tsnet_70_attention")


def named(name_or_path: str) -> Space:
    """``table1`` with the settings in force, or a file (`tsnet_tf.space.genotype.load_space`)."""
    if name_or_path != "table1":
        return load_space(name_or_path)
    try:
        return _table1()
    except RecursionError:
        raise UserError("table1: expected settings that are values, found one that refers to table1 itself") from None
