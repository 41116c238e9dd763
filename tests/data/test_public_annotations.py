"""Kinetics' and Something-Something's annotations in the form in which they are published."""

import collections
import itertools
import json

import pytest

from tsnet_tf.data import annotations
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.sources import kinetics, something_something
from tsnet_tf.errors import UserError

TRAIN = """label,youtube_id,time_start,time_end,split
"testifying","---QUuC4vJs",84,94,train
"eating spaghetti","--3ouPhoy2A",20,30,train
"dribbling basketball","--4-0ihtnBU",58,68,train
"""
VALIDATE = """label,youtube_id,time_start,time_end,split
testifying,-_ABcdef012,3,13,validate
dribbling basketball,xyzXYZ_-_09,1200,1210,validate
"""
TEST = """youtube_id,time_start,time_end,split
a0a0a0a0a0a,0,10,test
"""


@pytest.fixture
def clips(tmp_path):
    """A folder of clips, flat and nested by class, with what else is found in such folders."""
    folder = tmp_path / "clips"
    for name in (
        "testifying/---QUuC4vJs_000084_000094.mp4",
        "train/eating spaghetti/--3ouPhoy2A_000020_000030.mkv",
        "-_ABcdef012_000003_000013.webm",
        "-_ABcdef012_000003_000013.info",
        "xyzXYZ_-_09_001200_001210.unknown",
        ".cache/--4-0ihtnBU_000058_000068.mp4",
        "README.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return str(folder)


def _write(folder, **files):
    for name, text in files.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in files]


def test_kinetics_clips_are_found_wherever_they_are(tmp_path, clips):
    paths = _write(tmp_path, train=TRAIN, validate=VALIDATE)
    assert kinetics.read(paths, clips) == [
        Annotation("--4-0ihtnBU_000058_000068.mp4", "dribbling basketball", "train"),  # is not there, will be rejected
        Annotation("-_ABcdef012_000003_000013.webm", "testifying", "validation"),
        Annotation("testifying/---QUuC4vJs_000084_000094.mp4", "testifying", "train"),
        Annotation("train/eating spaghetti/--3ouPhoy2A_000020_000030.mkv", "eating spaghetti", "train"),
        Annotation("xyzXYZ_-_09_001200_001210.unknown", "dribbling basketball", "validation"),
    ]


def test_rows_without_a_label_are_left_out_and_counted(tmp_path, clips, capsys):
    paths = _write(tmp_path, train=TRAIN, test=TEST)
    assert {a.split for a in kinetics.read(paths, clips)} == {"train"}
    assert capsys.readouterr().err == "warning: 1 row has no label, as test splits may; not prepared\n"
    with pytest.raises(UserError, match="--kinetics: expected rows with a label in .*test, found none"):
        kinetics.read(paths[1:], clips)


@pytest.mark.parametrize(
    "text, message",
    [
        ("label,youtube_id,split\na,b,train\n", r"--kinetics: expected the columns .* \(no time_start, time_end\)"),
        (TRAIN.replace("84", "later"), "expected time_start and time_end in seconds in line 2 of .*'later' and '94'"),
        (TRAIN.replace("84", "inf"), "expected time_start and time_end in seconds in line 2 of .*'inf' and '94'"),
        (TRAIN.replace("94,train", "94,holdout"), "expected the split train, validation, test in line 2 .*'holdout'"),
        (TRAIN + TRAIN.splitlines()[1].replace("train", "test"), "'testifying' in train and, in line 5 of .* in test"),
    ],
)
def test_a_faulty_kinetics_file_is_named_with_the_fault(tmp_path, clips, text, message):
    with pytest.raises(UserError, match=message):
        kinetics.read(_write(tmp_path, train=text), clips)


def test_the_same_clip_twice_counts_once(tmp_path, clips):
    assert len(kinetics.read(_write(tmp_path, train=TRAIN, again=TRAIN), clips)) == 3


SOMETHING = {
    "something-something-v2-train.json": [
        {
            "id": "78687",
            "label": "holding potato next to vicks vaporub bottle",
            "template": "Holding [something] next to [something]",
            "placeholders": ["potato", "vicks vaporub bottle"],
        },
        {
            "id": 42326,
            "label": "pushing a cup from left to right",
            "template": "Pushing [something] from left to right",
        },
    ],
    "something-something-v2-validation.json": [
        {"id": "74225", "template": "Putting [something similar to other things that are already on the table]"}
    ],
    "something-something-v2-test.json": [{"id": "1420"}, {"id": "3408"}],
    "labels.json": {
        "Holding something next to something": "0",
        "Pushing something from left to right": "1",
        "Putting something similar to other things that are already on the table": "2",
    },
}


@pytest.fixture
def something(tmp_path):
    for name, content in SOMETHING.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def _json(folder, *splits):
    return [str(folder / f"something-something-v2-{split}.json") for split in splits]


def test_something_something_gives_templates_without_brackets(something):
    assert something_something.read(_json(something, "train", "validation")) == [
        Annotation("42326.webm", "Pushing something from left to right", "train"),
        Annotation(
            "74225.webm", "Putting something similar to other things that are already on the table", "validation"
        ),
        Annotation("78687.webm", "Holding something next to something", "train"),
    ]


def test_the_test_split_without_labels_is_left_out_and_counted(something, capsys):
    assert len(something_something.read(_json(something, "train", "test"))) == 2
    assert capsys.readouterr().err.startswith("warning: 2 entries have no label")
    with pytest.raises(UserError, match="expected entries with a template in .*test.json, found none"):
        something_something.read(_json(something, "test"))


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("train.json", "{}", "expected a JSON list in .*train.json', found dict"),
        ("train.json", "[", "expected a JSON list in .*train.json', found Expecting value"),
        ("train.json", '[{"template": "a"}]', "expected an object with an id in entry 1 of .*train.json'"),
        ("train.json", '[{"id": "1", "template": 5}]', "expected a template in words in entry 1 of .*, found 5"),
        ("all.json", "[]", "expected one of train, validation, test in the file's name, found 'all.json'"),
    ],
)
def test_a_faulty_something_something_file_is_named_with_the_fault(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"--something_something: {message}"):
        something_something.read([str(tmp_path / name)])


def test_labels_json_gives_the_published_indices(something):
    labels = annotations.read_labels(str(something / "labels.json"))
    assert labels == list(SOMETHING["labels.json"])
    (something / "labels.json").write_text('{"a": "0", "b": "2"}')
    with pytest.raises(UserError, match="--labels: expected .* an object with the indices 0 to 1, each once, in "):
        annotations.read_labels(str(something / "labels.json"))


def test_splits_labels_and_counts_do_not_depend_on_the_order_of_the_files(tmp_path, clips, something):
    for read, paths in (
        (lambda p: kinetics.read(p, clips), _write(tmp_path, train=TRAIN, validate=VALIDATE)),
        (something_something.read, _json(something, "train", "validation", "test")),
    ):
        found = [read(list(order)) for order in itertools.permutations(paths)]
        assert all(other == found[0] for other in found)
        maps = [annotations.label_map(other[::-1]) for other in found]
        assert all(labels == sorted(labels) == maps[0] for labels in maps)
        assert collections.Counter(a.split for a in found[0]) == (
            {"train": 3, "validation": 2} if "train" in paths[0].split("/")[-1][:5] else {"train": 2, "validation": 1}
        )


CLASSES = [Annotation(f"{n}.mp4", f"class {n % 400}", "train" if n < 800 else "validation") for n in range(1200)]


def test_a_seed_draws_the_same_classes_from_any_order():
    drawn = annotations.draw_classes(CLASSES, 100, seed=0)
    assert len(set(drawn)) == 100 and drawn == sorted(drawn)
    assert drawn == annotations.draw_classes(CLASSES[::-1], 100, seed=0)
    assert drawn == annotations.draw_classes(CLASSES[800:], 100, seed=0)  # from one split as from all
    others = annotations.draw_classes(CLASSES, 100, seed=1)
    assert 5 < len(set(drawn) & set(others)) < 50  # a quarter by chance: 25
    kept = annotations.of_classes(CLASSES, drawn)
    assert len(kept) == 300 and {a.label for a in kept} == set(drawn)


def test_classes_that_are_not_there_are_an_error():
    with pytest.raises(UserError, match="--random_classes: expected at most the 400 classes .*, found 401"):
        annotations.draw_classes(CLASSES, 401, seed=0)
    with pytest.raises(
        UserError, match="--classes: expected classes of the annotations, found 1 that are none: 'juggl"
    ):
        annotations.of_classes(CLASSES, ["class 1", "juggling"])
