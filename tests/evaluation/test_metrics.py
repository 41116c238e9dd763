"""Video-level metrics with numbers worked out by hand."""

import numpy as np
import pytest

from tsnet_tf.errors import NotFinite
from tsnet_tf.evaluation.metrics import (
    VideoScores,
    calibration_error,
    confusion_matrix,
    interval,
    mean_class_accuracy,
    per_class,
    top_k_accuracy,
)

SCORES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.3, 0.1, 0.6]])
LABELS = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("k, expected", [(1, 0.25), (2, 1.0), (5, 1.0)])
def test_top_k_accuracy(k, expected):
    # Rankings: 0 1 2; 2 1 0; 0 1 2 (equal scores: lower class first); 2 0 1. Labels 0, 1, 1, 0 rank 1st, 2nd, 2nd, 2nd.
    assert top_k_accuracy(SCORES, LABELS, k) == expected


def test_confusion_has_true_classes_in_rows():
    matrix = confusion_matrix(SCORES.argmax(axis=1), LABELS, 3)
    assert matrix.tolist() == [[1, 0, 1], [1, 0, 1], [0, 0, 0]]


def test_mean_class_accuracy_weighs_classes_equally_and_skips_absent_ones():
    # Class 0: 3 of 4 right; class 1: 0 of 1; class 2 has no videos. (0.75 + 0) / 2.
    assert mean_class_accuracy(np.array([[3, 1, 0], [1, 0, 0], [0, 0, 0]])) == 0.375


def test_calibration_error_is_the_mean_gap_between_probability_and_accuracy():
    # Ten bins. (0.5, 0.6]: 0.6 twice, one right: gap 0.1. (0.8, 0.9]: 0.9 right: gap 0.1. (0.9, 1]: 1 wrong: gap 1.
    # Weighed by 2, 1 and 1 of 4 videos: (0.2 + 0.1 + 1) / 4.
    scores = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.0, 1.0]])
    assert calibration_error(scores, np.array([0, 0, 0, 0]), bins=10) == pytest.approx(0.325)


def test_a_model_that_is_as_sure_as_it_is_right_is_calibrated():
    scores = np.tile([[0.75, 0.25]], (4, 1))
    assert calibration_error(scores, np.array([0, 0, 0, 1])) == pytest.approx(0)


def test_per_class_table():
    # Class a: 3 of 5 right, the others called b (once) and c (once; the first of equals is named); called so: 4.
    # Class b: no videos, called so once. Class c: its one video is called a. Class d: neither.
    rows = per_class(np.array([[3, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]), ["a", "b", "c", "d"])
    intervals = [row.pop("accuracy_interval") for row in rows]
    assert intervals == [interval(3 / 5, 5), None, interval(0, 1)]
    assert rows == [
        {"label": "a", "videos": 5, "accuracy": 0.6, "precision": 0.75, "confused_with": "b"},
        {"label": "b", "videos": 0, "accuracy": None, "precision": 0.0, "confused_with": None},
        {"label": "c", "videos": 1, "accuracy": 0.0, "precision": 0.0, "confused_with": "a"},
    ]


@pytest.mark.parametrize(
    "share, videos, expected", [(0.5, 2, (0.0945, 0.9055)), (1, 10, (0.7225, 1)), (0, 1, (0, 0.7935))]
)
def test_wilson_interval(share, videos, expected):
    # z = 1.96; centre (p + z²/2n) / (1 + z²/n), half width z √(p(1 - p)/n + z²/4n²) / (1 + z²/n), worked out by hand.
    assert interval(share, videos) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 6, 100])
def test_each_video_counts_once_whatever_the_batch_size(batch_size):
    # 3 videos x 2 views. Probabilities of class 1, view by view: (0.2, 0.2), (0.9, 0.3), (0.4, 0.8);
    # means 0.2, 0.6, 0.6. Labels 0, 1, 0: top-1 is 2/3, while single views would give 4/6 or another number.
    probability = np.array([0.9, 0.3, 0.2, 0.2, 0.4, 0.8])
    views, videos = np.stack([1 - probability, probability], axis=1), np.array([1, 1, 0, 0, 2, 2])
    scores = VideoScores(views=2)
    for start in range(0, 6, batch_size):
        scores.add(views[start : start + batch_size], videos[start : start + batch_size])
    means = scores.mean(3)
    np.testing.assert_allclose(means[:, 1], [0.2, 0.6, 0.6])
    assert top_k_accuracy(means, np.array([0, 1, 0]), 1) == pytest.approx(2 / 3)


@pytest.mark.parametrize("videos, said", [([0], "2 views of video 0, found 1"), ([0, 0, 2, 2], "video 1, found 0")])
def test_missing_view_is_noticed(videos, said):
    scores = VideoScores(views=2)
    scores.add(np.full((len(videos), 2), 0.5), np.array(videos))
    with pytest.raises(ValueError, match=said):
        scores.mean(2)


def test_video_that_should_not_be_there_is_noticed():
    scores = VideoScores(views=1)
    scores.add(np.full((2, 2), 0.5), np.array([0, 7]))
    with pytest.raises(ValueError, match="expected 1 videos, found 2"):
        scores.mean(1)


def test_broken_weights_are_one_line_and_exit_code_3():
    with pytest.raises(
        NotFinite, match="evaluation: the probabilities of 2 of 3 views are not finite, nothing"
    ) as told:
        VideoScores(views=1).add(np.array([[np.nan, 0.0], [0.5, 0.5], [0.0, np.inf]]), np.array([4, 5, 6]))
    assert told.value.exit_code == 3
