"""Which devices a run uses."""

import contextlib
import signal

import gin
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.training import devices as _devices

STRATEGIES = ("one_device", "mirrored", "multi_worker", "tpu")


@gin.configurable
def strategy(
    name: str = "one_device", devices: tuple[str, ...] | None = None, tpu: str = "", intra_op_threads: int = 0
) -> tf.distribute.Strategy:
    """Makes the distribution strategy, and says which devices that are.

    Args:
      name: "one_device"; "mirrored" (all GPUs of this machine, or ``devices``); "multi_worker" (several machines,
        described by the environment variable TF_CONFIG); "tpu".
      devices: device names for "one_device" (one) and "mirrored", such as ``("GPU:0", "GPU:1")``; default: what is
        there.
      tpu: address or name of the TPU; empty for the local one.
      intra_op_threads: how many of the processor's threads share one operation; 0: all, which large operations need.
        With 1, the streams are computed side by side, which is faster where operations are small
        (docs/performance.md). A process in which TensorFlow runs already keeps what it has.

    Raises:
      UserError: no such strategy, device or number of threads.
    """
    devices = (devices,) if isinstance(devices, str) else devices
    if not isinstance(intra_op_threads, int) or intra_op_threads < 0:
        raise UserError(f"strategy.intra_op_threads: expected 0 (all) or a larger integer, found {intra_op_threads!r}")
    with contextlib.suppress(RuntimeError):  # TensorFlow runs already
        tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    if name not in STRATEGIES:
        raise UserError(f"strategy.name: expected one of {', '.join(STRATEGIES)}; found '{name}'")
    if devices and name not in ("one_device", "mirrored"):
        raise UserError(f"strategy.devices: expected with one_device and mirrored only, found with {name}")
    if devices and name == "one_device" and len(devices) > 1:
        raise UserError(
            f"strategy.devices: expected one for one_device, found {', '.join(devices)}; for all of them: "
            'strategy.name = "mirrored"'
        )
    if tpu and name != "tpu":
        raise UserError(f"strategy.tpu: expected with tpu only, found with {name}")
    made = _made(name, devices, tpu)
    console.say(_devices.used_by(made))
    unseen = _devices.unseen_gpus()
    if unseen:
        console.warn(unseen)
    return made


def _made(name: str, devices: tuple[str, ...] | None, tpu: str) -> tf.distribute.Strategy:
    if devices:
        _devices.check(devices)
    if name == "one_device":
        default = "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"
        device = devices[0] if devices else default
        if "CPU" in device:
            # Rewriting the graph takes half of the first step's time here, and no later step is faster for it.
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        return tf.distribute.OneDeviceStrategy(device)
    if name == "mirrored":
        if not devices:
            _devices.check_gpus()
        return tf.distribute.MirroredStrategy(devices)
    if name == "multi_worker":
        before = signal.getsignal(signal.SIGTERM)
        made = tf.distribute.MultiWorkerMirroredStrategy()
        signal.signal(signal.SIGTERM, before)  # TensorFlow's own handler only takes note
        return made
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu)
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


def of_chief(value: float, strategy: tf.distribute.Strategy) -> float:
    """The chief's ``value``, on every worker: what they measure may differ, and what they do next must not."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return value
    is_chief = float(strategy.extended.should_checkpoint)
    own = tf.constant([is_chief * value, is_chief], tf.float64)

    @tf.function
    def sum_of_replicas(own: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(lambda: own), axis=None)

    total, count = sum_of_replicas(own).numpy()
    return float(total / count)
