"""One joint step of weights and architecture (PARSEC; paper, section 4.1).

From a training batch and a validation batch:

1. draw A_1 .. A_K from P(A | alpha);
2. p_k: how well A_k does on the validation batch, without gradient; r_k = p_k / sum p;
3. weights: gradient of sum_k r_k CE(training batch | w, A_k), one architecture in memory at a time, and of the batch
   one microbatch;
4. m_k = r_k - penalty_k, less their mean: what A_k gained above the others, and what it cost above the target;
5. alpha: gradient of sum_k m_k (-log P(A_k | alpha)).

By default every A_k is drawn within the budget (`tsnet_tf.search.budget`), so nothing is penalised, and the weights
are trained on all of them alike. The paper's own way, a penalty beyond the target and weights that follow r_k, is
``gin/paper.gin``.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import GMACS, CostModel, CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.training.accumulation import microbatch, one_after_another

MULTIPLIER_RANGE = 100.0  # dual ascent keeps the multiplier within this factor of its start, up and down


class SearchModel(keras.Model):
    """A supernet with the distribution over its architectures; `train_step` is the joint step.

    Data of a step: ``((clips, labels), (validation_clips, validation_labels))``, clips uint8
    ``[batch, frames, height, width, 3]`` and labels int ``[batch]``.

    Args:
      network: the supernet.
      settings: how it draws, scores and pays.
      target: the cost that the search should come out at.
      least: the part of the target that an architecture must cost at least, where only those within it are drawn.
      cost_model: what is counted; by default GMACs per view.
      alpha_optimizer: updates alpha; the weights have the optimizer given to `compile`.
      alpha_warmup_steps: steps at the start in which alpha stands still while the weights settle; its optimizer is not
        called.
      seed: of the sampled architectures.
    """

    def __init__(
        self,
        network: TwoStreamModel,
        settings: JointSettings,
        *,
        target: float,
        least: float = 0.0,
        cost_model: CostModel = GMACS,
        alpha_optimizer: keras.optimizers.Optimizer,
        alpha_warmup_steps: int = 0,
        seed: int = 0,
    ):
        super().__init__()
        if settings.samples_per_nat and network.synchronized:
            raise UserError("joint.samples_per_nat: expected 0 with synchronised BN, whose loop is written out")
        self.network, self.settings, self.target, self.alpha_optimizer = network, settings, target, alpha_optimizer
        self.alpha_warmup_steps, self.seed = alpha_warmup_steps, seed
        self.distribution = ArchitectureDistribution(network.space)
        self.costs = CostTables(network.space, cost_model)
        within = settings.cost_term == "budget"
        self.drawn_from = BudgetedDistribution(network.space, target, least * target, cost_model) if within else None
        start = settings.multiplier
        self.multiplier_bounds = (start / MULTIPLIER_RANGE, start * MULTIPLIER_RANGE)
        # Not trainable in Keras's sense: the weights' optimizer must never see them.
        state = {"trainable": False, "dtype": "float32", "aggregation": "only_first_replica"}
        self.alpha = self.add_weight(name="alpha", shape=self.distribution.shape, initializer="zeros", **state)
        self.multiplier = self.add_weight(
            name="multiplier", shape=(), initializer=keras.initializers.Constant(start), **state
        )
        self.alpha_optimizer.build([self.alpha])
        names = ["loss", "indicator", f"sampled_{cost_model.name}", "samples"]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    def compile(self, optimizer: keras.optimizers.Optimizer, jit_compile: bool = False, **kwargs) -> None:
        """Sets the weights' optimizer. Left to itself Keras decides by device about XLA, which cannot do slices."""
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        optimizer.build(self.network.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    def call(self, clips: tf.Tensor, architecture: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Logits of one architecture; the most probable one if none is given."""
        if architecture is None:
            architecture = self.distribution.most_probable(tf.convert_to_tensor(self.alpha))
        return self.network(clips, architecture=architecture, training=training)

    def train_step(self, data) -> dict[str, tf.Tensor]:
        (clips, labels), (validation_clips, validation_labels) = data
        step = tf.cast(self.optimizer.iterations, tf.int32)
        logits = tf.convert_to_tensor(self.alpha)
        count = self._count(logits)
        architectures = (self.drawn_from or self.distribution).sample(logits, count, tf.stack([self.seed, step]))
        costs = self.costs.of(architectures)

        frozen = step < self.alpha_warmup_steps
        indicators = self._indicators(architectures, validation_clips, validation_labels, skip=frozen)
        total = tf.reduce_sum(indicators)
        shares = tf.math.divide_no_nan(indicators, total)
        uniform = tf.ones_like(indicators) / tf.cast(count, tf.float32)
        responsibilities = tf.where(tf.equal(total, 0.0), uniform, shares)

        trained = slice(self.settings.weight_samples)
        weighting = (responsibilities if self.settings.weight_gradient == "importance" else uniform)[trained]
        weighting = tf.math.divide_no_nan(weighting, tf.reduce_sum(weighting))
        loss = self._update_weights(architectures[trained], weighting, clips, labels)
        self._update_alpha(logits, architectures, responsibilities, costs, frozen)

        for name, value in {
            "loss": loss,
            "indicator": tf.reduce_mean(indicators),
            f"sampled_{self.costs.model.name}": tf.reduce_mean(costs),
            "samples": count,
        }.items():
            # While alpha is frozen there is no indicator to speak of; what is no number counts with the optimizers.
            value = tf.cast(value, tf.float32)
            counts = tf.math.is_finite(value) & ~(frozen & (name == "indicator"))
            self.means[name].update_state(tf.where(counts, value, 0.0), sample_weight=tf.cast(counts, tf.float32))
        return {name: metric.result() for name, metric in self.means.items()}

    def state_of_search(self) -> dict[str, float]:
        """Entropy in all and by kind (nats), expected cost, target, multiplier, alpha's learning rate, as numbers."""
        logits = tf.convert_to_tensor(self.alpha)
        by_kind = {f"entropy/{kind}": v for kind, v in self.distribution.entropy_by_kind(logits).items()}
        return {
            "entropy": sum(by_kind.values()),
            **by_kind,
            f"expected_{self.costs.model.name}": self.costs.expected(self.distribution.probabilities(logits)),
            f"target_{self.costs.model.name}": self.target,
            **({"multiplier": float(tf.convert_to_tensor(self.multiplier))} if self.drawn_from is None else {}),
            "learning_rate/alpha": float(tf.convert_to_tensor(self.alpha_optimizer.learning_rate)),
        }

    def _count(self, logits: tf.Tensor) -> int | tf.Tensor:
        """K of this step: a number, or a tensor that follows the entropy."""
        if not self.settings.samples_per_nat:
            return self.settings.samples
        entropy = tf.reduce_sum(self.distribution.entropy(logits))
        return tf.maximum(self.settings.samples, tf.cast(tf.floor(self.settings.samples_per_nat * entropy), tf.int32))

    def _indicators(self, architectures, clips, labels, skip: tf.Tensor) -> tf.Tensor:
        """p_k on the validation batch of all replicas, ``[K]``; zeros if ``skip``."""
        count = architectures.shape[0] if architectures.shape[0] is not None else tf.shape(architectures)[0]

        def one(k, part, found):
            logits = self.network(part(clips), architecture=architectures[k], training=False)
            if self.settings.indicator == "accuracy":
                value = tf.reduce_mean(tf.cast(tf.argmax(logits, 1, labels.dtype) == part(labels), tf.float32))
            else:
                value = tf.reduce_mean(_cross_entropy(part(labels), logits))
            return found + value / self.settings.microbatches * tf.one_hot(k, count)

        found = self._for_each_sample(one, tf.zeros([count]), tf.where(skip, 0, count))
        found = _mean_over_replicas(found)
        if self.settings.indicator == "likelihood":
            # The smallest cross-entropy is taken off before the exponential: only ratios matter, none underflows.
            found = tf.exp((tf.reduce_min(found) - found) / self.settings.temperature)
        return found

    def _update_weights(self, architectures, responsibilities, clips, labels) -> tf.Tensor:
        """One step of the weights' optimizer on the weighted loss; returns that loss on this replica."""
        variables = self.network.trainable_variables
        replicas, microbatches = tf.distribute.get_strategy().num_replicas_in_sync, self.settings.microbatches

        def one(k, part, carried):
            gradients, total = carried
            with tf.GradientTape() as tape:
                logits = self.network(part(clips), architecture=architectures[k], training=True)
                loss = responsibilities[k] * tf.reduce_mean(_cross_entropy(part(labels), logits)) / microbatches
                scaled = self.optimizer.scale_loss(loss / replicas)
            new = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            sums = [tf.ensure_shape(old + g, old.shape) for old, g in zip(gradients, new, strict=True)]
            return sums, total + loss

        start = ([tf.zeros(v.shape, v.dtype) for v in variables], tf.constant(0.0))
        gradients, loss = self._for_each_sample(one, start, tf.shape(architectures)[0])
        self.optimizer.apply(gradients, variables)
        return loss

    def _update_alpha(self, logits, architectures, responsibilities, costs, frozen: tf.Tensor) -> None:
        gains = responsibilities - self._penalties(costs)
        rounding = 1e-6 * (1.0 + tf.reduce_max(tf.abs(gains)))
        if self.settings.baseline:
            gains -= tf.reduce_mean(gains)
        gradient = self.distribution.score_gradient(logits, architectures, gains)
        # With the baseline, candidates that were not drawn have no gradient but rounding errors, and Adam scales up
        # whatever it is given.
        gradient = tf.where(tf.abs(gradient) <= rounding, 0.0, gradient)
        # Every replica has the same gradient, and the optimizer sums over replicas. While alpha is frozen the optimizer
        # is not called: its corrections for the first steps would have expired when alpha thaws.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.alpha_optimizer.apply_if(tf.logical_not(frozen), [gradient / replicas], [self.alpha])
        if self.settings.cost_term == "dual_ascent":
            # The most probable architecture is what will be taken. The mean of those that are drawn costs more, as long
            # as they still explore: expensive ones can miss the target by more than cheap ones.
            excess = self.costs.of(self.distribution.most_probable(logits)[None])[0] / self.target - 1.0
            moved = self.multiplier * tf.exp(self.settings.multiplier_rate * excess)
            moved = tf.clip_by_value(moved, *self.multiplier_bounds)
            self.multiplier.assign(tf.where(frozen, self.multiplier, moved))

    def _penalties(self, costs: tf.Tensor) -> tf.Tensor:
        """What each architecture pays for exceeding the target, ``[K]``."""
        if self.settings.cost_term == "budget":
            return tf.zeros_like(costs)
        excess = tf.maximum(0.0, costs / self.target - 1.0)
        if self.settings.cost_term == "normalised":
            return self.multiplier * tf.math.divide_no_nan(excess, tf.reduce_sum(excess))
        return self.multiplier * excess / tf.cast(tf.size(costs), tf.float32)

    def _for_each_sample(self, body: Callable, carried, count):
        """Calls ``carried = body(k, part, carried)`` for k below ``count`` and every microbatch, one at a time.

        ``part`` takes the microbatch out of a batch. With synchronised BN the replicas meet inside.
        """

        microbatches = self.settings.microbatches

        def one(index, carried):
            k, number = index // microbatches, index % microbatches
            return body(k, lambda batch: microbatch(batch, number, microbatches), carried)

        written_out = self.network.synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1
        pieces = (self.settings.samples if written_out else count) * microbatches
        return one_after_another(one, carried, pieces, written_out=written_out)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
