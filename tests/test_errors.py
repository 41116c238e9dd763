"""A user's mistake is one line on standard error and exit code 2, and leaves nothing behind.

The mistakes in CSV files and label maps are tried one by one in ``tests/data``; here, what they look like from outside.
"""

import dataclasses
import json
import os
import pathlib

import gin
import pytest
import tensorflow as tf

import tsnet_tf.search.step  # noqa: F401 (registers what the gin files name)
from tsnet_tf.errors import UserError
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only
from tsnet_tf.training import run_folder

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPARSE = ["--gin_file={root}/gin/demo/sparse.gin", "--gin_bindings=data_dir = '{data}'"]
DENSE = ["--gin_file={root}/gin/demo/dense_fusion.gin", "--gin_bindings=data_dir = '{data}'"]
TRAIN = ["--gin_file={root}/gin/demo/train.gin", "--gin_bindings=data_dir = '{data}'"]


def make_inputs(tmp_path):
    """Writes input of all sorts, good and bad; name to path."""
    (tmp_path / "videos").mkdir(parents=True)
    (tmp_path / "videos" / "a.mp4").write_bytes(b"")
    (tmp_path / "no_columns.csv").write_text("file,class\na.mp4,run\n")
    (tmp_path / "good.csv").write_text("path,label,split\na.mp4,run,train\n")
    (tmp_path / "labels.txt").write_text("walk\n")

    data = tmp_path / "data"
    data.mkdir()
    (data / "labels.json").write_text(json.dumps(["run", "walk"]))
    splits = {split: {"videos": 4, "videos_per_shard": [4]} for split in ("train", "validation", "test")}
    (data / "manifest.json").write_text(json.dumps({"splits": splits}))
    for split in splits:
        tf.io.TFRecordWriter(str(data / f"{split}-00000-of-00001.tfrecord")).close()

    other = tmp_path / "other_step"
    other.mkdir()
    (other / "summary.json").write_text(json.dumps({"step": "attention"}))
    (tmp_path / "unfinished").mkdir()

    text = genotype.dumps(smallest(table1(name="mine")))
    (tmp_path / "label.json").write_text(text.replace('"spatial_kernel"', '"spatial_kernal"', 1))
    (tmp_path / "value.json").write_text(text.replace('"spatial_kernel": 3', '"spatial_kernel": 4', 1))
    return {name: str(tmp_path / name) for name in os.listdir(tmp_path)} | {"here": str(tmp_path), "root": str(ROOT)}


CASES = {
    "missing_annotation_file": (
        "prepare_data.py",
        ["--annotations={here}/gone.csv", "--output={here}/out"],
        "--annotations: expected a CSV file, found nothing at '{here}/gone.csv'",
    ),
    "csv_without_its_columns": (
        "prepare_data.py",
        ["--annotations={no_columns.csv}", "--output={here}/out"],
        "(no path, label)",
    ),
    "label_not_in_the_map": (
        "prepare_data.py",
        ["--annotations={good.csv}", "--videos={videos}", "--labels={labels.txt}", "--output={here}/out"],
        "in the label map, found 1 that are not: 'run'",
    ),
    "part_of_another_benchmark": (
        "benchmark.py",
        ["model", "--part=price"],
        "--part: expected one of inference, training, blocks, growth for model; found 'price'",
    ),
    "flag_of_another_benchmark": (
        "benchmark.py",
        ["data", "--check=docs/speed.json"],
        "--check: expected with model only, found with data",
    ),
    "missing_gin_file": (
        "search.py",
        ["--gin_file={here}/gone.gin", "--workdir={here}/out"],
        "--gin_file: expected an existing gin file, found nothing at '{here}/gone.gin'",
    ),
    "misspelt_gin_function": ("search.py", ["--gin_bindings=serach.epochs = 1", "--workdir={here}/out"], "serach"),
    "misspelt_gin_parameter": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.epoch = 1", "--workdir={here}/out"],
        "epoch",
    ),
    "target_below_the_smallest": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.target_gmacs = 0.0001", "--workdir={here}/out"],
        "target_gmacs: expected at least {smallest}, the smallest architecture of space 'demo' at",
    ),
    "run_folder_of_another_step": (
        "search.py",
        [*DENSE, "--previous={other_step}", "--workdir={here}/out"],
        "--previous: expected the run folder of the step 'sparse', found that of the step 'attention': '{other_step}'",
    ),
    "run_folder_that_is_not_finished": (
        "search.py",
        [*DENSE, "--previous={unfinished}", "--workdir={here}/out"],
        "--previous: expected the finished run folder of the step 'sparse', found '{unfinished}'",
    ),
    "views_that_are_none": (
        "evaluate.py",
        ["--workdir={unfinished}", "--views=10-corners"],
        "views: expected CLIPS-center or CLIPS-left_center_right, such as 10-center; found '10-corners'",
    ),
    "predictions_that_are_none": (
        "compare.py",
        ["--first={good.csv}", "--second={good.csv}"],
        "expected the .npz file of bin/evaluate.py, found in '{good.csv}': ",
    ),
    "nothing_to_predict": (
        "predict.py",
        ["--saved_model={here}", "--video={here}/gone.mp4"],
        "--video: expected a video file or a folder, found nothing at '{here}/gone.mp4'",
    ),
    "precision_that_is_none": (
        "export.py",
        ["--workdir={unfinished}", "--output={here}/out", "--lite=int4"],
        "flag --lite=int4: value should be one of <float32|float16|int8>",
    ),
    "genotype_with_an_unknown_label": (
        "train.py",
        [*TRAIN, "--genotype={label.json}", "--workdir={here}/out"],
        "{label.json}: sparse stream, group 1: unknown label 'spatial_kernal', expected stage, depth,",
    ),
    "genotype_with_an_unknown_value": (
        "train.py",
        [*TRAIN, "--genotype={value.json}", "--workdir={here}/out"],
        "sparse/s1/g1/spatial_kernel: expected an odd whole number, found 4",
    ),
}


def smallest_of_the_demo():
    """As the demo's settings have it, with the two classes of the data set made here."""
    gin.clear_config()
    gin.add_config_file_search_path(str(ROOT))
    gin.parse_config_file(str(ROOT / "gin" / "demo" / "sparse.gin"))
    space = only(gin.query_parameter("search.space").scoped_configurable_fn(), ("sparse",))
    gin.clear_config()
    return complexity(smallest(dataclasses.replace(space, classes=2))).gmacs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Folder of the inputs, and what stands for each name in the cases."""
    folder = tmp_path_factory.mktemp("mistakes")
    return folder, {**make_inputs(folder / "inputs"), "smallest": f"{smallest_of_the_demo():.4g}"}


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_one_line_and_leaves_nothing_behind(programs, inputs, name):
    folder, fill = inputs
    binary, arguments, message = CASES[name]

    def filled(text):
        for key, value in fill.items():
            text = text.replace("{" + key + "}", value)
        return text

    before = sorted(os.listdir(folder / "inputs"))
    done = programs.run(binary, *map(filled, arguments), code=2)
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert filled(message) in done.stderr
    assert "Traceback" not in done.stdout
    assert sorted(os.listdir(folder / "inputs")) == before


def test_missing_run_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="expected the folder of a finished run, found no such folder: '.*gone'"):
        run_folder.load_trained(str(tmp_path / "gone"))
    with pytest.raises(UserError, match="found no summary.json in it"):
        run_folder.load_trained(str(tmp_path))


def test_broken_json_is_named(tmp_path):
    (tmp_path / "torn.json").write_text('{"name": "x"')
    with pytest.raises(UserError, match="torn.json: expected JSON, found"):
        genotype.load(str(tmp_path / "torn.json"))


def test_open_space_is_no_genotype(tmp_path):
    (tmp_path / "space.json").write_text(genotype.dumps(table1()))
    with pytest.raises(UserError, match="expected one value for every variable, found 3 for sparse/s1/g1/temporal"):
        genotype.load(str(tmp_path / "space.json"))


def test_unknown_architecture_lists_what_is_known():
    with pytest.raises(UserError, match="expected a genotype file or one of: .*; found 'x4d'"):
        genotype.load("x4d")


@pytest.mark.parametrize("binary", sorted(path.name for path in (ROOT / "bin").glob("*.py")))
def test_help_says_what_the_binary_does_and_is_a_success(programs, binary):
    done = programs.run(binary, "--help")
    assert not done.stderr
    assert (ROOT / "bin" / binary).read_text().split("\n", 1)[0].strip('"') in done.stdout
