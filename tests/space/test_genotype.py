"""Genotypes as JSON: a round trip, and every way in which a file can be wrong."""

import json
import random

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.space import genotype, two_stream
from tsnet_tf.space.table1 import table1

SPACE = table1(name="small", sparse_width=0.25, dense_width=0.375, depths=((1,), (1,), (1,), (1,)))


def random_genotype(seed=0):
    draw = random.Random(seed)
    return two_stream.pick(SPACE, {c.label: draw.choice(c.values) for c in two_stream.choices(SPACE)})


def edited(change):
    data = json.loads(genotype.dumps(random_genotype()))
    change(data)
    return json.dumps(data)


def first_group(data):
    return data["streams"][0]["groups"][0]


def test_round_trip_of_a_genotype(tmp_path):
    found = random_genotype()
    path = tmp_path / "genotype.json"
    path.write_text(genotype.dumps(found), encoding="utf-8")
    assert genotype.load(str(path)) == found
    assert two_stream.values_of(genotype.load(str(path))) == two_stream.values_of(found)


def test_round_trip_of_a_space():
    assert genotype.loads(genotype.dumps(SPACE)) == SPACE
    assert genotype.dumps(genotype.loads(genotype.dumps(SPACE))) == genotype.dumps(SPACE)


def test_a_value_is_plain_and_an_open_variable_is_a_list():
    closed, opened = (json.loads(genotype.dumps(space)) for space in (random_genotype(), SPACE))
    assert first_group(closed)["channels"] in (8, 10, 12)
    assert first_group(opened)["channels"] == [8, 10, 12]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "it.json: expected JSON, found Expecting property name"),
        ("[]", r"it.json: expected an object, found \[\]"),
        (edited(lambda d: d.update(colour=1)), "it.json: unknown label 'colour', expected name, resolution, streams"),
        (edited(lambda d: d.pop("classes")), "it.json: expected the label 'classes', found name, resolution"),
        (edited(lambda d: d.update(streams=1)), "it.json: streams: expected a list, found 1"),
        (
            edited(lambda d: d["streams"][0].pop("frames")),
            "it.json: stream: expected the label 'frames', found name, stem_channels",
        ),
        (
            edited(lambda d: first_group(d).update(kernel=3)),
            "it.json: sparse stream, group 1: unknown label 'kernel', expected stage, depth, stride",
        ),
        (
            edited(lambda d: first_group(d).pop("expansion")),
            "it.json: sparse stream, group 1: expected the label 'expansion', found stage, depth",
        ),
        (
            edited(lambda d: first_group(d).update(fusion="sum")),
            "it.json: space 'small': sparse/s1/g1/fusion: expected one of none, .*, found 'sum'",
        ),
        (
            edited(lambda d: first_group(d).update(temporal_kernel=4)),
            "it.json: space 'small': sparse/s1/g1/temporal_kernel: expected an odd whole number, found 4",
        ),
        (
            edited(lambda d: first_group(d).update(channels="many")),
            "it.json: space 'small': sparse/s1/g1/channels: expected an even whole number above 0, found 'many'",
        ),
        (
            edited(lambda d: first_group(d).update(depth="two")),
            "sparse/s1/g1: depth: expected a whole number above 0, found 'two'",
        ),
        (
            edited(lambda d: d["streams"][0].update(groups=3)),
            "it.json: sparse stream: groups: expected a list, found 3",
        ),
        (edited(lambda d: first_group(d).update(channels=None)), "expected an even whole number above 0, found None"),
        (edited(lambda d: first_group(d).update(channels={"a": 1})), "expected an even whole number above 0, found"),
        (
            edited(lambda d: d["streams"][0].update(frames="four")),
            "it.json: .*sparse stream: frames: expected a whole number above 0, found 'four'",
        ),
        (edited(lambda d: d.update(hidden="wide")), "it.json: .*hidden: expected a whole number above 0, found 'wide'"),
    ],
)
def test_a_wrong_file_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        genotype.loads(text, "it.json")


def test_an_open_variable_is_not_a_genotype(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(genotype.dumps(SPACE), encoding="utf-8")
    with pytest.raises(UserError) as error:
        genotype.load(str(path))
    assert str(error.value) == (
        f"{path}: expected one value for every variable, found 3 for sparse/s1/g1/temporal_kernel"
    )


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="expected a genotype file or one of: .*; found 'x3d_z'"):
        genotype.load("x3d_z")
