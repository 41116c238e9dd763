"""A user's mistake is one line on standard error and exit code 2, and leaves nothing behind.

The mistakes in CSV files and label maps are tried one by one in ``tests/data``; here, what they look like from outside.
"""

import ast
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

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

    (tmp_path / "include.gin").write_text("seed = 1\ninclude 'gin/gone.gin'\n")
    (tmp_path / "path.gin").write_text("include 'gin/steps/sparse.gin'\ndata_dir = ~/k400\n")
    (tmp_path / "parameter.gin").write_text("include 'gin/data/demo.gin'\n\nVideoDataset.corp = 24\n")
    steps = "progressive.steps = ({},)\nprogressive.training = '{}'\n"
    (tmp_path / "parts.gin").write_text(steps.format("'gin/demo/sparse.gin'", tmp_path / "parameter.gin"))
    (tmp_path / "one_step.gin").write_text("include 'gin/demo.gin'\nsearch.target_gmacs = 3.0\n")
    both = "'gin/demo/sparse.gin', 'gin/steps/sparse.gin'"
    (tmp_path / "twice.gin").write_text(steps.format(both, "gin/demo/train.gin"))

    finished = tmp_path / "finished"
    finished.mkdir()
    (finished / "summary.json").write_text("{}")
    (finished / "config.gin").write_text("data_dir = 'gone'\nVideoDataset.directory = %data_dir\n")
    other = tmp_path / "other_step"
    other.mkdir()
    (other / "summary.json").write_text(json.dumps({"step": "attention"}))
    (tmp_path / "unfinished").mkdir()

    text = genotype.dumps(smallest(table1(name="mine")))
    (tmp_path / "label.json").write_text(text.replace('"spatial_kernel"', '"spatial_kernal"', 1))
    (tmp_path / "value.json").write_text(text.replace('"spatial_kernel": 3', '"spatial_kernel": 4', 1))
    return {name: str(tmp_path / name) for name in os.listdir(tmp_path)} | {
        "here": str(tmp_path),
        "root": str(ROOT),
        "home": os.path.expanduser("~"),
    }


# Told before TensorFlow is imported: (binary, arguments, what is said of them).
AT_ONCE = {
    "missing_annotation_file": (
        "prepare_data.py",
        ["--annotations={here}/gone.csv", "--output={here}/out"],
        "--annotations: expected a CSV file, found nothing at '{here}/gone.csv'",
    ),
    "part_of_another_benchmark": (
        "benchmark.py",
        ["model", "--part=overhead"],
        "--part: expected one of inference, training, blocks, growth for model; found 'overhead'",
    ),
    "flag_of_another_benchmark": (
        "benchmark.py",
        ["data", "--check=docs/speed.json"],
        "--check: expected with model only, found with data",
    ),
    "flag_that_is_none": ("search.py", ["--wrokdir=x"], "Unknown command line flag 'wrokdir'. Did you mean: workdir ?"),
    "no_run_folder": ("train.py", ["--genotype=x3d_s"], "expected --workdir=DIR, found none"),
    "genotype_that_is_none": (
        "train.py",
        ["--workdir={here}/out", "--genotype=x4d"],
        "expected a genotype file or one of: ",
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
    "previous_run_that_is_not_finished": (
        "search.py",
        [*DENSE, "--previous={unfinished}", "--workdir={here}/out"],
        "--previous: expected the folder of a finished run, found no summary.json in it: '{unfinished}'",
    ),
    "views_that_are_none": (
        "evaluate.py",
        ["--workdir={unfinished}", "--views=10-corners"],
        "views: expected CLIPS-center or CLIPS-left_center_right, such as 10-center; found '10-corners'",
    ),
    "evaluation_of_no_run": (
        "evaluate.py",
        ["--workdir={here}/gone"],
        "--workdir: expected the folder of a finished run, found no such folder: '{here}/gone'",
    ),
    "predictions_that_are_not_there": (
        "compare.py",
        ["--first={good.csv}", "--second={here}/gone.npz"],
        "--second: expected the .npz file of bin/evaluate.py, found nothing at '{here}/gone.npz'",
    ),
    "nothing_to_predict": (
        "predict.py",
        ["--saved_model={here}", "--video={here}/gone.mp4"],
        "--video: expected a video file or a folder, found nothing at '{here}/gone.mp4'",
    ),
    "prediction_without_a_model": (
        "predict.py",
        ["--saved_model={here}/gone", "--video={videos}"],
        "--saved_model: expected a folder written by bin/export.py, found none at '{here}/gone'",
    ),
    "precision_that_is_none": (
        "export.py",
        ["--workdir={unfinished}", "--output={here}/out", "--lite=int4"],
        "flag --lite=int4: value should be one of <float32|float16|int8>",
    ),
    "export_onto_something_else": (
        "export.py",
        ["--workdir={finished}", "--output={videos}"],
        "--output: expected a new folder or an earlier SavedModel, found something else in {videos}",
    ),
    "records_that_are_not_there": (
        "inspect_data.py",
        ["{here}/gone"],
        "expected the folder of prepared records, found none at '{here}/gone'",
    ),
    # Outputs that could not be written when the work is done: below a file, or a file where a folder should be.
    "train_into_a_file": (
        "train.py",
        [*TRAIN, "--genotype=x3d_s", "--workdir={good.csv}"],
        "--workdir: expected a folder, found a file at '{good.csv}'",
    ),
    "search_below_a_file": (
        "search.py",
        [*SPARSE, "--workdir={good.csv}/out/run"],
        "--workdir: expected a path that can be written, found '{good.csv}/out/run': Not a directory: '{good.csv}'",
    ),
    "inspect_into_what_cannot_be_written": (
        "inspect_data.py",
        ["{data}", "--output={good.csv}/out"],
        "--output: expected a path that can be written, found '{good.csv}/out': Not a directory: '{good.csv}'",
    ),
    "export_into_what_cannot_be_written": (
        "export.py",
        ["--workdir={finished}", "--output={good.csv}/out"],
        "--output: expected a path that can be written, found '{good.csv}/out': Not a directory: '{good.csv}'",
    ),
    "latencies_into_what_cannot_be_written": (
        "benchmark.py",
        ["latency", "--output={good.csv}/out.json"],
        "--output: expected a path that can be written, found '{good.csv}/out.json': Not a directory: '{good.csv}'",
    ),
    "timelines_into_what_cannot_be_written": (
        "predict.py",
        ["--saved_model={here}", "--video={videos}", "--plot={good.csv}/out"],
        "--plot: expected a path that can be written, found '{good.csv}/out': Not a directory: '{good.csv}'",
    ),
    # Paths.
    "home_in_a_flag": (
        "search.py",
        [*DENSE, "--previous=~/none_of_this_name", "--workdir={here}/out"],
        "--previous: expected the folder of a finished run, found no such folder: '{home}/none_of_this_name'",
    ),
    "home_in_an_argument": (
        "inspect_data.py",
        ["~/none_of_this_name"],
        "expected the folder of prepared records, found none at '{home}/none_of_this_name'",
    ),
    "home_in_a_gin_file": (
        "search.py",
        ["--gin_file=~/none_of_this_name.gin", "--workdir={here}/out"],
        "--gin_file: expected an existing gin file, found nothing at '{home}/none_of_this_name.gin'",
    ),
    "home_of_nobody": (
        "make_demo_videos.py",
        ["--output=~nobody_of_this_name/videos"],
        "flag --output=~nobody_of_this_name/videos: expected ~USER with a user of this machine, "
        "found '~nobody_of_this_name/videos'",
    ),
    "brackets_in_a_run_folder": (
        "train.py",
        [*TRAIN, "--genotype=x3d_s", "--workdir={here}/[exp 1] lr=0.1"],
        "expected a path without [ ] * ? \\ (TensorFlow takes them for patterns",
    ),
    "star_in_a_run_folder": ("search.py", [*SPARSE, "--workdir={here}/run*"], "found '{here}/run*'; rename it"),
    "question_mark_in_an_output": (
        "export.py",
        ["--workdir={finished}", "--output={here}/model?"],
        "found '{here}/model?'; rename it",
    ),
    "backslash_in_a_model": (
        "predict.py",
        ["--saved_model={here}\\model", "--video={videos}"],
        "found '{here}\\model'; rename it",
    ),
    # Gin files and bindings.
    "missing_gin_file": (
        "search.py",
        ["--gin_file=gin/gone.gin", "--workdir={here}/out"],
        "--gin_file: expected an existing gin file, found nothing at 'gin/gone.gin' nor at '{root}/gin/gone.gin'",
    ),
    "missing_included_file": (
        "search.py",
        ["--gin_file={include.gin}", "--workdir={here}/out"],
        "{include.gin}, line 2: expected an existing gin file, found nothing at 'gin/gone.gin' nor at",
    ),
    "misspelt_gin_function": (
        "search.py",
        ["--gin_bindings=serach.epochs = 1", "--workdir={here}/out"],
        "--gin_bindings: expected a name that can be set, found 'serach.epochs'; did you mean search.epochs?",
    ),
    "misspelt_gin_parameter": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.epoch = 1", "--workdir={here}/out"],
        "--gin_bindings: expected a setting of search, found 'search.epoch'; did you mean search.epochs?",
    ),
    "misspelt_gin_parameter_in_a_file": (
        "inspect_data.py",
        ["{data}", "--gin_file={parameter.gin}"],
        "{parameter.gin}, line 3: expected a setting of VideoDataset, found 'VideoDataset.corp'; did you mean "
        "VideoDataset.crop?",
    ),
    "misspelt_gin_macro": (
        "search.py",
        [*SPARSE, "--gin_bindings=learning_rat = 0.5", "--workdir={here}/out"],
        "--gin_bindings: expected a name that a setting refers to, found 'learning_rat', which none does; did you mean "
        "learning_rate?",
    ),
    "gin_parameter_without_its_function": (
        "train.py",
        [*TRAIN, "--genotype=x3d_s", "--gin_bindings=epochs = 3", "--workdir={here}/out"],
        "found 'epochs', which none does; did you mean search.epochs or train.epochs?",
    ),
    "misspelt_gin_macro_of_a_run": (
        "evaluate.py",
        ["--workdir={finished}", "--gin_bindings=data_dri = 'x'"],
        "--gin_bindings: expected a name that a setting refers to, found 'data_dri', which none does; did you mean "
        "data_dir?",
    ),
    "misspelt_gin_macro_of_all_parts": (
        "progressive.py",
        ["--gin_file=gin/demo.gin", "--gin_bindings=sede = 1", "--workdir={here}/out"],
        "--gin_bindings: expected a name that a setting refers to, found 'sede', which none does; did you mean seed?",
    ),
    "misspelt_reference": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.space = @tabel1()", "--workdir={here}/out"],
        "--gin_bindings: expected a name that can be referred to, found '@tabel1'; did you mean table1?",
    ),
    "macro_without_a_value": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.seed = %sed", "--workdir={here}/out"],
        "--gin_bindings: expected a value for %sed of search.seed, found none that is set; did you mean %seed?",
    ),
    "path_without_quotes": (
        "search.py",
        [*SPARSE, "--gin_bindings=data_dir = /data/k400", "--workdir={here}/out"],
        "--gin_bindings: expected NAME = VALUE, found 'data_dir = /data/k400': a path needs quotes: "
        "data_dir = '/data/k400'",
    ),
    "path_without_quotes_in_a_file": (
        "search.py",
        ["--gin_file={path.gin}", "--workdir={here}/out"],
        "{path.gin}, line 2: expected NAME = VALUE, found 'data_dir = ~/k400': a path needs quotes: data_dir = ",
    ),
    "text_without_quotes": (
        "search.py",
        [*SPARSE, "--gin_bindings=strategy.name = mirrored", "--workdir={here}/out"],
        "found 'strategy.name = mirrored': a text needs quotes: strategy.name = 'mirrored'",
    ),
    "truth_in_lower_case": (
        "search.py",
        [*SPARSE, "--gin_bindings=joint.baseline = false", "--workdir={here}/out"],
        "found 'joint.baseline = false': write joint.baseline = False",
    ),
    "several_values_without_brackets": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.train_splits = 'train', 'test'", "--workdir={here}/out"],
        "several values need brackets: search.train_splits = ('train', 'test')",
    ),
    "bracket_that_is_not_closed": (
        "search.py",
        [*SPARSE, "--gin_bindings=search.free = (1, 2", "--workdir={here}/out"],
        "found 'search.free = (1, 2': a bracket or quote is not closed",
    ),
    "no_value": ("search.py", ["--gin_bindings=seed", "--workdir={here}/out"], "expected NAME = VALUE, found 'seed'"),
    "no_data_set": (
        "search.py",
        ["--gin_file=gin/steps/sparse.gin", "--workdir={here}/out"],
        "expected gin files that set VideoDataset.directory, found none",
    ),
    "no_settings_at_all": (
        "train.py",
        ["--genotype=x3d_s", "--workdir={here}/out"],
        "expected gin files that set train.dataset, train.epochs, found none",
    ),
    "mistake_in_the_last_part": (
        "progressive.py",
        ["--gin_file={parts.gin}", "--workdir={here}/out"],
        "{parameter.gin}, line 3: expected a setting of VideoDataset, found 'VideoDataset.corp'",
    ),
    "missing_part": (
        "progressive.py",
        ["--gin_file=gin/demo.gin", "--gin_bindings=progressive.training = 'gone.gin'", "--workdir={here}/out"],
        "progressive.training: expected an existing gin file, found nothing at 'gone.gin' nor at '{root}/gone.gin'",
    ),
    "budget_of_one_step_for_all": (
        "progressive.py",
        ["--gin_file={one_step.gin}", "--workdir={here}/out"],
        "{one_step.gin}, line 2: expected progressive.target_gmacs, which is divided over the steps, found",
    ),
    "parts_in_one_folder": (
        "progressive.py",
        ["--gin_file={twice.gin}", "--workdir={here}/out"],
        "progressive.steps: expected gin files of different names, none called train.gin or comparison.gin",
    ),
}

# Told by what needs TensorFlow.
CASES = {
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
    "predictions_that_are_none": (
        "compare.py",
        ["--first={good.csv}", "--second={good.csv}"],
        "expected the .npz file of bin/evaluate.py, found in '{good.csv}': ",
    ),
    "output_on_no_file_system": (
        "report.py",
        ["--workdir=nowhere://bucket/run"],
        "--workdir: expected a path that can be written, found 'nowhere://bucket/run': File system scheme 'nowhere'",
    ),
}


# One process imports libraries once and forks for each mistake: every run is that of the real binary, from its flags
# on, at a tenth of the time.
DRIVER = """
import json, os, runpy, sys
for module in sys.argv[2:]:
    __import__(module)
for name, binary, arguments in json.load(open("mistakes.json")):
    child = os.fork()
    if child == 0:
        for stream, descriptor in (("out", 1), ("err", 2)):
            os.dup2(os.open(f"{name}.{stream}", os.O_WRONLY | os.O_CREAT), descriptor)
        os.chdir(sys.argv[1])
        sys.argv = [binary, *arguments]
        code = 1
        try:
            runpy.run_path(binary, run_name="__main__")
            code = 0
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.stdout.flush()
            print("TensorFlow" if "tensorflow" in sys.modules else "at once", flush=True)
            sys.stderr.flush()
            os._exit(code or 0)
    print(json.dumps([name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]), flush=True)
"""
LIBRARIES = ("apache_beam", "gin", "keras", "orbit", "rich", "tensorflow")


def smallest_of_the_demo():
    """As the demo's settings have it, with the two classes of the data set made here."""
    gin.clear_config()
    gin.add_config_file_search_path(str(ROOT))
    gin.parse_config_file(str(ROOT / "gin" / "demo" / "sparse.gin"))
    space = only(gin.query_parameter("search.space").scoped_configurable_fn(), ("sparse",))
    gin.clear_config()
    return complexity(smallest(dataclasses.replace(space, classes=2))).gmacs


def outcomes_of(folder, cases, libraries):
    """Name of a mistake to its exit code, standard error, output and expected message; files before and after."""
    fill = {**make_inputs(folder / "inputs"), "smallest": f"{smallest_of_the_demo():.4g}"}

    def filled(text):
        for key, value in fill.items():
            text = text.replace("{" + key + "}", value)
        return text

    mistakes = [
        (name, str(ROOT / "bin" / binary), [filled(a) for a in arguments])
        for name, (binary, arguments, _) in cases.items()
    ]
    (folder / "mistakes.json").write_text(json.dumps(mistakes))
    (folder / "elsewhere").mkdir()
    before = sorted(os.listdir(folder / "inputs"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DRIVER, str(folder / "elsewhere"), *libraries],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    codes = dict(map(json.loads, done.stdout.splitlines()))
    found = {
        name: (codes[name], (folder / f"{name}.err").read_text(), (folder / f"{name}.out").read_text(), filled(case[2]))
        for name, case in cases.items()
    }
    return found, before, sorted(os.listdir(folder / "inputs")) + os.listdir(folder / "elsewhere")


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    return outcomes_of(tmp_path_factory.mktemp("at_once"), AT_ONCE, ["absl.app", "gin", "rich.progress"])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return outcomes_of(tmp_path_factory.mktemp("mistakes"), CASES, LIBRARIES)


def assert_one_line(code, error, output, message):
    assert code == 2, error
    assert error.startswith("error: ") and error.count("\n") == 1, error
    assert message in error
    assert "Traceback" not in output


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_one_line(outcomes, name):
    assert_one_line(*outcomes[0][name])


@pytest.mark.parametrize("name", AT_ONCE)
def test_mistake_in_flags_and_settings_is_told_before_tensorflow_is_imported(at_once, name):
    assert_one_line(*at_once[0][name])
    assert at_once[0][name][2] == "at once\n"


def test_mistakes_leave_nothing_behind(at_once, outcomes):
    for _, before, after in (at_once, outcomes):
        assert after == before


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
    assert ast.get_docstring(ast.parse((ROOT / "bin" / binary).read_text())).split("\n", 1)[0] in done.stdout
