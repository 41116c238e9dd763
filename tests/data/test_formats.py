"""Annotation files in the forms in which they are published: excerpts written for these tests, whole and spoilt."""

import collections
import itertools
import json
import os

import pytest
import tensorflow as tf

from tsnet_tf.data import annotations
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.sources import FORMATS, formats, path_label
from tsnet_tf.errors import UserError


def train(path, label):
    return Annotation(path, label, "train")


def validation(path, label):
    return Annotation(path, label, "validation")


def test(path, label):
    return Annotation(path, label, "test")


test.__test__ = False

DIVES = {
    "Diving48_V2_train.json": [
        {"vid_name": "xYz-01_00000", "label": 1, "start_frame": 0, "end_frame": 131},
        {"vid_name": "xYz-01_00003", "label": 0, "start_frame": 10, "end_frame": 99},
    ],
    "Diving48_V2_test.json": [{"vid_name": "_aBc_00012", "label": 1, "start_frame": 0, "end_frame": 60}],
}
NET = {
    "version": "VERSION 1.3",
    "taxonomy": [{"nodeName": "Juggling balls", "nodeId": 3, "parentName": "Root", "parentId": 0}],
    "database": {
        "aaaaaaaaaaa": {
            "duration": 82.73,
            "subset": "training",
            "annotations": [
                {"segment": [6.195, 30.0], "label": "Juggling balls"},
                {"segment": [40.25, 75.31999], "label": "Drinking tea"},
            ],
        },
        "bbbbbbbbbbb": {
            "duration": 20.0,
            "subset": "validation",
            "annotations": [{"segment": [0, 20], "label": "Drinking tea"}],
        },
        "ccccccccccc": {"duration": 99.5, "subset": "testing", "annotations": []},
    },
}
HEADER = "label,youtube_id,time_start,time_end,split"
# Format: files, what is found in them, and what is said. Labels of numbers get the names "run" and "walk".
EXCERPTS = {
    "path_label": (
        {
            "kinetics_train_list.txt": "run/a.mp4 0\nrun/b 2.mp4 0\n\nwalk/c.mp4 1\n",
            "kinetics_val_list.txt": "walk/d.mp4 1\n",
        },
        [
            train("run/a.mp4", "run"),
            train("run/b 2.mp4", "run"),
            train("walk/c.mp4", "walk"),
            validation("walk/d.mp4", "walk"),
        ],
        "",
    ),
    "kinetics": (
        {
            "train.csv": HEADER + ',is_cc\n"acting in play","-0aBcD_eF01",7.0,17.0,train,0\n',
            "val.csv": HEADER + "\nacting in play,zzzzzzzzzzz,120,130,val\n",
            "test.csv": "youtube_id,time_start,time_end,split\nyyyyyyyyyyy,0,10,holdout_test\n",
        },
        [
            train("-0aBcD_eF01_000007_000017.mp4", "acting in play"),
            validation("zzzzzzzzzzz_000120_000130.mp4", "acting in play"),
        ],
        "warning: 1 row has no label, as test splits may; not prepared\n",
    ),
    "something_something": (
        {
            "something-train.json": [{"id": "78", "template": "Lifting [something]"}],
            "something-validation.json": [{"id": "9", "template": "Lifting [something]"}],
        },
        [train("78.webm", "Lifting something"), validation("9.webm", "Lifting something")],
        "",
    ),
    "ucf101": (
        {
            "trainlist01.txt": "Archery/v_Archery_g08_c01.avi 3\nBiking/v_Biking_g09_c02.avi 11\n",
            "testlist01.txt": "Archery/v_Archery_g01_c01.avi\n",
        },
        [
            train("Archery/v_Archery_g08_c01.avi", "Archery"),
            train("Biking/v_Biking_g09_c02.avi", "Biking"),
            test("Archery/v_Archery_g01_c01.avi", "Archery"),
        ],
        "",
    ),
    "hmdb51": (
        {
            "brush_hair_test_split1.txt": "My_hair_brush_hair_u_nm_0.avi 1 \nother_hair.avi 0 \nlong.avi 2 \n",
            "wave_test_split1.txt": "hello_wave_u_nm_np1_fr_med_2.avi 1 \n",
        },
        [
            train("brush_hair/My_hair_brush_hair_u_nm_0.avi", "brush_hair"),
            test("brush_hair/long.avi", "brush_hair"),
            train("wave/hello_wave_u_nm_np1_fr_med_2.avi", "wave"),
        ],
        "warning: 1 video is in neither training nor test; not prepared\n",
    ),
    "activitynet": (
        {"activity_net.v1-3.json": NET},
        [
            train("v_aaaaaaaaaaa.mp4#t=40.25,75.32", "Drinking tea"),
            train("v_aaaaaaaaaaa.mp4#t=6.195,30", "Juggling balls"),
            validation("v_bbbbbbbbbbb.mp4#t=0,20", "Drinking tea"),
        ],
        "warning: 1 video has no annotations, as test subsets may; not prepared\n",
    ),
    "diving48": (
        DIVES,
        [
            test("_aBc_00012.mp4#frames=0,60", "walk"),
            train("xYz-01_00000.mp4#frames=0,131", "walk"),
            train("xYz-01_00003.mp4#frames=10,99", "run"),
        ],
        "",
    ),
    "jester": (
        {
            "jester-v1-train.csv": "34870;Drumming Fingers\n56557;Sliding Two Fingers Right\n",
            "jester-v1-validation.csv": "9223;Drumming Fingers\n",
            "jester-v1-test.csv": "1420\n3408\n",
        },
        [
            train("34870", "Drumming Fingers"),
            train("56557", "Sliding Two Fingers Right"),
            validation("9223", "Drumming Fingers"),
        ],
        "warning: 2 lines have no label, as the test split has none; not prepared\n",
    ),
}


def write(folder, files, change=lambda text: text):
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_bytes(change(text).encode())
    return [str(folder / name) for name in files]


def given(folder, name=None, **settings):
    defaults = {
        "names": ["run", "walk"],
        "frame_rate": 12.0 if name == "jester" else None,
        "split_seed": 0,
        "group_of": lambda path: path,
        "known": (),
    }
    return formats.Given(str(folder), **{**defaults, **settings})


def test_every_format_has_a_reader_and_an_excerpt():
    assert tuple(formats.READERS) == FORMATS
    assert {*EXCERPTS, "csv", "tfrecords"} == set(FORMATS)


@pytest.mark.parametrize("name", EXCERPTS)
def test_an_excerpt_gives_its_ids_labels_and_splits(tmp_path, name, capsys):
    files, expected, said = EXCERPTS[name]
    paths = write(tmp_path, files)
    expected = sorted(expected)
    assert formats.read(paths, None, given(tmp_path, name)) == expected
    assert capsys.readouterr().err == said
    assert formats.read(paths, name, given(tmp_path, name)) == expected
    for order in itertools.permutations(paths):
        assert formats.read(order, None, given(tmp_path, name)) == expected
    assert formats.read([str(tmp_path / "*")], None, given(tmp_path, name)) == expected


@pytest.mark.parametrize("name", EXCERPTS)
def test_line_ends_and_byte_order_marks_change_nothing(tmp_path, name):
    files, expected, _ = EXCERPTS[name]
    for change in (
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
    ):
        assert formats.read(write(tmp_path, files, change), None, given(tmp_path, name)) == sorted(expected)


@pytest.mark.parametrize("name", EXCERPTS)
def test_the_same_file_twice_counts_once(tmp_path, name):
    files, expected, _ = EXCERPTS[name]
    copies = {f"{'' if name == 'hmdb51' else 'again_'}{file}": content for file, content in files.items()}
    (tmp_path / "again").mkdir()
    paths = write(tmp_path, files) + write(tmp_path / "again", copies)
    assert formats.read(paths, name, given(tmp_path, name)) == sorted(expected)


def test_labels_without_names_stay_numbers(tmp_path):
    for name, numbers in (("path_label", {"0", "1"}), ("diving48", {"0", "1"})):
        found = formats.read(write(tmp_path, EXCERPTS[name][0]), name, given(tmp_path, names=None))
        assert {video.label for video in found} == numbers


@pytest.mark.parametrize(
    "text",
    [
        "a b.mp4,0\nc.mp4,1\n",
        "a b.mp4\t0\nc.mp4\t1\n",
        "a b.mp4 0\nc.mp4 1\n",
        "a b.mp4; 0\nc.mp4; 1\n",
        "a b.mp4   0\nc.mp4 1\n",
    ],
)
def test_any_separator_of_a_list_is_found(tmp_path, text):
    paths = write(tmp_path, {"train.csv": text})
    assert formats.read(paths, None, given(tmp_path)) == [train("a b.mp4", "run"), train("c.mp4", "walk")]


def test_a_list_may_have_labels_in_words(tmp_path):
    paths = write(tmp_path, {"train.txt": "a.mp4,open  door\nb.mp4,run\n"})
    assert formats.read(paths, None, given(tmp_path)) == [train("a.mp4", "open door"), train("b.mp4", "run")]
    paths = write(tmp_path, {"train.txt": "a,1.mp4 0\na,2.mp4 1\n"})
    assert formats.read(paths, None, given(tmp_path)) == [train("a,1.mp4", "run"), train("a,2.mp4", "walk")]


def test_a_list_that_says_no_split_is_split_by_seed(tmp_path):
    lines = "".join(f"{label}/{number}.mp4 {label}\n" for label in (0, 1) for number in range(20))
    found = formats.read(write(tmp_path, {"mine.txt": lines}), None, given(tmp_path))
    assert collections.Counter((video.label, video.split) for video in found) == {
        (label, split): 16 if split == "train" else 2
        for label in ("run", "walk")
        for split in ("train", "validation", "test")
    }
    half = "".join(lines.splitlines(keepends=True)[::2])
    known = formats.read(write(tmp_path, {"mine.txt": half}), None, given(tmp_path))
    after = formats.read(write(tmp_path, {"mine.txt": lines}), None, given(tmp_path, known=known))
    assert set(known) < set(after)


def test_a_list_of_folders_may_count_their_pictures(tmp_path):
    paths = write(tmp_path, {"train_videofolder.txt": "78687 44 0\nmy folder 12 1\n42326 1\n"})
    expected = [train("42326", "walk"), train("78687", "run"), train("my folder", "walk")]
    assert path_label.read(paths, "--annotations", names=["run", "walk"], of_folders=True) == expected


def test_a_negative_class_in_a_list_of_test_videos_is_no_class(tmp_path, capsys):
    paths = write(tmp_path, {"train.txt": "a.mp4 0\nb.mp4 1\n", "test.txt": "c.mp4 -1\n"})
    assert formats.read(paths, None, given(tmp_path)) == [train("a.mp4", "run"), train("b.mp4", "walk")]
    assert "1 row has the label -1, which no training video has" in capsys.readouterr().err


def test_names_of_classes_are_read_as_data_sets_publish_them(tmp_path):
    write(
        tmp_path,
        {"classInd.txt": "1 ApplyEyeMakeup\n2 Apply Lipstick\n", "vocab.json": [["Back", "2som"], ["In", "Dive"]]},
    )
    assert annotations.read_labels(str(tmp_path / "classInd.txt")) == ["ApplyEyeMakeup", "Apply Lipstick"]
    assert annotations.read_labels(str(tmp_path / "vocab.json")) == ["Back 2som", "In Dive"]
    write(tmp_path, {"names.txt": "1 finger\n2 fingers\n"})  # elsewhere a number is part of a name
    assert annotations.read_labels(str(tmp_path / "names.txt")) == ["1 finger", "2 fingers"]
    for text in ("2 a\n1 b\n", "1 a\nb\n", "1 a\n3 b\n"):
        write(tmp_path, {"classInd.txt": text})
        with pytest.raises(
            UserError, match="--labels: expected lines that are numbered from 1, such as '1 Archery', in"
        ):
            annotations.read_labels(str(tmp_path / "classInd.txt"))


def test_videos_of_segments_are_found_wherever_they_are(tmp_path):
    for name in ("deep/v_aaaaaaaaaaa.mkv", "bbbbbbbbbbb.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = formats.read(write(tmp_path, {"net.json": NET}), None, given(tmp_path))
    assert {video.path.split("#")[0] for video in found} == {"deep/v_aaaaaaaaaaa.mkv", "bbbbbbbbbbb.webm"}


@pytest.mark.parametrize(
    "files, message",
    [
        ({"a.json": "{}"}, "expected an object with a 'database', or a list"),
        ({"a.json": "[{"}, "expected a JSON file in '.*a.json', found Expecting"),
        ({"train.txt": "a.mp4 0\n", "b.csv": "path,label\n"}, "expected files of one format, found '.*train.txt'"),
        ({"a.txt": "some words\n"}, "expected the columns path, label in"),
        ({"a.csv": "a.mp4,run,train\n"}, "expected the columns path, label in .*, found a.mp4, run, train"),
        ({"a.csv": "path,label\na.mp4,run\n", "b.csv": "path,label\n"}, "expected one CSV file, found '.*' and '"),
    ],
)
def test_what_is_of_no_format_is_told(tmp_path, files, message):
    with pytest.raises(UserError, match=f"^--annotations: {message}"):
        formats.read(write(tmp_path, files), None, given(tmp_path))


def test_a_pattern_without_files_is_told(tmp_path):
    with pytest.raises(UserError, match="expected annotation files, found nothing like '.*split1.txt'"):
        formats.read([str(tmp_path / "*_split1.txt")], None, given(tmp_path))


def record(index=None, text=None, **context):
    """As DMVR and the Model Garden write them."""
    example = tf.train.SequenceExample()
    values = {"clip/label/index": index, "clip/label/text": text, **context}
    for name, value in values.items():
        for one in [] if value is None else value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                example.context.feature[name].bytes_list.value.append(one.encode())
            else:
                example.context.feature[name].int64_list.value.append(one)
    example.feature_lists.feature_list["image/encoded"].feature.add().bytes_list.value.append(b"jpeg")
    return example.SerializeToString()


def write_records(path, *records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in records:
            writer.write(one)
    return str(path)


def test_records_give_their_places_labels_and_splits(tmp_path, capsys):
    media_id = "clip/media_id"
    first, second = record(1, "run", **{media_id: "a"}), record(0, "walk", **{media_id: "b"})
    paths = [
        write_records(tmp_path / "train-00000-of-00002", first, second),
        write_records(tmp_path / "train-00001-of-00002", first),  # once more
        write_records(tmp_path / "val-00000-of-00002", record(0, "run"), record()),  # numbered anew
        write_records(tmp_path / "val-00001-of-00002"),
    ]
    expected = [
        train("train-00000-of-00002#byte=0", "run"),
        train(f"train-00000-of-00002#byte={len(first) + 16}", "walk"),
        validation("val-00000-of-00002#byte=0", "run"),
    ]
    assert formats.read(paths, None, given(tmp_path)) == expected
    assert capsys.readouterr().err == "warning: 1 record has no label, as test splits may; not prepared\n"
    assert formats.read(paths[::-1], "tfrecords", given(tmp_path)) != []
    elsewhere = formats.read(paths, None, given(tmp_path / "other"))
    assert [video.path for video in elsewhere] == [str(tmp_path / video.path) for video in expected]


def test_records_without_words_have_numbers(tmp_path, capsys):
    path = write_records(tmp_path / "train.tfrecord", record(1), record(0))
    assert {video.label for video in formats.read([path], None, given(tmp_path))} == {"run", "walk"}
    assert {video.label for video in formats.read([path], None, given(tmp_path, names=None))} == {"0", "1"}
    test_path = write_records(tmp_path / "test.tfrecord", record(-1))
    assert len(formats.read([path, test_path], None, given(tmp_path))) == 2
    assert "1 row has the label -1" in capsys.readouterr().err


def spoilt(name, **changes):
    """The excerpt of a format with the text of files replaced; None takes the file away."""
    files = {**EXCERPTS[name][0], **changes}
    return {file: content for file, content in files.items() if content is not None}


def net(**changes):
    video = {"subset": "training", "annotations": [{"segment": [1, 2], "label": "run"}], **changes}
    return {"net.json": {"database": {"aaa": video}}}


def dive(**changes):
    return {"train.json": [{"vid_name": "a", "label": 1, "start_frame": 0, "end_frame": 9, **changes}]}


KINETICS = HEADER + "\nrun,abc,1,11,train\n"
# Format, files, flags, message.
MALFORMED = [
    (
        "path_label",
        {"train.txt": "a.mp4 0\nb.mp4\n"},
        "expected a path and a label, such as 'videos/a.mp4 3', in line 2 of",
    ),
    ("path_label", {"train.txt": "a.mp4 0\nb.mp4 1 2\n"}, "in line 2 of '{here}/train.txt', found 'b.mp4 1 2'"),
    (
        "path_label",
        {"train.txt": "a.mp4 0\n", "val.txt": "a.mp4 1\n"},
        "found 'a.mp4' as '0' in train and, in line 1 of '{here}/val.txt', as '1'",
    ),
    (
        "path_label",
        {"train.txt": "a.mp4 0\n", "more.txt": "b.mp4 1\n"},
        "expected one of train, validation, test in the file's name, found 'more.txt'",
    ),
    ("kinetics", {"train.csv": KINETICS.replace(",time_end", "").replace(",11", "")}, "(no time_end)"),
    (
        "kinetics",
        {"train.csv": KINETICS.replace("11", "later")},
        "expected time_start and time_end in seconds in line 2 of",
    ),
    (
        "kinetics",
        {"train.csv": KINETICS.replace(",train", ",holdout")},
        "expected the split train, validation, test in line 2 of",
    ),
    (
        "ucf101",
        spoilt("ucf101", **{"testlist01.txt": "v_Archery_g01_c01.avi\n"}),
        "Archery_g08_c01.avi 3' in line 1 of '{here}/testlist01.txt'",
    ),
    (
        "ucf101",
        {"trainlist01.txt": "A/v_A_g01_c01.avi 1\nA/v_A_g01_c02.avi 2\n"},
        "expected one number per class, found 'A' with 1 and, in line 2 of",
    ),
    (
        "ucf101",
        spoilt("ucf101", **{"testlist02.txt": "Archery/v_Archery_g08_c01.avi\n"}),
        "expected one label and split per video, found 'Archery/v_Archery_g08_c01.avi'",
    ),
    (
        "hmdb51",
        {"wave_test_split1.txt": "a.avi 1\nb.avi 3\n"},
        "expected a name and 0, 1 or 2 in line 2 of '{here}/wave_test_split1.txt', found 'b.avi 3'",
    ),
    (
        "hmdb51",
        spoilt("hmdb51", **{"run_test_split2.txt": "a.avi 1\n"}),
        "expected files of one of the three splits, found",
    ),
    ("hmdb51", {"wave.txt": "a.avi 1\n"}, "expected files named as 'brush_hair_test_split1.txt', found 'wave.txt'"),
    (
        "activitynet",
        net(annotations=[{"segment": [5, 3], "label": "run"}]),
        "[begin, end] in seconds in annotation 1 of 'aaa' of '{here}/net.json', found [5, 3]",
    ),
    (
        "activitynet",
        net(annotations=[{"segment": [3, 5]}]),
        "expected a label in annotation 1 of 'aaa' of '{here}/net.json', found null",
    ),
    (
        "activitynet",
        net(subset="some"),
        "expected the subset training, validation or testing in 'aaa' of '{here}/net.json', found \"some\"",
    ),
    ("activitynet", {"net.json": {"database": [1]}}, "expected an object 'database' in '{here}/net.json', found [1]"),
    ("diving48", dive(vid_name=None), "expected an object with a vid_name in entry 1 of '{here}/train.json', found"),
    ("diving48", dive(label="Back"), "expected a class number in entry 1 of '{here}/train.json', found \"Back\""),
    (
        "diving48",
        dive(start_frame=9),
        "expected a start_frame before the end_frame in entry 1 of '{here}/train.json', found 9 and 9",
    ),
    (
        "jester",
        {"train.csv": "1;Stop Sign\nStop Sign\n"},
        "expected a line such as '34870;Drumming Fingers' in line 2 of",
    ),
    (
        "jester",
        {"all.csv": "1;Stop Sign\n"},
        "expected one of train, validation, test in the file's name, found 'all.csv'",
    ),
    ("jester", {"test.csv": "1\n2\n"}, "expected lines with a label in {here}/test.csv, found none"),
    (
        "tfrecords",
        {"train": [b"\xff" * 20]},
        "expected a tf.train.SequenceExample in record 0 of '{here}/train'",
    ),
    (
        "tfrecords",
        {"train": [record(0, "run"), record([0, 1])]},
        "expected one label in record 1 of '{here}/train', found 0, 1",
    ),
    (
        "tfrecords",
        {"train": [tf.train.SequenceExample().SerializeToString()]},
        "expected frames in 'image/encoded' in record 0 of",
    ),
]


def spoil(folder, number):
    """Writes the files of a case; returns its format, their paths, and what is said of them."""
    name, files, message = MALFORMED[number]
    if name == "tfrecords":
        paths = [write_records(folder / file, *records) for file, records in files.items()]
    else:
        paths = write(folder, files)
    return name, paths, message.replace("{here}", str(folder))


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_a_malformed_file_is_told_in_one_line(tmp_path, number):
    name, paths, message = spoil(tmp_path, number)
    with pytest.raises(UserError) as raised:
        formats.read(paths, name, given(tmp_path, name, names=None))
    line = str(raised.value)
    assert line.startswith("--annotations: ") and message in line and "\n" not in line


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_a_malformed_file_ends_preparation_with_code_2_and_nothing_written(programs, tmp_path, number):
    (tmp_path / "here").mkdir()
    name, paths, message = spoil(tmp_path / "here", number)
    flags = [*(f"--annotations={path}" for path in paths), f"--format={name}", f"--output={tmp_path}/out"]
    ended = programs.run("prepare_data.py", *flags, *(["--frame_rate=12"] if name == "jester" else []), code=2)
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: --annotations: ") and message in line
    assert os.listdir(tmp_path) == ["here"] and len(os.listdir(tmp_path / "here")) == len(paths)


def test_a_torn_file_of_records_is_told(tmp_path):
    path = write_records(tmp_path / "train", record(0), record(1))
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 3)
    with pytest.raises(UserError, match="--annotations: expected whole TFRecords in '.*train', found: "):
        formats.read([path], None, given(tmp_path))


def test_a_number_without_a_name_is_told(tmp_path):
    paths = write(tmp_path, {"train.txt": "a.mp4 0\nb.mp4 7\n"})
    message = "expected class numbers below 2, the number of names in --labels, found 7 for 'b.mp4'"
    with pytest.raises(UserError, match=message):
        formats.read(paths, None, given(tmp_path))


def test_pictures_need_a_rate(tmp_path):
    paths = write(tmp_path, EXCERPTS["jester"][0])
    with pytest.raises(UserError, match="expected --frame_rate=RATE of the pictures that Jester's videos are"):
        formats.read(paths, None, given(tmp_path, frame_rate=None))
