"""Names that gin files have for spaces; the spaces themselves know no gin."""

import gin

from tsnet_tf.space.genotype import load_space
from tsnet_tf.space.manual_tsnet import manual_tsnet_70_attention, manual_tsnet_70_fusions
from tsnet_tf.space.table1 import table1

configured_table1 = gin.external_configurable(table1, "table1")
gin.external_configurable(load_space, "space_file")
gin.external_configurable(manual_tsnet_70_fusions, "manual_tsnet_70_fusions")
gin.external_configurable(manual_tsnet_70_attention, "manual_tsnet_70_attention")
