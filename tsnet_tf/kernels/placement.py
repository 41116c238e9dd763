"""What computes what is traced: XLA or TensorFlow's kernels, the processor or an accelerator."""

import contextlib

import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.ops import control_flow_util


def compiled_by_xla() -> bool:
    """Whether the graph that is being made is for XLA (``jit_compile``, TPU)."""
    return bool(control_flow_util.GraphOrParentsInXlaContext(ops.get_default_graph()))


def on_host() -> contextlib.AbstractContextManager:
    """Has sampled sizes and flags computed by the processor, where they are read.

    Whatever slices, pads or splits on a GPU wants its sizes in the processor's memory, and would have to wait for those
    that the GPU computes. XLA knows no places.
    """
    return contextlib.nullcontext() if compiled_by_xla() else tf.device("CPU:0")


def keep_layout() -> None:
    """Keeps TensorFlow's optimizer from turning features channels first on GPUs; for this process.

    Pointwise convolutions are products of matrices here, whose features have channels last. The optimizer knows
    convolutions and normalisations only: it would turn features before and after every one of these.
    """
    tf.config.optimizer.set_experimental_options({"layout_optimizer": False})
