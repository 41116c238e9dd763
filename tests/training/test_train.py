"""Training a fixed model: the loss of labels that are shares of several classes, and a run on mixed clips."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import pipeline
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.training.classifier import Classifier
from tsnet_tf.training.pace import Pace
from tsnet_tf.training.train import fit


class Given(keras.Model):
    """Probabilities of 1/4 and 3/4, whatever the clip."""

    def __init__(self):
        super().__init__()
        self.space = smallest(table1(classes=2))
        self.synchronized = False
        self.logits = self.add_weight(name="logits", shape=[2], initializer="zeros")
        self.logits.assign([0.0, np.log(3.0)])
        self.built = True

    def call(self, clips, training=False):
        return tf.tile(self.logits[None], [tf.shape(clips)[0], 1])


@pytest.mark.parametrize(
    "label, smoothing, expected",
    [
        ([0], 0.0, np.log(4)),
        ([1], 0.0, np.log(4 / 3)),
        ([0], 0.2, 0.9 * np.log(4) + 0.1 * np.log(4 / 3)),  # 0.2 spread over both classes
        ([[0.25, 0.75]], 0.0, 0.25 * np.log(4) + 0.75 * np.log(4 / 3)),
        ([[0.25, 0.75]], 0.2, 0.3 * np.log(4) + 0.7 * np.log(4 / 3)),  # 0.8 x 0.25 + 0.1 and 0.8 x 0.75 + 0.1
        ([[1.0, 0.0]], 0.0, np.log(4)),  # all of one class is that class
    ],
)
def test_the_loss_takes_labels_and_shares(label, smoothing, expected):
    model = Classifier(Given(), label_smoothing=smoothing)
    model.compile(keras.optimizers.SGD(0.1))
    loss = model.train_step((tf.zeros([1, 2, 4, 4, 3], tf.uint8), tf.constant(label)))["loss"]
    assert float(loss) == pytest.approx(expected, rel=1e-6)


class FromColours(keras.Model):
    """Logits are linear in the clip's mean colour, and all zero before the training."""

    def __init__(self):
        super().__init__()
        space = table1(sparse_frames=2, dense_frames=8, depths=((1,),) * 4, classes=3)
        self.space = smallest(space)
        self.synchronized = False
        self.dense = keras.layers.Dense(3, kernel_initializer="zeros")
        self.dense.build((None, 3))
        self.built = True

    def call(self, clips, training=False):
        return self.dense(tf.reduce_mean(tf.cast(clips, tf.float32), axis=[1, 2, 3]) / 255.0)


@pytest.mark.parametrize("mixing", [dict(mixup_alpha=1.0), dict(cutmix_alpha=1.0)])
def test_a_run_on_mixed_clips_learns_from_the_shares(tmp_path, write_records, mixing):
    videos = [(f"{n}.mp4", n % 3, np.full((20, 32, 40, 3), 80 * n, np.uint8)) for n in range(4)]
    dataset = write_records(tmp_path / "data", videos, labels=["a", "b", "c"], split="train")
    dataset = dataclasses.replace(dataset, **mixing)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model = FromColours()
    run = dict(workdir=str(tmp_path / "run"), title="test", seed=5)
    fit(model, dataset, ("train",), strategy, pace=Pace(2, 1, 2, batch_size=4), **run)

    # The learning rate of the first step is 0, so in both steps all classes have a third: a loss of log 3.
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([line["loss"] for line in lines], np.log(3), rtol=1e-5)
    # The second one's gradient in the bias is a third less the classes' mean shares.
    stride = dataset.span // model.space.frames
    clips = pipeline.train_clips(
        dataset, ("train",), batch_size=4, frames=8, frame_stride=stride, seed=5, soft_labels=True, skip_batches=1
    )
    _, shares = next(iter(clips))
    wanted = shares.numpy().mean(axis=0) - 1 / 3
    bias = model.dense.bias.numpy()
    assert abs(wanted).max() > 0.01
    np.testing.assert_allclose(bias / abs(bias).max(), wanted / abs(wanted).max(), atol=1e-4)
