"""Spaces that a user makes: by settings of Table 1, as a JSON file, as a Python file; and how bad ones are refused."""

import dataclasses
import json
import pathlib
import re

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space import genotype, two_stream, validation
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.table1 import table1

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Other frames, ratio of the streams, stages, widths, kernels, fusions and places of attention than the paper's.
MINE = table1(
    name="mine",
    resolution=32,
    sparse_frames=3,
    dense_frames=12,
    depths=((2,), (1, 1), (1, 2)),
    stem_channels=(12, 4),
    sparse_channels=((16, 24, 4), (32, 48, 16), (64, 64, 2)),
    dense_channels=((4, 8, 2), (8, 8, 2), (16, 24, 8)),
    expansions=(1.0, 2.0, 0.5),
    temporal_kernels=(1, 7),
    spatial_kernels=(3, 5, 7),
    fusions=("none", "time_strided_conv"),
    attention_stages=(1, 3),
    attention_places=1,
)
PYTHON = """
import dataclasses
from tsnet_tf.space.table1 import table1

SPACE = table1(name="by_python", resolution=64, sparse_frames=2, dense_frames=8)
# Attention only after the very first group of the dense stream.
first, *others = SPACE.dense.groups
groups = [dataclasses.replace(first, attention=(False, True))]
groups += [dataclasses.replace(g, attention=(False,)) for g in others]
SPACE = dataclasses.replace(
    SPACE, streams=(SPACE.sparse, dataclasses.replace(SPACE.dense, groups=tuple(groups)))
)
"""


def test_settings_reach_every_part():
    labels = {c.label: c.values for c in two_stream.choices(MINE)}
    assert labels["sparse/s1/g1/channels"] == (16, 20, 24) and labels["dense/s3/g2/channels"] == (16, 24)
    assert labels["dense/s2/g1/expansion"] == (1.0, 1.5, 2.0) and labels["dense/s2/g1/temporal_kernel"] == (1, 7)
    assert labels["sparse/s2/g2/fusion"] == ("none", "time_strided_conv")
    assert sorted(label for label in labels if label.endswith("attention")) == [
        f"{stream}/{place}/attention" for stream in ("dense", "sparse") for place in ("s1/g1", "s3/g2")
    ]
    assert "sparse/s3/g1/channels" not in labels  # one candidate: nothing to choose
    assert 0 < complexity(smallest(MINE)).gmacs < complexity(largest(MINE)).gmacs


def test_a_space_in_a_json_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(genotype.dumps(MINE), encoding="utf-8")
    assert genotype.load_space(str(path)) == MINE


def test_a_space_in_a_python_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PYTHON, encoding="utf-8")
    space = genotype.load_space(str(path))
    assert space.name == "by_python" and space.frames == 8
    assert [c.label for c in two_stream.choices(space) if c.label.startswith("dense") and c.kind == "attention"] == [
        "dense/s1/g1/attention"
    ]


def with_groups(change):
    """MINE with its sparse stream's groups changed."""
    sparse = dataclasses.replace(MINE.sparse, groups=tuple(change(list(MINE.sparse.groups))))
    return dataclasses.replace(MINE, streams=(sparse, MINE.dense))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: validation.validate(with_groups(lambda g: [g[1], g[0], *g[2:]])),
            "expected the stages in order, so that labels do not overlap, found 2, 1, 2, 3, 3",
        ),
        (
            lambda: validation.validate(dataclasses.replace(MINE, streams=(MINE.sparse, MINE.sparse))),
            "expected streams sparse or sparse, dense; found sparse, sparse",
        ),
        (
            lambda: genotype.loads(
                genotype.dumps(MINE).replace('"depth": 2', '"depth": 2, "depth": 2', 1), "mine.json"
            ),
            "mine.json: expected JSON, found the label 'depth' twice in one object",
        ),
        (
            lambda: table1(expansions=(1.5, 6.0, 1.0)),
            r"expansions, \(min, max, step\): expected steps of 1 from 1.5 that reach 6, found 5.5 as the last",
        ),
        (
            lambda: table1(dense_channels=((8, 16, 6), (8, 24, 8), (16, 32, 8), (32, 56, 8))),
            "expected steps of 6 from 8 that reach 16, found 14 as the last",
        ),
        (lambda: table1(spatial_kernels=(3, 4)), "sparse/s1/g1/spatial_kernel: expected an odd whole number, found 4"),
        (
            lambda: table1(sparse_frames=5),
            "expected the dense frames to be a multiple of the sparse frames, found 32 and 5",
        ),
        (
            lambda: table1(sparse_channels=((33, 49, 8), (64, 88, 8), (128, 176, 16), (248, 344, 24))),
            "sparse/s1/g1/channels: expected an even whole number above 0, found 33",
        ),
        (
            lambda: table1(depths=((1,),) * 5),
            r"sparse_channels: expected one \(min, max, step\) for each of 5 stages, found 4",
        ),
    ],
)
def test_a_space_that_cannot_be_is_refused_in_one_line(make, message):
    with pytest.raises(UserError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "expected a .json or .py file with a space, found nothing at"),
        ("SPACE = 3", "expected SPACE, a tsnet_tf.space.two_stream.Space, found int"),
        ("", "expected SPACE, a tsnet_tf.space.two_stream.Space, found NoneType"),
        ("SPACE = tabel1()", "expected a Python file that runs, found NameError: name 'tabel1' is not defined"),
        ("SPACE = (", "expected a Python file that runs, found SyntaxError"),
        (PYTHON.replace("dense_frames=8", "dense_frames=7"), "expected the dense frames to be a multiple"),
    ],
)
def test_a_python_file_that_is_no_space_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        genotype.load_space(str(path))
    assert str(path) in str(error.value)


def test_json_keeps_a_space_with_settings_of_its_own():
    assert json.loads(genotype.dumps(MINE))["streams"][0]["groups"][0]["spatial_kernel"] == [3, 5, 7]


def test_examples_of_the_documentation_are_spaces_and_every_label_is_explained(tmp_path):
    """Of the Python file: 2.25 and less are gone from the first stage. Of the JSON file: 2^4 x 3 x 2 remain."""
    text = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")
    (tmp_path / "my_space.py").write_text(re.search(r"^# my_space\.py\n(.*?)```", text, re.S | re.M)[1])
    (tmp_path / "my_space.json").write_text(re.search(r"^\{.*?^\}", text, re.S | re.M)[0])
    found = genotype.load_space(str(tmp_path / "my_space.py"))
    assert min(found.sparse.groups[0].expansion) == 3.0 and min(found.sparse.groups[1].expansion) == 1.5
    space = genotype.load_space(str(tmp_path / "my_space.json"))
    assert two_stream.size(space) == 2**4 * 3 * 2
    for kind in (two_stream.Space, two_stream.Stream, two_stream.Group):
        for field in dataclasses.fields(kind):
            assert f"`{field.name}`" in text or field.name in ("name", "notes", "groups"), field.name
