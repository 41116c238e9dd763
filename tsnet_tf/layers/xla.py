"""Whether XLA compiles what is traced, which wants other operations than TensorFlow's own kernels do."""

from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_util


def compiles() -> bool:
    """Whether the graph that is being made is for XLA (``jit_compile``, TPU)."""
    return bool(control_flow_util.GraphOrParentsInXlaContext(ops.get_default_graph()))
