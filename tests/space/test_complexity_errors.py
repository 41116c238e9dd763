"""Mistakes in a user's space, through the command line: one line, exit code 2, no traceback."""

import json
import pathlib
import subprocess
import sys

import pytest

from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, pick, values_of

ROOT = pathlib.Path(__file__).resolve().parents[2]

SETTINGS = {
    "depths = ()": "depths: expected a list with at least one entry, found ()",
    "depths = ((1,), ())": "depths, stage 2: expected a list with at least one entry, found ()",
    "depths = (1, 2, 3, 4)": "depths, stage 1: expected a list with at least one entry, found 1",
    "depths = ((0,), (1,))": "depth: expected a whole number above 0, found 0",
    "stem_channels = (24,)": "stem_channels: expected two whole numbers above 0, found (24,)",
    "sparse_channels = 5": "expected several values in brackets for table1.sparse_channels, found 5",
    "sparse_channels = ((32, 48),) * 4": "",  # gin reads no arithmetic
    "sparse_channels = ((32, 48), (64, 88), (128, 176), (248, 344))": "expected (min, max, step), found (32, 48)",
    "expansions = (1.5, 6.0)": "expansions: expected (min, max, step), found (1.5, 6.0)",
    "expansions = ('a', 'b', 'c')": "expansions: expected (min, max, step), found ('a', 'b', 'c')",
    "expansions = (1.5, 6.0, 1.0)": "expected steps of 1 from 1.5 that reach 6, found 5.5 as the last",
    "expansions = (0.001, 0.001, 1)": "expected at least one inner channel, found 0.001 x 32 channels",
    "temporal_kernels = 3": "expected several values in brackets for table1.temporal_kernels, found 3",
    "temporal_kernels = (1, 2)": "temporal_kernel: expected an odd whole number, found 2",
    "spatial_kernels = None": "expected several values in brackets for table1.spatial_kernels, found None",
    "fusions = 'none'": "expected several values in brackets for table1.fusions, found 'none'",
    "fusions = ('foo',)": "fusion: expected one of none, time_to_channel",
    "attention_stages = ('s3',)": "attention_stages: expected stages from 1 to 4, found ('s3',)",
    "attention_stages = (9,)": "attention_stages: expected stages from 1 to 4, found (9,)",
    "attention_places = -1": "attention_places: expected a whole number from 0, found -1",
    "sparse_width = 0": "sparse_width: expected a number above 0, up to 100, found 0",
    "dense_width = 'a'": "expected a number for table1.dense_width, found 'a'",
    "sparse_frames = 0": "sparse stream: frames: expected a whole number above 0, found 0",
    "sparse_frames = 5": "expected the dense frames to be a multiple of the sparse frames, found 32 and 5",
    "resolution = 1e308": "expected a whole number for table1.resolution, found 1e+308",
    "resolution = @table1()": "",
    "glore_ratio = 1e300": "glore_ratio: expected a number above 0 and up to 100, found 1e+300",
    "name = 5": "expected a text for table1.name, found 5",
    "kernels = 3": "",  # no such setting
}


def mistake(*arguments):
    """The one line that ``bin/complexity.py`` says."""
    command = [sys.executable, str(ROOT / "bin" / "complexity.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout, done
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings(setting):
    assert SETTINGS[setting] in mistake("--space=table1", f"--gin_bindings=table1.{setting}")


def change_stream(**values):
    return lambda space: space["streams"][0].update(values)


def change_group(**values):
    return lambda space: space["streams"][0]["groups"][0].update(values)


FILES = {
    "even_kernel_in_the_stem": (change_stream(stem_temporal_kernel=4), "stem_temporal_kernel: expected an odd whole"),
    "name_of_a_stream": (change_stream(name=["sparse"]), "expected streams sparse or sparse, dense; found ['sparse']"),
    "float_depth": (change_group(depth=1.0), "depth: expected a whole number above 0, found 1.0"),
    "list_as_stage": (change_group(stage=[1]), "group 1: stage: expected a whole number above 0, found [1]"),
    "float_channels": (change_group(channels=38.0), "channels: expected an even whole number above 0, found 38.0"),
    "huge_width": (lambda space: space.update(hidden=10**400), "hidden: expected a whole number above 0, found 1000"),
    "no_streams": (lambda space: space.update(streams=[]), "expected streams sparse or sparse, dense; found none"),
    "number_as_note": (lambda space: space.update(notes=[5]), "notes: expected a tuple of texts, found (5,)"),
    "other_stride": (change_group(stride=1), "found stage 1 stride 1, stage 1 stride 1"),
}


@pytest.mark.parametrize("flag", ["--space", "--genotype"])
@pytest.mark.parametrize("case", FILES)
def test_json_files(tmp_path, case, flag):
    change, message = FILES[case]
    space = json.loads(genotype.dumps(smallest(table1())))
    change(space)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(space))
    said = mistake(f"{flag}={path}")
    assert message in said and str(path) in said


@pytest.mark.parametrize(
    "content, message",
    [(b"\xff\xfe", "expected a text file, found"), (b"[" * 100_000, "expected JSON, found"), (b"{", "expected JSON")],
)
def test_files_that_are_no_json(tmp_path, content, message):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    assert message in mistake(f"--genotype={path}")


@pytest.mark.parametrize(
    "text, message",
    [
        ("import sys\nsys.exit(0)", "expected a Python file that runs, found SystemExit: 0"),
        ("from tsnet_tf.space.table1 import table1\nSPACE = table1(depths=3)", "depths: expected a list"),
        (
            "import dataclasses\nfrom tsnet_tf.space.table1 import table1\n"
            "SPACE = dataclasses.replace(table1(), streams=None)",
            "streams: expected a tuple of Streams, found None",
        ),
    ],
)
def test_python_files(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert message in mistake(f"--space={path}")


@pytest.mark.parametrize("arguments", [["--space=table1", "--resolution=224"], ["--published", "--frames=8"]])
def test_flags_that_would_do_nothing(arguments):
    assert "--resolution and --frames: expected with --genotype only" in mistake(*arguments)


def test_names_may_look_like_markup_and_files_may_print(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from tsnet_tf.space.table1 import table1\nprint('hello')\nSPACE = table1(name='[/foo] [bold]b')\n")
    command = [sys.executable, str(ROOT / "bin" / "complexity.py"), f"--space={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[/foo] [bold]b: ") and "hello" not in done.stdout


def test_a_closed_pipe_is_no_traceback():
    command = f"{sys.executable} {ROOT}/bin/complexity.py --genotype=x3d_s --json | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert not done.stderr


def test_the_dearest_and_the_cheapest_fusion_do_not_depend_on_the_order():
    """With 8 dense frames to a sparse one, time to channel is the dearest: 8 C inputs against 5 x 2 C and 2 C."""
    orders = [("time_to_channel", "time_strided_conv"), ("time_strided_conv", "time_to_channel")]
    for extreme in (smallest, largest):
        one, other = (values_of(extreme(table1(fusions=fusions))) for fusions in orders)
        assert one == other
    space = table1(depths=((1,),))
    dearest = complexity(largest(space)).gmacs
    [fusion] = [c for c in choices(space) if c.kind == "fusion"]
    for kind in fusion.values:
        assert complexity(pick(space, {**values_of(largest(space)), fusion.label: kind})).gmacs <= dearest
