"""Recalibration gives the mean of the batches' statistics, and nothing else changes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import NotFinite
from tsnet_tf.evaluation.recalibration import recalibrate
from tsnet_tf.layers.batch_norm import BatchNorm


class TwoNorms(keras.Model):
    """Two BN layers one after the other, the second nested in a list, as in the models."""

    def __init__(self):
        super().__init__()
        self.first = BatchNorm(3)
        self.rest = [BatchNorm(3, momentum=0.5)]

    def call(self, x, training=False):
        x = self.first(tf.cast(x, tf.float32), channels=3, training=training)
        return self.rest[0](2.0 * x + 1.0, channels=3, training=training)


@pytest.fixture
def batches():
    random = np.random.default_rng(0)
    return [random.normal(loc=i, scale=1 + i, size=(4, 5, 5, 3)).astype(np.float32) for i in range(4)]


def dataset(batches):
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tf.TensorSpec([4, 5, 5, 3]))


def test_moving_statistics_are_the_mean_over_the_batches_used(batches):
    model = TwoNorms()
    recalibrate(model, dataset(batches), batches=3)
    used = [batch.reshape(-1, 3) for batch in batches[:3]]
    np.testing.assert_allclose(model.first.moving_mean, np.mean([b.mean(axis=0) for b in used], axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        model.first.moving_variance, np.mean([b.var(axis=0, ddof=1) for b in used], axis=0), rtol=1e-4
    )
    # The second layer sees 2 x normalised + 1: mean 1, variance 4 (times 100/99 for the unbiased estimate).
    np.testing.assert_allclose(model.rest[0].moving_mean, [1, 1, 1], rtol=1e-4)
    np.testing.assert_allclose(model.rest[0].moving_variance, np.full(3, 4 * 100 / 99), rtol=1e-3)


def test_momentum_and_trainable_weights_stay(batches):
    model = TwoNorms()
    model.first.gamma.assign([1.0, 2.0, 3.0])
    recalibrate(model, dataset(batches), batches=2)
    assert (model.first.momentum, model.rest[0].momentum) == (0.9, 0.5)
    assert np.array(model.first.gamma).tolist() == [1, 2, 3]


def test_too_few_batches_change_nothing(batches):
    model = TwoNorms()
    model.first.moving_mean.assign([7.0, 8.0, 9.0])
    with pytest.raises(ValueError, match="expected 5 batches of clips to recalibrate on, found 4"):
        recalibrate(model, dataset(batches), batches=5)
    assert np.array(model.first.moving_mean).tolist() == [7, 8, 9]
    assert model.first.momentum == 0.9


def test_what_is_not_finite_is_told_and_changes_nothing(batches):
    model = TwoNorms()
    model.first.moving_mean.assign([7.0, 8.0, 9.0])
    batches[1][0, 0, 0, 0] = np.nan
    with pytest.raises(NotFinite, match="recalibration: what the model says of batch 2 is not finite") as told:
        recalibrate(model, dataset(batches), batches=3)
    assert told.value.exit_code == 3 and np.array(model.first.moving_mean).tolist() == [7, 8, 9]
