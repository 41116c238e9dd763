"""Short trainings from scratch as slices of one network: each is as if there had been no other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.models.inheritance import inherit
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.trials import trials
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, pick, values_at
from tsnet_tf.training import fused_optimizers

SPACE = table1(
    sparse_frames=2, dense_frames=4, sparse_width=0.125, dense_width=0.25, depths=((1,), (1,)), resolution=16, hidden=8,
    classes=2, glore_ratio=0.5, dropout=0.0,
)  # fmt: skip


def batches(count, seed):
    draw = np.random.default_rng(seed)
    for _ in range(count):
        labels = draw.integers(0, 2, 4)
        clips = draw.integers(0, 60, (4, 4, 16, 16, 3)) + 160 * labels[:, None, None, None, None]
        yield tf.constant(clips.astype(np.uint8)), tf.constant(labels.astype(np.int32))


@pytest.mark.slow
def test_a_trial_is_a_training_of_the_slice_and_leaves_no_trace():
    keras.utils.set_random_seed(0)
    network = TwoStreamModel(SPACE, branch_gamma=1.0)
    optimizer = fused_optimizers.Adam(0.01, decay=1e-3)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    fused_optimizers.build_for(optimizer, network)
    training, validation = list(batches(6, 0)), list(batches(2, 1))
    first = [0] * len(choices(SPACE))
    second = [len(choice.values) - 1 for choice in choices(SPACE)]
    alone = TwoStreamModel(pick(SPACE, values_at(SPACE, np.array(first))), branch_gamma=1.0)
    inherit(alone, network)
    untrained = trials(network, optimizer, [], validation)(first)
    score = trials(network, optimizer, training, validation)
    found = [score(architecture) for architecture in (first, second, first)]
    assert found[0] == found[2] != found[1]
    assert found[0] > untrained

    own = fused_optimizers.Adam(0.01, decay=1e-3)
    own.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    fused_optimizers.build_for(own, alone)
    for clips, labels in training:
        with tf.GradientTape() as tape:
            logits = alone(clips, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        own.apply(tape.gradient(loss, alone.trainable_variables), alone.trainable_variables)
    losses = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=alone(clips, training=True))
        for clips, labels in validation
    ]
    assert found[0] == pytest.approx(-float(np.mean(losses)), rel=1e-3)
