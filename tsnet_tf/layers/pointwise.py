"""1x1x1 convolution with sampled widths."""

import keras
import tensorflow as tf

from tsnet_tf.kernels.placement import keep_layout
from tsnet_tf.layers.elastic import ElasticLayer, Size, sampled


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """``[..., i]`` times ``[i, o]``: ``[..., o]``, either of them perhaps zero.

    One product of matrices: of a sum over batched ones (`tf.einsum`), oneDNN would compile another kernel for every
    sampled width, and a slower one.
    """
    if x.shape.rank == 2:
        return x @ kernel
    *inside, channels = x.shape[1:]
    if channels and kernel.shape[1] and None not in inside:
        return tf.reshape(tf.reshape(x, [-1, channels]) @ kernel, [-1, *inside, kernel.shape[1]])
    around = tf.shape(x)[:-1]  # what has no channels leaves nothing to infer a number of rows from
    flat = tf.reshape(x, [tf.reduce_prod(around), tf.shape(x)[-1]])
    return tf.reshape(flat @ kernel, tf.concat([around, tf.shape(kernel)[1:]], 0))


@keras.saving.register_keras_serializable("tsnet_tf")
class Pointwise(ElasticLayer):
    """A 1x1x1 convolution, or a fully connected layer: the same matrix for every position.

    With ``statistics`` "folded" it is computed as a convolution, into which TensorFlow fuses the bias and activation
    that follow; of a product of matrices, the gradients are faster.

    Args:
      in_channels: largest number of input channels.
      out_channels: largest number of output channels.
      stride: spatial stride; rows and columns between are skipped.
      use_bias: whether a bias is added.

    Call arguments:
      x: ``[..., in_channels]``, the sampled number (the largest in mask execution).
      in_channels: sampled number of input channels.
      channels: sampled number of output channels.

    Output shape: ``[..., channels]`` (``out_channels`` in mask execution, zero beyond ``channels``).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, use_bias: bool = False, **kwargs):
        super().__init__(**kwargs)
        keep_layout()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.kernel = self.add_weight(name="kernel", shape=(in_channels, out_channels), initializer="he_normal")
        self.bias = self.add_weight(name="bias", shape=(out_channels,), initializer="zeros") if use_bias else None

    def call(self, x: tf.Tensor, in_channels: Size, channels: Size) -> tf.Tensor:
        kernel = sampled(self.execution, self.kernel, [in_channels, channels])
        if self.folded and x.shape.rank == 4:
            y = tf.nn.conv2d(x, kernel[None, None], self.stride, "VALID")
        else:
            # Every so many-th pixel, as the mean of one: slices with a stride go number by number, and so do gradients.
            y = product(tf.nn.avg_pool2d(x, 1, self.stride, "VALID") if self.stride > 1 else x, kernel)
        return y if self.bias is None else tf.nn.bias_add(y, sampled(self.execution, self.bias, [channels]))
