"""Depthwise 2-D convolution and its two gradients, by the fastest kernels that the device has.

On processors, oneDNN's forward kernel and gradient by features are two to three times as fast as Eigen's, which
TensorFlow takes where it finds no instructions for neural networks. They are in every TensorFlow for x86 under
names of their own. The gradient by filters, where neither is always ahead, is TensorFlow's
choice; but oneDNN's is fast for three columns at most, and wider filters are therefore taken in two parts for it or,
with a stride, left to Eigen.
Everywhere else (GPU, TPU and XLA, other precisions, eager calls, models that are exported) TensorFlow's own
operations are used; the numbers are the same up to rounding.
"""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.framework import op_def_registry, ops
from tensorflow.python.util import _pywrap_util_port

from tsnet_tf.kernels import placement

_ONEDNN_LABEL = "MklNameChangeOp"
_ONEDNN_COLUMNS = 3  # wider filters' gradients are taken as those of dense convolutions, of sixteen channels each
_portable = False


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Makes graphs that are traced inside of operations that every TensorFlow and converter knows."""
    global _portable
    before, _portable = _portable, True
    try:
        yield
    finally:
        _portable = before


def convolve(
    x: tf.Tensor,
    kernel: tf.Tensor,
    stride: int = 1,
    offset: tf.Tensor | None = None,
    added: tf.Tensor | None = None,
) -> tf.Tensor:
    """``[n, h, w, c]`` with ``[k, k, c, 1]``, zeros of half the kernel around: ``[n, ceil(h / stride), ..., c]``.

    Without a stride, kernels need not be square. ``offset`` ``[c]`` and ``added``, of the output's shape, are added to
    the output; with `adds_in_place`, the convolution writes over ``added`` if nothing else reads it.
    """
    layout = _layout(kernel.shape[0], stride)
    if (offset is not None or added is not None) and adds_in_place(x):
        # Of a convolution in as many groups as channels, oneDNN makes a depthwise one.
        offset = tf.zeros(tf.shape(kernel)[2:3]) if offset is None else offset
        given = [offset] if added is None else [offset, added]
        fused = {"fused_ops": ["BiasAdd", "Add"][: len(given)], "num_args": len(given), "num_host_args": 0}
        in_groups = tf.transpose(kernel, [0, 1, 3, 2])
        y = _onednn("FusedConv2D", [x, in_groups, *given], {**layout, **fused, "TArgs": [tf.float32] * len(given)})
        return y if added is None else tf.ensure_shape(y, added.shape)
    y = _call("DepthwiseConv2dNative", {"input": x, "filter": kernel}, layout)
    y = y if offset is None else tf.nn.bias_add(y, offset)
    return y if added is None else y + added


def adds_in_place(x: tf.Tensor) -> bool:
    """Whether `convolve` can add what it makes of ``x`` to what is there, without another pass."""
    return _has_onednn("FusedConv2D", x)


def features_gradient(shape: tf.Tensor, kernel: tf.Tensor, dy: tf.Tensor, stride: int = 1) -> tf.Tensor:
    """The gradient by features of this shape, from the gradient ``dy`` by the output of `convolve`.

    It comes with a border of `border` pixels, which are no features.
    """
    around = border(kernel.shape[0], stride)
    inputs = {"input_sizes": shape + [0, 2 * around, 2 * around, 0], "filter": kernel, "out_backprop": dy}
    # oneDNN's kernel knows no padding that is written out.
    return _call("DepthwiseConv2dNativeBackpropInput", inputs, _layout(0, stride))


def border(k: int | None, stride: int) -> int:
    """How many pixels `features_gradient` has around its features, for a kernel of ``k`` pixels (None: unknown)."""
    return k // 2 if stride > 1 and pads_itself(k, stride) else 0


def filter_gradient(x: tf.Tensor, kernel: tf.Tensor, dy: tf.Tensor, stride: int = 1) -> tf.Tensor:
    """The gradient by ``kernel``, of which the shape alone matters, from the gradient ``dy`` by `convolve`'s output."""
    sizes, strides = tf.shape(kernel), [1, stride, stride, 1]
    gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter

    def whole():
        return gradient(input=x, filter_sizes=sizes, out_backprop=dy, **_layout(kernel.shape[0], stride))

    def by_eigen():
        # Features come with their padding here; with paddings written out, even none, the kernel is not oneDNN's.
        return gradient(
            input=x,
            filter_sizes=sizes,
            out_backprop=dy,
            strides=strides,
            padding="EXPLICIT",
            explicit_paddings=[0] * 8,
        )

    def in_two():
        # The first columns and the others, from features with the padding that each of them reaches.
        rows, columns, channels, _ = tf.unstack(sizes)
        padded = tf.pad(x, [[0, 0], [rows // 2, rows // 2], [columns // 2, columns // 2], [0, 0]])
        parts = [
            gradient(
                input=given,
                filter_sizes=[rows, width, channels, 1],
                out_backprop=dy,
                strides=strides,
                padding="VALID",
            )
            for given, width in (
                (padded[:, :, : tf.shape(dy)[2] + _ONEDNN_COLUMNS - 1], _ONEDNN_COLUMNS),
                (padded[:, :, _ONEDNN_COLUMNS:], columns - _ONEDNN_COLUMNS),
            )
        ]
        return tf.concat(parts, 1)

    columns = kernel.shape[1]
    if columns is None and _prefers_onednn(x):
        return tf.cond(sizes[1] > _ONEDNN_COLUMNS, in_two if stride == 1 else by_eigen, whole)
    if columns is not None and columns > _ONEDNN_COLUMNS and stride == 1 and _prefers_onednn(x):
        return in_two()
    return whole()  # with a stride and a kernel of known size, its paddings are written out anyway


def pads_itself(k: int | None, stride: int) -> bool:
    """Whether these functions pad for a kernel of ``k`` pixels (None: unknown), or are given features with padding."""
    return stride == 1 or (k is not None and not _portable)


def _layout(k: int | None, stride: int) -> dict:
    layout = {"strides": [1, stride, stride, 1], "padding": "SAME" if stride == 1 else "VALID"}
    # TensorFlow's "SAME" pads even sizes on one side only; the models here pad both sides alike.
    if around := border(k, stride):
        layout |= {"padding": "EXPLICIT", "explicit_paddings": [0, 0, *[around] * 4, 0, 0]}
    return layout


def _call(name: str, inputs: dict[str, tf.Tensor], layout: dict) -> tf.Tensor:
    if not _has_onednn(name, *inputs.values()):
        return getattr(tf.raw_ops, name)(**inputs, **layout)
    return _onednn(name, list(inputs.values()), layout)


def _onednn(name: str, inputs: list[tf.Tensor], settings: dict) -> tf.Tensor:
    settings = {"T": tf.float32, "_kernel": _ONEDNN_LABEL, **settings}
    attributes = {key: _attribute(value) for key, value in settings.items()}
    name, graph = f"_MklNative{name}", ops.get_default_graph()
    made = graph.create_op(name, inputs, [tf.float32], attrs=attributes, name=f"onednn{name}")
    return made.outputs[0]


def _has_onednn(name: str, *inputs: tf.Tensor) -> bool:
    return not (
        _portable
        or tf.executing_eagerly()
        or inputs[-1].dtype != tf.float32
        or tf.config.list_physical_devices("GPU")
        or op_def_registry.get(f"_MklNative{name}") is None
        or placement.compiled_by_xla()
    )


def onednn_is_default() -> bool:
    """Whether TensorFlow takes oneDNN's kernels by itself, as it does where there are instructions for them."""
    return _pywrap_util_port.IsMklEnabled()


def _prefers_onednn(x: tf.Tensor) -> bool:
    return onednn_is_default() and _has_onednn("DepthwiseConv2dNativeBackpropFilter", x)


def _attribute(value: str | int | tf.DType | Sequence[str] | Sequence[int] | Sequence[tf.DType]):
    if isinstance(value, list):
        field = _field(value[0])
        return attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue(**{field: map(_plain, value)}))
    return attr_value_pb2.AttrValue(**{_field(value): _plain(value)})


def _field(value: str | int | tf.DType) -> str:
    return "s" if isinstance(value, str) else "i" if isinstance(value, int) else "type"


def _plain(value: str | int | tf.DType) -> bytes | int:
    return (
        value.encode() if isinstance(value, str) else int(value) if isinstance(value, int) else value.as_datatype_enum
    )
