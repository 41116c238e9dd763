"""The factory makes the strategy that gin names; what cannot run on this machine is replaced."""

import re
from unittest import mock

import pytest
import tensorflow as tf

from tsnet_tf import console
from tsnet_tf.errors import UserError
from tsnet_tf.training import devices
from tsnet_tf.training.strategy import STRATEGIES, strategy


@pytest.fixture
def replaced(monkeypatch):
    """Every strategy class and what a TPU needs, as mocks; and a machine with four GPUs."""
    found = {}
    there = [mock.Mock(), *(mock.Mock() for _ in range(4))]
    for device, name in zip(there, ["CPU:0", *(f"GPU:{i}" for i in range(4))], strict=True):
        device.name = f"/device:{name}"
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind="": [d for d in there if kind in d.name])
    for name in ("OneDeviceStrategy", "MirroredStrategy", "MultiWorkerMirroredStrategy", "TPUStrategy"):
        found[name] = mock.Mock()
        found[name].return_value.configure_mock(
            **{"extended.worker_devices": ["/device:CPU:0"], "num_replicas_in_sync": 1}
        )
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


def test_default_works_here_and_says_what_it_uses(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "say", lines.append)
    assert strategy().num_replicas_in_sync == 1
    assert lines == ["devices: CPU:0; 1 replica"]


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"devices": ("GPU:0",)}, "strategy.devices: expected devices out of CPU:0, found 'GPU:0'"),
        ({"devices": "/device:GPU:0"}, "strategy.devices: expected devices out of CPU:0, found '/device:GPU:0'"),
        ({"devices": ("CPU:0", "GPU:1"), "name": "mirrored"}, "out of CPU:0, found 'GPU:1'"),
        ({"devices": ("gpu0",)}, "out of CPU:0, found 'gpu0'"),
        ({"name": "mirrored"}, "strategy.name: expected GPUs for mirrored, found none; on the processor:"),
        ({"devices": ("CPU:0", "CPU:0")}, "strategy.devices: expected one for one_device, found CPU:0, CPU:0; for all"),
        ({"devices": ("GPU:0",), "name": "multi_worker"}, "strategy.devices: expected with one_device and mirrored"),
        ({"tpu": "pod-1"}, "strategy.tpu: expected with tpu only, found with one_device"),
    ],
)
def test_what_is_asked_for_and_not_there_is_refused(settings, said):
    with pytest.raises(UserError, match=re.escape(said)):
        strategy(**settings)


@pytest.mark.parametrize("name", ["CPU:0", "cpu:0", "/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0"])
def test_device_may_be_named_in_every_way(name):
    assert strategy(devices=(name,)).num_replicas_in_sync == 1


def test_several_devices_and_workers_are_counted():
    made = mock.Mock(num_replicas_in_sync=8)
    made.extended.worker_devices = [f"/job:worker/replica:0/task:1/device:GPU:{i}" for i in range(4)]
    assert devices.used_by(made) == "devices: GPU:0, GPU:1, GPU:2, GPU:3; 8 replicas on 2 workers"


def describe_gpus(folder, *models):
    for number, model in enumerate(models):
        (folder / "gpus" / f"0000:{number}").mkdir(parents=True)
        (folder / "gpus" / f"0000:{number}" / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 91\n")


def test_gpus_of_the_machine_are_found_by_their_driver(tmp_path, monkeypatch):
    describe_gpus(tmp_path / "driver", "NVIDIA H100 80GB HBM3", "NVIDIA L4")
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).touch()
    driver, dev, none = (str(tmp_path / name) for name in ("driver", "dev", "none"))
    assert devices.gpus_of_the_machine(driver, dev) == ["NVIDIA H100 80GB HBM3", "NVIDIA L4"]
    assert devices.gpus_of_the_machine(none, dev) == ["an NVIDIA GPU (/dev/nvidia0)"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.gpus_of_the_machine(none, none) == []
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: NVIDIA RTX A2000 (UUID: GPU-1)'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert devices.gpus_of_the_machine(none, none) == ["NVIDIA RTX A2000"]
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho NVIDIA-SMI has failed; exit 9\n")
    assert devices.gpus_of_the_machine(none, none) == []


@pytest.fixture
def with_gpu(monkeypatch):
    """A machine with a GPU that TensorFlow does not see, though nothing hides it."""
    monkeypatch.setattr(devices, "gpus_of_the_machine", lambda: ["NVIDIA L4"])
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    monkeypatch.setattr(devices, "_loads", lambda library: True)
    monkeypatch.setattr(devices, "_missing_packages", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    "setting, why",
    [
        (("setenv", "CUDA_VISIBLE_DEVICES", "-1"), "CUDA_VISIBLE_DEVICES is '-1' in the environment, which hides it"),
        (("setenv", "CUDA_VISIBLE_DEVICES", ""), "CUDA_VISIBLE_DEVICES is '' in the environment, which hides it"),
        (
            ("setattr", tf.test, "is_built_with_cuda", lambda: False),
            "without CUDA; pip install 'tensorflow[and-cuda]==",
        ),
        (("setattr", devices, "_loads", lambda library: False), "libcuda.so.1 of its driver cannot be loaded; install"),
        (
            ("setattr", devices, "_missing_packages", lambda: ["nvidia-cudnn-cu12"]),
            f"nvidia-cudnn-cu12 of CUDA are not installed; pip install 'tensorflow[and-cuda]=={tf.__version__}'",
        ),
        (("setenv", "CUDA_VISIBLE_DEVICES", "0"), "does not start, most likely since the driver is too old"),
    ],
)
def test_gpu_that_is_not_seen_is_told_with_what_to_do(with_gpu, monkeypatch, capsys, setting, why):
    how, *arguments = setting
    getattr(monkeypatch, how)(*arguments)
    strategy()
    said = capsys.readouterr().err
    assert said.startswith("warning: this machine has NVIDIA L4, which TensorFlow does not see: ") and why in said
    with pytest.raises(UserError, match=r"found 'GPU:0' \(this machine has NVIDIA L4, which TensorFlow does not see"):
        strategy(devices=("GPU:0",))


def test_packages_with_cuda_are_those_that_tensorflow_names():
    assert all(name.startswith("nvidia-") for name in devices._missing_packages())


def test_threads_are_chosen_before_tensorflow_starts(programs):
    found = programs.run("""
import tensorflow as tf
from tsnet_tf.training.strategy import strategy
strategy(intra_op_threads=1)
tf.zeros([])
strategy(intra_op_threads=3)
print(tf.config.threading.get_intra_op_parallelism_threads())
""")
    *said, threads = found.stdout.splitlines()
    assert threads == "1"  # TensorFlow keeps what it has, and that is no mistake
    assert said == ["devices: CPU:0; 1 replica"] * 2


@pytest.mark.parametrize("threads", [-1, 1.5, "one"])
def test_what_is_no_number_of_threads_is_refused(threads):
    with pytest.raises(UserError, match=rf"strategy.intra_op_threads: expected 0 \(all\) .* found {threads!r}"):
        strategy(intra_op_threads=threads)
