"""Video-level metrics with numbers worked out by hand."""

import numpy as np
import pytest

from tsnet_tf.evaluation.metrics import (
    VideoScores,
    confusion_matrix,
    mean_class_accuracy,
    softmax,
    top_k_accuracy,
)

SCORES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.3, 0.1, 0.6]])
LABELS = np.array([0, 1, 1, 0])


def test_softmax_of_large_logits_is_finite():
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0 + np.log(3.0)])), [0.25, 0.75])


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


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 6, 100])
def test_each_video_counts_once_whatever_the_batch_size(batch_size):
    # 3 videos x 2 views. Probabilities of class 1, view by view: (0.9, 0.3), (0.2, 0.2), (0.4, 0.8);
    # means 0.6, 0.2, 0.6. Labels 1, 0, 0: top-1 is 2/3, while single views would give 4/6 or another number.
    probability = np.array([0.9, 0.3, 0.2, 0.2, 0.4, 0.8])
    logits = np.stack([np.log(1 - probability), np.log(probability)], axis=1)
    labels, videos = np.array([1, 1, 0, 0, 0, 0]), np.array([7, 7, 3, 3, 9, 9])
    scores = VideoScores(views=2)
    for start in range(0, 6, batch_size):
        part = slice(start, start + batch_size)
        scores.add(logits[part], labels[part], videos[part])
    means, found_labels = scores.mean()
    assert (len(scores), scores.seen) == (3, 6)
    np.testing.assert_allclose(means[:, 1], [0.2, 0.6, 0.6])  # videos 3, 7, 9
    assert found_labels.tolist() == [0, 1, 0]
    assert top_k_accuracy(means, found_labels, 1) == pytest.approx(2 / 3)


def test_missing_view_is_noticed():
    scores = VideoScores(views=2)
    scores.add(np.zeros((1, 2)), np.array([0]), np.array([4]))
    with pytest.raises(ValueError, match="expected 2 views of video 4, found 1"):
        scores.mean()


def test_two_labels_for_one_video_are_noticed():
    with pytest.raises(ValueError, match="expected one label for video 4, found 0 and 1"):
        VideoScores(views=2).add(np.zeros((2, 2)), np.array([0, 1]), np.array([4, 4]))


def test_broken_weights_are_noticed():
    with pytest.raises(ValueError, match="expected finite logits"):
        VideoScores(views=1).add(np.array([[np.nan, 0.0]]), np.array([0]), np.array([4]))
