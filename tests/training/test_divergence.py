"""A loss that stays far above that of guessing is told once, with the rate and the batch."""

from types import SimpleNamespace

import pytest

from tsnet_tf import console
from tsnet_tf.training.divergence import Watch


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "warn", lines.append)
    return lines


def watch(classes=5, rate=0.4):
    network = SimpleNamespace(space=SimpleNamespace(classes=classes))
    model = SimpleNamespace(network=network, optimizer=SimpleNamespace(highest_learning_rate=rate))
    return Watch(model, "training", 4)


def test_three_reports_above_three_times_the_loss_of_guessing(warned):
    """ln 5 is 1.61; the losses are those that were seen with batches of 4 and the rate for 64."""
    own = watch()
    for step, loss in enumerate([206.0, 859.0, 89_140_056.0, 1e9], start=1):
        own.look(20 * step, loss)
    assert warned == [
        "training: the loss is 8.914e+07 at step 60, that of guessing 1.61; the learning rate goes up to 0.4, with "
        "batches of 4: a smaller learning_rate or weight_optimizer.clip_norm may help"
    ]


def test_a_loss_that_comes_back_is_no_divergence(warned):
    own = watch()
    for loss in [9.0, 9.0, 2.0, 9.0, 9.0, 4.8]:  # 3 ln 5 = 4.83
        own.look(1, loss)
    assert not warned
