"""Keras's SGD and Adam with one kernel per weight.

Keras writes an update out in small operations, and evaluates the learning rate's schedule again for every weight that
decays: 47 operations for each of a supernet's several hundred weights, which take longer to trace than the network.
The results are the same.
"""

import keras
import tensorflow as tf


class _Fused:
    """Weight decay with the learning rate that the step has anyway."""

    def __init__(self, learning_rate, *, decay: float = 0.0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.decay = decay  # not Keras's weight_decay, which has a pass of its own over the weights

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        rate = tf.cast(learning_rate, variable.dtype)
        if self.decay and self._use_weight_decay(variable):
            variable.assign_sub(variable * (self.decay * rate))
        self._apply(variable, self._get_variable_index(variable), tf.cast(gradient, variable.dtype), rate)


class SGD(_Fused, keras.optimizers.SGD):
    """SGD with momentum.

    Args:
      learning_rate: a number or a schedule.
      decay: pull towards zero per step, as a part of the learning rate.
      **kwargs: of `keras.optimizers.SGD`.
    """

    def _apply(self, variable, index, gradient, rate):
        if not self.momentum:
            variable.assign_sub(rate * gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[index].value.handle,
            lr=rate,
            grad=gradient,
            momentum=tf.constant(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )


class Adam(_Fused, keras.optimizers.Adam):
    """Adam.

    Args:
      learning_rate: a number or a schedule.
      decay: pull towards zero per step, as a part of the learning rate.
      **kwargs: of `keras.optimizers.Adam`.
    """

    def _apply(self, variable, index, gradient, rate):
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, variable.dtype), step),
            lr=rate,
            beta1=tf.constant(self.beta_1, variable.dtype),
            beta2=tf.constant(self.beta_2, variable.dtype),
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=gradient,
        )
