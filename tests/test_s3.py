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


def run(server, binary, *arguments, code=0):
    """Returns what was said on standard output, or on standard error where a failure is expected."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "bin" / binary), *arguments],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "S3_ENDPOINT": server,
            **ACCOUNT,
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == code, f"{binary} ended with {done.returncode}: {done.stderr[-3000:]}"
    return done.stderr if code else done.stdout


def get(bucket, key):
    return bucket.Object(key).get()["Body"].read()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_videos_become_records_and_are_searched_on_s3(server, bucket, tmp_path):
    run(server, "make_demo_videos.py", f"--output={tmp_path}/videos", "--videos_per_class=1,1,1")
    for path in (tmp_path / "videos").rglob("*.*"):
        bucket.put_object(Key=f"videos/{path.relative_to(tmp_path / 'videos')}", Body=path.read_bytes())
    said = run(
        server,
        "prepare_data.py",
        "--annotations=s3://bucket/videos/annotations.csv",
        "--short_side=32",
        "--output=s3://bucket/data",
    )
    assert said.splitlines()[-1] == "prepare: 48 videos of 16 classes in s3://bucket/data"
    local = run(
        server, "prepare_data.py", f"--annotations={tmp_path}/videos/annotations.csv", "--short_side=32",
        f"--output={tmp_path}/data",
    )  # fmt: skip
    assert local.splitlines()[-1].startswith("prepare: 48 videos")
    for path in (tmp_path / "data").glob("*.tfrecord"):
        assert get(bucket, f"data/{path.name}") == path.read_bytes()
    again = run(
        server,
        "prepare_data.py",
        "--annotations=s3://bucket/videos/annotations.csv",
        "--short_side=32",
        "--output=s3://bucket/data",
    )
    assert again == "prepare: s3://bucket/data is complete, reused\n"
    refused = run(
        server, "prepare_data.py", "--annotations=s3://bucket/videos/annotations.csv", "--output=s3://bucket/videos",
        code=2,
    )  # fmt: skip
    expected = "expected a new folder or prepared records, found other files in 's3://bucket/videos'"
    assert refused == f"error: --output: {expected}\n"
    assert get(bucket, "videos/annotations.csv") and get(bucket, "data/manifest.json")

    settings = ["batch_size = 8", "search.epochs = 1", "joint.samples = 1", "search.report_every = 1"]
    settings += ["search.finetune_epochs = 0", "search.recalibration_batches = 1", "search.alpha_warmup = 0.0"]
    search = (
        server,
        "search.py",
        f"--gin_file={ROOT}/gin/demo/sparse.gin",
        "--workdir=s3://bucket/runs/sparse",
        "--gin_bindings=data_dir = 's3://bucket/data'",
        *(f"--gin_bindings={setting}" for setting in settings),
    )
    run(*search)
    summary = json.loads(get(bucket, "runs/sparse/summary.json"))
    assert summary["step"] == "sparse" and summary["steps"] == 2
    steps = [json.loads(line)["step"] for line in get(bucket, "runs/sparse/metrics.jsonl").splitlines()]
    assert steps == [1, 2]
    keys = [found.key for found in bucket.objects.filter(Prefix="runs/sparse/")]
    for name in ("checkpoints/final.index", "checkpoints/ckpt-2.index", "config.gin", "genotype.json", "events/"):
        assert any(key.startswith(f"runs/sparse/{name}") for key in keys), keys

    genotype = get(bucket, "runs/sparse/genotype.json")
    bucket.Object("runs/sparse/summary.json").delete()  # as if it had been stopped before the end
    assert "search: sparse: going on from step 2\n" in run(*search)
    assert json.loads(get(bucket, "runs/sparse/summary.json"))["steps"] == 2
    assert get(bucket, "runs/sparse/genotype.json") == genotype


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
    monkeypatch.setattr(tf.io, "read_file", unknown)
    monkeypatch.setitem(sys.modules, "tensorflow_io", tf if found.startswith("one") else None)
    with pytest.raises(UserError, match=f"expected a tensorflow-io that fits TensorFlow {tf.__version__}.* {found}"):
        filesystems.load_for("s3://bucket/data")


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
