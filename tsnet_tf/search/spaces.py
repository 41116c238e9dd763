"""Names that gin files have for spaces; the spaces themselves know no gin."""

import gin

from tsnet_tf.space.genotype import load_space
from tsnet_tf.space.table1 import table1

configured_table1 = gin.external_configurable(table1, "table1")
gin.external_configurable(load_space, "space_file")
