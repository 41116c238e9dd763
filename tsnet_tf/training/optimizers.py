"""Optimizers and schedules of the paper (section 5.2)."""

import gin
import keras

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.training import fused_optimizers

NOT_DECAYED = ("gamma", "beta", "bias")  # normalisation and biases are not pulled towards zero


@gin.configurable
def weight_optimizer(
    steps: int,
    batch_size: int | None = None,
    kind: str = "sgd",
    learning_rate: float = 0.4,
    rate_is_for: int | None = 64,
    warmup: float = 0.05,
    momentum: float = 0.9,
    weight_decay: float = 5e-5,
    clip_norm: float | None = None,
    average: float | None = None,
) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum (the paper) or Adam; linear warm-up, then half a cosine down to zero.

    Args:
      steps: length of the run.
      batch_size: clips per step, over all replicas; None if the rate is not to follow them.
      kind: "sgd", or "adam" for short runs.
      learning_rate: the highest, reached at the end of the warm-up.
      rate_is_for: with SGD, the clips per step that the rate is for: it is scaled as the batch is (Goyal et al.,
        "Accurate, Large Minibatch SGD"). None: it is taken as it is, as Adam's always is.
      warmup: part of the run that the warm-up takes.
      momentum: of SGD.
      weight_decay: none on BN and biases. With SGD the L2 penalty of X3D's recipe, inside the momentum; with Adam a
        pull towards zero per step, as a part of the learning rate.
      clip_norm: largest global norm of the gradient, summed over replicas; None for no limit.
      average: momentum of a moving average of the weights, which takes their place when the run ends; min(average,
        (1 + step) / (10 + step)) in the beginning. None for the weights themselves.

    Raises:
      UserError: no such kind.
    """
    if kind == "sgd" and rate_is_for and batch_size and batch_size != rate_is_for:
        given, learning_rate = learning_rate, learning_rate * batch_size / rate_is_for
        console.say(
            f"learning rate {learning_rate:.4g} for batches of {batch_size}: {given:g} is for {rate_is_for} "
            "(weight_optimizer.rate_is_for = None takes it as it is)"
        )
    warmup_steps = max(1, round(warmup * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup_steps), warmup_target=learning_rate, warmup_steps=warmup_steps
    )
    settings = {"decay": weight_decay, "global_clipnorm": clip_norm}
    if average is not None:
        settings |= {"use_ema": True, "ema_momentum": average}
    if kind == "sgd":
        optimizer = fused_optimizers.SGD(schedule, momentum=momentum, nesterov=True, **settings)
    elif kind == "adam":
        optimizer = fused_optimizers.Adam(schedule, **settings)
    else:
        raise UserError(f"weight_optimizer.kind: expected sgd or adam, found '{kind}'")
    optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    optimizer.highest_learning_rate = learning_rate
    return optimizer


@gin.configurable
def alpha_optimizer(learning_rate: float = 0.025) -> keras.optimizers.Optimizer:
    """Adam for the architecture's logits, without weight decay."""
    return fused_optimizers.Adam(learning_rate)
