"""P(A | alpha): independent categorical distributions over the open choices of a space.

The logits alpha are one matrix ``[choices, values]``, where ``values`` is the largest number of candidates; entries
beyond a choice's own candidates have probability 0. Every function is differentiable or exact, none keeps state.
"""

import numpy as np
import tensorflow as tf

from tsnet_tf.space.two_stream import Space, choices

_NEVER = -1e9  # logit of an entry that is no candidate


class ArchitectureDistribution:
    """The distribution over the architectures of ``space``; logits are given to every method.

    Attributes:
      choices: the open choices, in the order of the rows.
      shape: ``(choices, values)`` of the logits.
    """

    def __init__(self, space: Space):
        self.choices = choices(space)
        self.shape = (len(self.choices), max((len(c.values) for c in self.choices), default=1))
        counts = np.array([len(c.values) for c in self.choices], np.int32).reshape(-1, 1)
        self._is_candidate = np.arange(self.shape[1])[None] < counts

    def log_probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Log-probability of every candidate, ``[choices, values]``; very negative where there is none."""
        return tf.nn.log_softmax(tf.where(self._is_candidate, logits, _NEVER))

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Probability of every candidate, ``[choices, values]``; 0 where there is none."""
        return tf.exp(self.log_probabilities(logits))

    def sample(self, logits: tf.Tensor, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Draws architectures: candidate indices, int32 ``[count, choices]``.

        Args:
          seed: int ``[2]``; the same seed and logits give the same architectures on every replica.
        """
        drawn = tf.random.stateless_categorical(self.log_probabilities(logits), count, seed, dtype=tf.int32)
        return tf.transpose(drawn)

    def most_probable(self, logits: tf.Tensor) -> tf.Tensor:
        """The most probable architecture, int32 ``[choices]``."""
        return tf.argmax(self.log_probabilities(logits), 1, tf.int32)

    def n_best(self, logits: tf.Tensor, count: int) -> tf.Tensor:
        """The ``count`` most probable architectures, int32 ``[count, choices]``, the most probable first.

        Choice after choice, the best ``count`` beginnings are kept: no other can become one of the best.
        """
        log_p = self.log_probabilities(logits).numpy()
        found, total = np.zeros((1, 0), np.int32), np.zeros(1)
        for row, choice in enumerate(self.choices):
            joined = (total[:, None] + log_p[row, : len(choice.values)]).ravel()
            best = np.argsort(-joined, kind="stable")[:count]
            beginning, value = np.divmod(best, len(choice.values))
            found = np.concatenate([found[beginning], value[:, None].astype(np.int32)], 1)
            total = joined[best]
        return tf.constant(found, tf.int32)

    def log_prob(self, logits: tf.Tensor, architectures: tf.Tensor) -> tf.Tensor:
        """log P(A | alpha) for each of ``architectures`` ``[count, choices]``: ``[count]``, in nats."""
        chosen = tf.one_hot(architectures, self.shape[1])
        return tf.reduce_sum(chosen * self.log_probabilities(logits), [1, 2])

    def entropy(self, logits: tf.Tensor) -> tf.Tensor:
        """Entropy of every choice, ``[choices]``, in nats."""
        log_p = self.log_probabilities(logits)
        return -tf.reduce_sum(tf.exp(log_p) * log_p, 1)

    def entropy_by_kind(self, logits: tf.Tensor) -> dict[str, float]:
        """Entropy summed over the choices of each kind of variable, in nats."""
        found: dict[str, float] = {}
        for choice, entropy in zip(self.choices, self.entropy(logits).numpy(), strict=True):
            found[choice.kind] = found.get(choice.kind, 0.0) + float(entropy)
        return found

    def score_gradient(self, logits: tf.Tensor, architectures: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """The gradient of sum_k weights_k x (-log P(A_k | alpha)): ``[choices, values]``.

        For a softmax this is sum_k weights_k x (p - one_hot(A_k)), so no tape is needed.
        """
        chosen = tf.one_hot(architectures, self.shape[1])
        return tf.reduce_sum(weights) * self.probabilities(logits) - tf.einsum("k,kcv->cv", weights, chosen)
