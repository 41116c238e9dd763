"""Preparation and search on s3://, through a server of our own; the processes end with 0."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tsnet_tf import filesystems
from tsnet_tf.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[1]


ACCOUNT = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}


@pytest.fixture
def server():
    """Address of a running S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def bucket(server):
    """An empty bucket of that server."""
    import boto3
    from botocore.config import Config

    store = boto3.resource(
        "s3",
        endpoint_url=server,
        region_name=ACCOUNT["AWS_REGION"],
        aws_access_key_id=ACCOUNT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ACCOUNT["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"max_attempts": 10, "mode": "standard"}),  # it takes a while to start
    )
    return store.create_bucket(Bucket="bucket")


def get(bucket, key):
    return bucket.Object(key).get()["Body"].read()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_videos_become_records_and_are_searched_on_s3(server, bucket, tiny_demo, programs):
    """What the tiny demo does on a local disk."""
    environment = {"S3_ENDPOINT": server, **ACCOUNT}
    for path in (tiny_demo.folder / "videos").rglob("*.*"):
        bucket.put_object(Key=f"videos/{path.relative_to(tiny_demo.folder / 'videos')}", Body=path.read_bytes())
    prepare = ("prepare_data.py", "--annotations=s3://bucket/videos/annotations.csv")
    said = programs.run(*prepare, "--short_side=32", "--output=s3://bucket/data", **environment).stdout
    assert said.splitlines()[-1] == "prepare: 54 videos of 18 classes in s3://bucket/data"
    for path in (tiny_demo.folder / "data").glob("*.tfrecord"):
        assert get(bucket, f"data/{path.name}") == path.read_bytes()
    again = programs.run(*prepare, "--short_side=32", "--output=s3://bucket/data", **environment).stdout
    assert again == "prepare: s3://bucket/data is complete, reused\n"
    refused = programs.run(*prepare, "--output=s3://bucket/videos", code=2, **environment).stderr
    expected = "expected a new folder or prepared records, found other files in 's3://bucket/videos'"
    assert refused == f"error: --output: {expected}\n"
    assert get(bucket, "videos/annotations.csv") and get(bucket, "data/manifest.json")

    settings = ["data_dir = 's3://bucket/data'", "search.epochs = 0.5"]
    settings += ["search.refine = 0", "search.profile_steps = None"]  # TensorFlow's profiler writes to local disks
    flags = [*tiny_demo.flags("sparse"), *(f"--gin_bindings={setting}" for setting in settings)]
    search = ("search.py", *flags, "--workdir=s3://bucket/runs/sparse")
    programs.run(*search, **environment)
    summary = json.loads(get(bucket, "runs/sparse/summary.json"))
    assert summary["step"] == "sparse" and summary["steps"] == 2
    steps = [json.loads(line)["step"] for line in get(bucket, "runs/sparse/metrics.jsonl").splitlines()]
    assert steps == [1, 2]
    keys = [found.key for found in bucket.objects.filter(Prefix="runs/sparse/")]
    for name in ("checkpoints/final.index", "checkpoints/ckpt-2.index", "config.gin", "genotype.json", "events/"):
        assert any(key.startswith(f"runs/sparse/{name}") for key in keys), keys

    genotype = get(bucket, "runs/sparse/genotype.json")
    bucket.Object("runs/sparse/summary.json").delete()  # as if it had been stopped before the end
    assert "search: sparse: going on from step 2\n" in programs.run(*search, **environment).stdout
    assert json.loads(get(bucket, "runs/sparse/summary.json"))["steps"] == 2
    assert get(bucket, "runs/sparse/genotype.json") == genotype


WORKER = """
import sys
from tsnet_tf import filesystems
filesystems.load_for("s3://bucket/sum")
import tensorflow as tf
from tsnet_tf.training.strategy import strategy
workers = strategy("multi_worker")
own = 1.0 + workers.cluster_resolver.task_id
total = tf.function(lambda: workers.reduce("SUM", workers.run(lambda: tf.constant(own)), axis=None))()
with tf.io.gfile.GFile(f"s3://bucket/sum{workers.cluster_resolver.task_id}", "w") as file:
    file.write(str(float(total)))
filesystems.leave(0)
"""


def test_two_workers_find_each_other_on_s3(server, bucket):
    """Knowing s3:// starts nothing of TensorFlow, which several workers have to do together: 1 + 2."""
    with socket.socket() as one, socket.socket() as other:
        for port in (one, other):
            port.bind(("localhost", 0))
        cluster = [f"localhost:{port.getsockname()[1]}" for port in (one, other)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "S3_ENDPOINT": server, **ACCOUNT, "CUDA_VISIBLE_DEVICES": ""}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env={
                **environment,
                "TF_CONFIG": json.dumps({"cluster": {"worker": cluster}, "task": {"type": "worker", "index": index}}),
            },
        )
        for index in range(2)
    ]
    assert [worker.wait(300) for worker in workers] == [0, 0]
    assert [get(bucket, f"sum{index}") for index in range(2)] == [b"3.0", b"3.0"]


def test_local_paths_load_nothing():
    program = "import sys\nfrom tsnet_tf import filesystems\nfilesystems.load_for('data', 'gs://bucket')\n"
    program += "assert not {'tensorflow', 'tensorflow_io'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("found", ["one that does not know them", "none that can be imported"])
def test_a_tensorflow_io_that_does_not_fit_is_told(monkeypatch, found):
    import tensorflow as tf

    def unknown(path):
        raise tf.errors.UnimplementedError(None, None, f"File system scheme 's3' not implemented (file: '{path}')")

    monkeypatch.setattr(filesystems, "_loaded", False)
    monkeypatch.setattr(tf.io.gfile, "exists", unknown)
    monkeypatch.setitem(sys.modules, "tensorflow_io", tf if found.startswith("one") else None)
    with pytest.raises(UserError, match=f"expected a tensorflow-io that fits TensorFlow {tf.__version__}.* {found}"):
        filesystems.load_for("s3://bucket/data")


def test_what_a_store_refuses_is_one_line_of_its_own_words(monkeypatch):
    """As Google's store answers somebody whom it does not know; no store is asked here."""
    import tensorflow as tf

    said = "Error executing an HTTP request: HTTP response code 401\nAnonymous caller does not have access"

    def refuse(path, mode):
        raise tf.errors.PermissionDeniedError(None, None, said)

    monkeypatch.setattr(tf.io.gfile, "GFile", refuse)
    expected = "--workdir: expected a path that can be written, found 'gs://bucket/runs': Error .* 401 Anonymous"
    with pytest.raises(UserError, match=expected):
        filesystems.check_can_be_written("gs://bucket/runs", "--workdir")


def test_what_can_be_written_elsewhere_is_tried_and_left_as_it_was():
    """In TensorFlow's file system in memory; and in one that it does not have."""
    import tensorflow as tf

    filesystems.check_can_be_written("ram://checked/run", "--workdir")
    assert not tf.io.gfile.exists("ram://checked/run") and not tf.io.gfile.glob("ram://checked/*")
    said = "--output: expected a path that can be written, found 'nowhere://bucket/x': File system scheme 'nowhere'"
    with pytest.raises(UserError, match=said):
        filesystems.check_can_be_written("nowhere://bucket/x", "--output")
    tf.io.gfile.makedirs("ram://checked/run")
    with tf.io.gfile.GFile("ram://checked/run/summary.json", "w") as file:
        file.write("{}")
    filesystems.check_can_be_written("ram://checked/run", "--workdir", unless="summary.json")
