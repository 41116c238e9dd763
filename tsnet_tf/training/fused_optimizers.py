"""Keras's SGD and Adam with one kernel per weight.

Keras writes an update out in small operations, and evaluates the learning rate's schedule again for every weight that
decays: 47 operations for each of a supernet's several hundred weights, which take longer to trace than the network.
The results are the same, with two exceptions. An update whose gradient is not finite is left out, and counted. Under a
strategy, gradients are clipped after they have been summed, where Keras clips what each replica has found by itself.

Where features are float16, losses are multiplied by a number that follows the gradients: half of it whenever one is not
finite, twice as much after 2,000 updates that were (Micikevicius et al., "Mixed Precision Training"). Such an update is
left out too, but counts only when the number is 1 already.
"""

import keras
import tensorflow as tf

from tsnet_tf.kernels import private

LARGEST_SCALE, FINITE_UPDATES = 2.0**15, 2000  # at the start; until it doubles


class _Fused:
    """What the two share: the guard, clipping, weight decay and the moving average of the weights.

    Attributes:
      skipped: how many updates were left out, int64.
      skipped_at: the first of them, counted from 1 over all calls, int64.
      waited: how many calls of `apply_if` left no trace, int64.
      loss_scale: what losses are multiplied by, float32; None unless `scale_losses` was called.
    """

    def __init__(self, learning_rate, *, decay: float = 0.0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.decay = decay  # not Keras's weight_decay, which has a pass of its own over the weights
        self._condition: tf.Tensor | None = None
        self.loss_scale: keras.Variable | None = None
        counter = {"shape": (), "dtype": "int64", "aggregation": "only_first_replica"}
        self.skipped = self.add_variable(name="skipped", **counter)
        self.skipped_at = self.add_variable(name="skipped_at", **counter)
        self.waited = self.add_variable(name="waited", **counter)

    def scale_losses(self) -> None:
        """Has losses multiplied before gradients are taken, which are divided by the same number: before `build`."""
        state = {"shape": (), "aggregation": "only_first_replica"}
        start = keras.initializers.Constant(LARGEST_SCALE)
        self.loss_scale = self.add_variable(name="loss_scale", dtype="float32", initializer=start, **state)
        self._finite_updates = self.add_variable(name="finite_updates", dtype="int64", **state)

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        return loss if self.loss_scale is None else loss * tf.convert_to_tensor(self.loss_scale)

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        if self.use_ema:
            for average, variable in zip(self._model_variables_moving_average, variables, strict=True):
                average.assign(variable)

    def apply_if(self, condition: tf.Tensor, gradients: list[tf.Tensor], variables: list[keras.Variable]) -> None:
        """`apply`, but without any trace where ``condition`` (bool, the same on every replica) is false.

        A conditional call of `apply` would do, if replicas could meet inside one.
        """
        self._condition = condition
        self.apply(gradients, variables)
        self._condition = None
        waits = tf.cast(tf.logical_not(condition), self.iterations.dtype)
        self.iterations.assign_sub(waits)
        self.waited.assign_add(waits)

    def _backend_apply_gradients(self, gradients: list[tf.Tensor], variables: list[keras.Variable]) -> None:
        values = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
        summed = [gradient for gradient, _ in self._all_reduce_sum_gradients(zip(gradients, values, strict=True))]
        if self.loss_scale is not None:
            inverse = 1.0 / tf.convert_to_tensor(self.loss_scale)
            summed = [gradient * tf.cast(inverse, gradient.dtype) for gradient in summed]
        norm = tf.linalg.global_norm(summed)  # not finite if any gradient is not
        if self.global_clipnorm:
            summed, _ = tf.clip_by_global_norm(summed, self.global_clipnorm, use_norm=norm)
        private.merged_call(
            self._update_if,
            self._distribution_strategy,
            tf.math.is_finite(norm),
            tf.constant(True) if self._condition is None else self._condition,
            list(zip(summed, values, strict=True)),
            self._scalars(values[0].dtype),
        )

    def _scalars(self, dtype: tf.DType) -> dict[str, tf.Tensor]:
        """What the kernel takes besides weights and gradients, by its names: once, for all weights are of one type."""
        return {"lr": tf.cast(self.learning_rate, dtype)}

    def _update_if(self, distribution, finite, wanted, gradients_and_variables, scalars) -> None:
        """Updates every variable, or counts an update that is left out. Called for all replicas together."""
        # All replicas have the same sums, so the first one speaks for them.
        finite, wanted = (distribution.experimental_local_results(value)[0] for value in (finite, wanted))

        def update() -> None:
            self._distributed_tf_update_step(distribution, gradients_and_variables, scalars)
            if self.loss_scale is not None:
                count = self._finite_updates + 1
                doubles = count == FINITE_UPDATES
                self.loss_scale.assign(tf.where(doubles, 2.0 * self.loss_scale, self.loss_scale))
                self._finite_updates.assign(count * tf.cast(~doubles, count.dtype))

        def skip() -> None:
            counted = wanted
            if self.loss_scale is not None:
                counted = wanted & (self.loss_scale <= 1.0)
                halved = tf.maximum(self.loss_scale / 2.0, 1.0)
                self.loss_scale.assign(tf.where(wanted, halved, self.loss_scale))
                self._finite_updates.assign(self._finite_updates * tf.cast(~wanted, tf.int64))
            first = counted & (self.skipped == 0)
            self.skipped_at.assign(tf.where(first, self._iterations + self.waited + 1, self.skipped_at))
            self.skipped.assign_add(tf.cast(counted, self.skipped.dtype))

        tf.cond(finite & wanted, update, skip)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, scalars: dict[str, tf.Tensor]) -> None:
        index, gradient = self._get_variable_index(variable), tf.cast(gradient, variable.dtype)
        if self.decay and self._use_weight_decay(variable):
            gradient = self._decayed(variable, gradient, scalars)
        self._apply(variable, index, gradient, scalars)
        if self.use_ema:
            # Short at first: the average is to forget the weights that training began with.
            step = tf.cast(self._iterations, variable.dtype)
            momentum = tf.minimum((1.0 + step) / (10.0 + step), self.ema_momentum)
            average = self._model_variables_moving_average[index].value
            average.assign(momentum * average + (1.0 - momentum) * variable)


def build_for(optimizer: keras.optimizers.Optimizer, network: keras.Model) -> None:
    """Builds ``optimizer`` for the weights of ``network``, with scaled losses if its features are float16."""
    if network.compute_dtype == "float16" and isinstance(optimizer, _Fused):
        optimizer.scale_losses()
    optimizer.build(network.trainable_variables)


class SGD(_Fused, keras.optimizers.SGD):
    """SGD with momentum.

    Args:
      learning_rate: a number or a schedule.
      decay: weight of the L2 penalty whose gradient is added to the weights' own, under the momentum, as in PyTorch's
        SGD and so in X3D's and SlowFast's recipes: with momentum 0.9 it pulls ten times as hard as outside of it.
      **kwargs: of `keras.optimizers.SGD`.
    """

    def _decayed(self, variable, gradient, scalars):
        return gradient + self.decay * variable

    def _scalars(self, dtype):
        momentum = {"momentum": tf.constant(self.momentum, dtype)} if self.momentum else {}
        return super()._scalars(dtype) | momentum

    def _apply(self, variable, index, gradient, scalars):
        if not self.momentum:
            variable.assign_sub(scalars["lr"] * gradient)
            return
        accumulator = self.momentums[index].value.handle
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=accumulator, grad=gradient, use_nesterov=self.nesterov, **scalars
        )


class Adam(_Fused, keras.optimizers.Adam):
    """Adam.

    Args:
      learning_rate: a number or a schedule.
      decay: pull towards zero per step, as a part of the learning rate, beside the gradient (Loshchilov and Hutter's
        AdamW): inside it, Adam would scale it away.
      **kwargs: of `keras.optimizers.Adam`.
    """

    def _decayed(self, variable, gradient, scalars):
        variable.assign_sub(variable * (self.decay * scalars["lr"]))
        return gradient

    def _scalars(self, dtype):
        step = tf.cast(self.iterations + 1, dtype)
        betas = {"beta1": tf.constant(self.beta_1, dtype), "beta2": tf.constant(self.beta_2, dtype)}
        powers = {f"{name}_power": tf.pow(beta, step) for name, beta in betas.items()}
        return super()._scalars(dtype) | betas | powers | {"epsilon": tf.constant(self.epsilon, dtype)}

    def _apply(self, variable, index, gradient, scalars):
        mean, variance = (moments[index].value.handle for moments in (self._momentums, self._velocities))
        tf.raw_ops.ResourceApplyAdam(var=variable.handle, m=mean, v=variance, grad=gradient, **scalars)
