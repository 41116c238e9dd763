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
from typing import Literal

import keras
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.cost_tables import GMACS, CostModel, CostTables
from tsnet_tf.search.distribution import ArchitectureDistribution
from tsnet_tf.training.accumulation import microbatch, one_after_another

CostTerm = Literal["budget", "dual_ascent", "hinge", "normalised"]
Indicator = Literal["accuracy", "likelihood"]
WeightGradient = Literal["importance", "uniform"]
MULTIPLIER_RANGE = 100.0  # dual ascent keeps the multiplier within this factor of its start, up and down


class SearchModel(keras.Model):
    """A supernet with the distribution over its architectures; `train_step` is the joint step.

    Data of a step: ``((clips, labels), (validation_clips, validation_labels))``, clips uint8
    ``[batch, frames, height, width, 3]`` and labels int ``[batch]``.

    Args:
      network: the supernet.
      target: the cost that the search should come out at.
      least: the part of the target that an architecture must cost at least, where only those within it are drawn.
      cost_model: what is counted; by default GMACs per view.
      alpha_optimizer: updates alpha; the weights have the optimizer given to `compile`.
      samples: K, the number of architectures per step; the least number if ``samples_per_nat`` is above 0.
      weight_samples: how many of them train the weights; None for all.
      samples_per_nat: lambda of FP-NAS's adaptive K = max(samples, floor(lambda x entropy in nats)); 1/4 there.
      alpha_warmup_steps: steps at the start in which alpha stands still while the weights settle; its optimizer is not
        called.
      indicator: "accuracy" (the paper), or "likelihood": exp(-cross-entropy / temperature).
      temperature: of the likelihood.
      cost_term: "budget": only architectures within the target are drawn. Or a penalty on those that exceed it:
        "dual_ascent" (hinge with a multiplier that follows the most probable architecture's cost), "hinge" (fixed
        multiplier) or "normalised" (FP-NAS: each architecture's share of the excess, fixed multiplier).
      multiplier: the penalty's weight, or its start for dual ascent.
      multiplier_rate: dual ascent multiplies it by exp(rate x (cost / target - 1)) in every step.
      baseline: whether the mean over the K architectures is taken off m_k, which lowers the variance. (The mean over
        the other K - 1 differs by the factor K / (K - 1), which Adam does not see.)
      weight_gradient: "importance" (the paper): the weights follow sum_k r_k CE; "uniform": the plain mean over k.
      microbatches: into how many parts the batches are cut to save memory; each has BN statistics of its own.
      seed: of the sampled architectures.
    """

    def __init__(
        self,
        network: TwoStreamModel,
        *,
        target: float,
        least: float = 0.0,
        cost_model: CostModel = GMACS,
        alpha_optimizer: keras.optimizers.Optimizer,
        samples: int = 16,
        weight_samples: int | None = None,
        samples_per_nat: float = 0.0,
        alpha_warmup_steps: int = 0,
        indicator: Indicator = "likelihood",
        temperature: float = 1.0,
        cost_term: CostTerm = "budget",
        multiplier: float = 0.3,
        multiplier_rate: float = 0.02,
        baseline: bool = True,
        weight_gradient: WeightGradient = "uniform",
        microbatches: int = 1,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if samples_per_nat and network.synchronized:
            raise UserError("joint.samples_per_nat: expected 0 with synchronised BN, whose loop is written out")
        if weight_samples is not None and not 1 <= weight_samples <= samples:
            raise UserError(f"joint.weight_samples: expected 1 to {samples}, joint.samples; found {weight_samples}")
        if cost_term == "budget" and not baseline:
            raise UserError("joint.baseline: expected True with joint.cost_term = 'budget', found False")
        self.network, self.target, self.alpha_optimizer = network, target, alpha_optimizer
        self.samples, self.samples_per_nat, self.weight_samples = samples, samples_per_nat, weight_samples
        self.alpha_warmup_steps, self.weight_gradient, self.seed = alpha_warmup_steps, weight_gradient, seed
        self.microbatches = microbatches
        self.indicator, self.temperature = indicator, temperature
        self.cost_term, self.multiplier_rate, self.baseline = cost_term, multiplier_rate, baseline
        self.distribution = ArchitectureDistribution(network.space)
        self.costs = CostTables(network.space, cost_model)
        within = cost_term == "budget"
        self.drawn_from = BudgetedDistribution(network.space, target, least * target, cost_model) if within else None
        self.multiplier_bounds = (multiplier / MULTIPLIER_RANGE, multiplier * MULTIPLIER_RANGE)
        # Not trainable in Keras's sense: the weights' optimizer must never see them.
        state = {"trainable": False, "dtype": "float32", "aggregation": "only_first_replica"}
        self.alpha = self.add_weight(name="alpha", shape=self.distribution.shape, initializer="zeros", **state)
        self.multiplier = self.add_weight(
            name="multiplier", shape=(), initializer=keras.initializers.Constant(multiplier), **state
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

        weighting = (responsibilities if self.weight_gradient == "importance" else uniform)[: self.weight_samples]
        weighting = tf.math.divide_no_nan(weighting, tf.reduce_sum(weighting))
        loss = self._update_weights(architectures[: self.weight_samples], weighting, clips, labels)
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
        if not self.samples_per_nat:
            return self.samples
        entropy = tf.reduce_sum(self.distribution.entropy(logits))
        return tf.maximum(self.samples, tf.cast(tf.floor(self.samples_per_nat * entropy), tf.int32))

    def _indicators(self, architectures, clips, labels, skip: tf.Tensor) -> tf.Tensor:
        """p_k on the validation batch of all replicas, ``[K]``; zeros if ``skip``."""
        count = architectures.shape[0] if architectures.shape[0] is not None else tf.shape(architectures)[0]

        def one(k, part, found):
            logits = self.network(part(clips), architecture=architectures[k], training=False)
            if self.indicator == "accuracy":
                value = tf.reduce_mean(tf.cast(tf.argmax(logits, 1, labels.dtype) == part(labels), tf.float32))
            else:
                value = tf.reduce_mean(_cross_entropy(part(labels), logits))
            return found + value / self.microbatches * tf.one_hot(k, count)

        found = self._for_each_sample(one, tf.zeros([count]), tf.where(skip, 0, count))
        found = _mean_over_replicas(found)
        if self.indicator == "likelihood":
            # The smallest cross-entropy is taken off before the exponential: only ratios matter, none underflows.
            found = tf.exp((tf.reduce_min(found) - found) / self.temperature)
        return found

    def _update_weights(self, architectures, responsibilities, clips, labels) -> tf.Tensor:
        """One step of the weights' optimizer on the weighted loss; returns that loss on this replica."""
        variables = self.network.trainable_variables
        replicas = tf.distribute.get_strategy().num_replicas_in_sync

        def one(k, part, carried):
            gradients, total = carried
            with tf.GradientTape() as tape:
                logits = self.network(part(clips), architecture=architectures[k], training=True)
                loss = responsibilities[k] * tf.reduce_mean(_cross_entropy(part(labels), logits)) / self.microbatches
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
        if self.baseline:
            gains -= tf.reduce_mean(gains)
        gradient = self.distribution.score_gradient(logits, architectures, gains)
        # With the baseline, candidates that were not drawn have no gradient but rounding errors, and Adam scales up
        # whatever it is given.
        gradient = tf.where(tf.abs(gradient) <= rounding, 0.0, gradient)
        # Every replica has the same gradient, and the optimizer sums over replicas. While alpha is frozen the optimizer
        # is not called: its corrections for the first steps would have expired when alpha thaws.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.alpha_optimizer.apply_if(tf.logical_not(frozen), [gradient / replicas], [self.alpha])
        if self.cost_term == "dual_ascent":
            # The most probable architecture is what will be taken. The mean of those that are drawn costs more, as long
            # as they still explore: what is dear can miss the target by more than what is cheap.
            excess = self.costs.of(self.distribution.most_probable(logits)[None])[0] / self.target - 1.0
            moved = self.multiplier * tf.exp(self.multiplier_rate * excess)
            moved = tf.clip_by_value(moved, *self.multiplier_bounds)
            self.multiplier.assign(tf.where(frozen, self.multiplier, moved))

    def _penalties(self, costs: tf.Tensor) -> tf.Tensor:
        """What each architecture pays for exceeding the target, ``[K]``."""
        if self.cost_term == "budget":
            return tf.zeros_like(costs)
        excess = tf.maximum(0.0, costs / self.target - 1.0)
        if self.cost_term == "normalised":
            return self.multiplier * tf.math.divide_no_nan(excess, tf.reduce_sum(excess))
        return self.multiplier * excess / tf.cast(tf.size(costs), tf.float32)

    def _for_each_sample(self, body: Callable, carried, count):
        """Calls ``carried = body(k, part, carried)`` for k below ``count`` and every microbatch, one at a time.

        ``part`` takes the microbatch out of a batch. With synchronised BN the replicas meet inside.
        """

        def one(index, carried):
            k, number = index // self.microbatches, index % self.microbatches
            return body(k, lambda batch: microbatch(batch, number, self.microbatches), carried)

        written_out = self.network.synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1
        pieces = (self.samples if written_out else count) * self.microbatches
        return one_after_another(one, carried, pieces, written_out=written_out)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
