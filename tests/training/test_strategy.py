"""The factory makes the strategy that gin names; what cannot run on this machine is replaced."""

from unittest import mock

import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.training.strategy import STRATEGIES, strategy


@pytest.fixture
def replaced(monkeypatch):
    """Every strategy class and what a TPU needs, as mocks."""
    found = {}
    for name in ("OneDeviceStrategy", "MirroredStrategy", "MultiWorkerMirroredStrategy", "TPUStrategy"):
        found[name] = mock.Mock()
        monkeypatch.setattr(tf.distribute, name, found[name])
    found["TPUClusterResolver"] = mock.Mock()
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", found["TPUClusterResolver"])
    found["connect"], found["initialize"] = mock.Mock(), mock.Mock()
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", found["connect"])
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", found["initialize"])
    return found


CLASSES = {
    "one_device": "OneDeviceStrategy",
    "mirrored": "MirroredStrategy",
    "multi_worker": "MultiWorkerMirroredStrategy",
    "tpu": "TPUStrategy",
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_name_makes_its_own_strategy(replaced, name):
    made = CLASSES[name]
    assert strategy(name) is replaced[made].return_value
    others = [n for n in replaced if n.endswith("Strategy") and n != made]
    assert not any(replaced[n].called for n in others)


def test_devices_are_handed_on(replaced):
    strategy("mirrored", devices=("GPU:0", "GPU:1"))
    replaced["MirroredStrategy"].assert_called_once_with(("GPU:0", "GPU:1"))
    strategy("one_device", devices=("GPU:3",))
    replaced["OneDeviceStrategy"].assert_called_once_with("GPU:3")


def test_one_device_takes_the_gpu_if_there_is_one(replaced, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    strategy()
    replaced["OneDeviceStrategy"].assert_called_once_with("GPU:0")


def test_one_device_is_the_cpu_elsewhere(replaced, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    strategy()
    replaced["OneDeviceStrategy"].assert_called_once_with("CPU:0")


def test_tpu_is_connected_and_initialised_first(replaced):
    order = mock.Mock()
    for name in ("TPUClusterResolver", "connect", "initialize", "TPUStrategy"):
        order.attach_mock(replaced[name], name)
    strategy("tpu", tpu="pod-1")
    resolver = replaced["TPUClusterResolver"].return_value
    assert order.mock_calls == [
        mock.call.TPUClusterResolver(tpu="pod-1"),
        mock.call.connect(resolver),
        mock.call.initialize(resolver),
        mock.call.TPUStrategy(resolver),
    ]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        UserError, match="strategy.name: expected one of one_device, mirrored, multi_worker, tpu; found 'miror'"
    ):
        strategy("miror")


def test_default_works_here():
    assert strategy().num_replicas_in_sync == 1


def test_threads_are_chosen_before_tensorflow_starts(programs):
    found = programs.run("""
import tensorflow as tf
from tsnet_tf.training.strategy import strategy
strategy(intra_op_threads=1)
tf.zeros([])
strategy(intra_op_threads=3)
print(tf.config.threading.get_intra_op_parallelism_threads())
""")
    assert found.stdout.strip() == "1"  # TensorFlow keeps what it has, and that is no mistake


@pytest.mark.parametrize("threads", [-1, 1.5, "one"])
def test_what_is_no_number_of_threads_is_refused(threads):
    with pytest.raises(UserError, match=rf"strategy.intra_op_threads: expected 0 \(all\) .* found {threads!r}"):
        strategy(intra_op_threads=threads)
