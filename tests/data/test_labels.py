"""Labels that are no labels, that look alike, or that have no videos to learn from."""

import pathlib
import re

import pytest

from tsnet_tf.data import annotations, labels
from tsnet_tf.data.sources import class_folders, csv_file, kinetics, something_something
from tsnet_tf.errors import UserError

CASES = pathlib.Path(__file__).parent / "cases"


def read(name):
    return csv_file.read(str(CASES / name), split_seed=0)


def labels_of(name):
    return annotations.label_map(read(name))


@pytest.mark.parametrize(
    "text, written",
    [
        ("cafe\u0301", "caf\u00e9"),  # an accent of its own
        ("\ufeffjump", "jump"),  # a byte order mark
        ("ju\u200bmp\u200b", "jump"),  # spaces of no width
        ("jump\u200d", "jump"),  # a joiner that joins nothing
        ("ju\u200cmp", "jump"),
        ("open\u00addoor", "opendoor"),  # a soft hyphen
        ("\u200ejump\u200f", "jump"),  # marks of direction
        ("open\u00a0 door\t", "open door"),
        ("open\u3000door", "open door"),  # a wide space
        ("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0645\u06cc\u200c\u0631\u0648\u0645"),  # Persian needs this one
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),  # and emoji that one
        ("e\u200b\u0301", "\u00e9"),  # what is between letter and accent is away before they are joined
        (" \u200b ", ""),
    ],
)
def test_a_label_is_written_one_way(text, written):
    assert labels.spelled(text, "--annotations", "line 2") == written


@pytest.mark.parametrize("text", ["open\ndoor", "open\r\ndoor", "open\u2028door", "open\x85door"])
def test_a_label_has_one_line(text):
    with pytest.raises(UserError, match="--annotations: expected a label on one line in line 2, found 'open"):
        labels.spelled(text, "--annotations", "line 2")


def test_a_label_has_no_control_characters():
    with pytest.raises(UserError, match=r"expected a label without control characters in line 2, found 'a\\x07'"):
        labels.spelled("a\x07", "--annotations", "line 2")


def test_a_line_break_in_a_file_is_told_with_its_place():
    with pytest.raises(UserError, match=r"expected a label on one line in line 3 of '.*newline.csv', found 'open\\ndo"):
        read("newline.csv")


def test_composed_and_decomposed_accents_are_one_class():
    assert labels_of("nfc.csv") == ["caf\u00e9"]


def test_spaces_that_cannot_be_seen_make_no_classes(capsys):
    found = labels_of("nbsp.csv")
    assert found == ["Jump", "jump"]
    labels.check_distinct(found)
    assert capsys.readouterr().err == (
        "warning: 'Jump' and 'jump' differ in the form of letters only; they are two classes\n"
    )


def test_labels_that_cannot_be_told_apart_are_refused():
    first, second = "\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0645\u06cc\u0631\u0648\u0645"
    expected = rf"expected one spelling for each class, found {re.escape(ascii(first))} and {re.escape(ascii(second))}"
    with pytest.raises(UserError, match=expected):
        labels.check_distinct([first, second])


def test_wide_letters_are_told(capsys):
    labels.check_distinct(["jump", "\uff4aump", "run"])
    assert capsys.readouterr().err.count("differ in the form of letters only") == 1


def test_all_sources_write_labels_one_way(tmp_path):
    decomposed, composed = "cafe\u0301", "caf\u00e9"
    (tmp_path / "folders" / decomposed).mkdir(parents=True)
    (tmp_path / "folders" / decomposed / "a.mp4").write_bytes(b"")
    [found] = class_folders.read(str(tmp_path / "folders"), split_seed=0)
    assert found.label == composed and found.path == f"{decomposed}/a.mp4"
    (tmp_path / "k.csv").write_text(f"label,youtube_id,time_start,time_end,split\n{decomposed},abc,0,10,train\n")
    assert kinetics.read([str(tmp_path / "k.csv")], str(tmp_path / "folders"))[0].label == composed
    (tmp_path / "train.json").write_text(f'[{{"id": 1, "template": "{decomposed} [something]"}}]')
    assert something_something.read([str(tmp_path / "train.json")])[0].label == f"{composed} something"
    for text in (f"{decomposed}\r\nrun\r\n", f'["{decomposed}", "run"]'):
        (tmp_path / "labels").write_text(text)
        assert annotations.read_labels(str(tmp_path / "labels")) == [composed, "run"]
    for text, message in ((f"{decomposed}\n{composed}", "each label once"), ('["a", "\u200b"]', "found an empty one")):
        (tmp_path / "labels").write_text(text)
        with pytest.raises(UserError, match=message):
            annotations.read_labels(str(tmp_path / "labels"))


def test_a_negative_class_number_in_a_test_list_is_no_class(capsys):
    assert labels_of("minus1.csv") == ["0", "1"]
    assert capsys.readouterr().err == (
        "warning: 3 rows have the label -1, which no training video has; they are not prepared\n"
    )


def test_a_negative_number_that_is_trained_on_is_a_class(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("path,label,split\na.mp4,-1,train\nb.mp4,0,train\nc.mp4,1,train\nd.mp4,-1,test\n")
    assert len(csv_file.read(str(tmp_path / "a.csv"), split_seed=0)) == 4 and not capsys.readouterr().err
    (tmp_path / "a.csv").write_text("path,label,split\na.mp4,x-1,train\nd.mp4,-1,test\n")
    assert len(csv_file.read(str(tmp_path / "a.csv"), split_seed=0)) == 2 and not capsys.readouterr().err
    (tmp_path / "a.csv").write_text("path,label\na.mp4,-1\nb.mp4,0\n")
    assert len(csv_file.read(str(tmp_path / "a.csv"), split_seed=0)) == 2
    assert capsys.readouterr().err == "warning: -1: a negative number is taken for a class like the others\n"


def test_class_numbers_are_in_the_order_of_their_values():
    assert labels_of("numeric.csv") == [str(number) for number in range(12)]
    assert labels.in_order(["b", "10", "9"]) == ["10", "9", "b"]  # not all are numbers


def test_classes_without_training_videos_are_named(capsys):
    videos = {"train": {"run": 3, "walk": 0}, "validation": {"walk": 2}, "test": {"walk": 1, "nan": 1}}
    labels.check_trained(["nan", "run", "sit", "walk"], videos)
    assert capsys.readouterr().err == (
        "warning: classes without training videos: 'nan' (1 in test), 'sit' (none at all), "
        "'walk' (2 in validation and 1 in test)\n"
    )
    labels.check_trained(["run"], videos)
    labels.check_trained(["run"], {"test": {"run": 3}})  # nothing is to be trained
    labels.check_trained([f"c{n}" for n in range(8)], videos)
    assert capsys.readouterr().err.splitlines() == [
        "warning: classes without training videos: "
        + ", ".join(f"'c{n}' (none at all)" for n in range(5)) + " and 3 more"
    ]  # fmt: skip
