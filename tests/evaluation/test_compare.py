"""Two models on the same videos, with numbers worked out by hand."""

import json

import numpy as np
import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.evaluation.compare import compare
from tsnet_tf.evaluation.predictions import Predictions, read, write


def predictions(right, classes=("a", "b"), videos=None):
    """Of videos that all belong to the first class."""
    right = np.array(right, bool)
    return Predictions(
        videos or [f"{i}.mp4" for i in range(len(right))],
        np.zeros(len(right), np.int64),
        list(classes),
        np.where(right[:, None], [0.8, 0.2], [0.3, 0.7]),
    )


# 20 videos: 9 both right, 1 only the first, 8 only the second, 2 neither.
FIRST = [1] * 9 + [1] + [0] * 8 + [0] * 2
SECOND = [1] * 9 + [0] + [1] * 8 + [0] * 2


def test_counts_difference_and_mcnemars_test():
    result = compare(predictions(FIRST), predictions(SECOND))
    assert (result["both_right"], result["only_first_right"]) == (9, 1)
    assert (result["only_second_right"], result["both_wrong"]) == (8, 2)
    assert (result["first_top1"], result["second_top1"]) == (0.5, 0.85)
    assert result["difference"] == pytest.approx(0.35)
    # At most 1 or at least 8 of 9 coins: 2 (1 + 9) / 2^9.
    assert result["p_value"] == pytest.approx(20 / 512)


def test_interval_is_that_of_the_mean_difference():
    # Mean 0.35, variance of one video's difference 9/20 - 0.35^2 = 0.3275, of the mean 0.3275 / 20: deviation 0.128.
    low, high = compare(predictions(FIRST), predictions(SECOND))["interval"]
    assert low == pytest.approx(0.35 - 1.96 * 0.128, abs=0.05) and high == pytest.approx(0.35 + 1.96 * 0.128, abs=0.05)


def test_equal_predictions_differ_in_nothing():
    result = compare(predictions(FIRST), predictions(FIRST))
    assert (result["difference"], result["interval"], result["p_value"]) == (0, [0, 0], 1)


def test_videos_are_paired_by_name():
    names = [f"{i}.mp4" for i in range(20)]
    other_way_round = predictions(SECOND[::-1], videos=names[::-1])
    assert compare(predictions(FIRST), other_way_round) == compare(predictions(FIRST), predictions(SECOND))


def test_what_cannot_be_compared_is_refused():
    first = predictions(FIRST)
    with pytest.raises(UserError, match="expected predictions of the same classes, found 2 and 2: 'b' and 'c'"):
        compare(first, predictions(SECOND, classes=("a", "c")))
    with pytest.raises(UserError, match="same classes, found 2 and 3: more in one than in the other"):
        compare(first, Predictions(first.videos, first.labels, ["a", "b", "c"], np.ones((20, 3))))
    with pytest.raises(UserError, match="expected predictions of the same videos, found 1 in one of the two only: '19"):
        compare(first, predictions(SECOND[:-1]))
    labels = np.array([0] * 19 + [1])
    with pytest.raises(UserError, match="expected the same label in both, found two for 1 video: '19.mp4'"):
        compare(first, Predictions(first.videos, labels, first.classes, first.probabilities))
    with pytest.raises(UserError, match="expected at least 2 videos to compare, found 1"):
        compare(predictions([1]), predictions([1]))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    for name, said in (("gone", "found nothing at"), ("text", "found in '.*text.npz': "), ("other", "videos")):
        with pytest.raises(UserError, match=f"expected the .npz file of bin/evaluate.py, {said}|{said}"):
            read(str(tmp_path / f"{name}.npz"))


def test_the_binary(programs, tmp_path):
    write(predictions(FIRST), str(tmp_path / "first"))
    write(predictions(SECOND), str(tmp_path / "second"))
    both = [f"--first={tmp_path}/first.npz", f"--second={tmp_path}/second.npz"]
    assert json.loads(programs.run("compare.py", *both, "--json").stdout) == compare(
        predictions(FIRST), predictions(SECOND)
    )
    assert programs.run("compare.py", both[0], code=2).stderr == "error: expected --second=FILE.npz, found none\n"
