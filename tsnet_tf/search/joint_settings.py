"""What gin files say about the joint step of weights and architecture."""

import dataclasses
from typing import Literal

import gin

from tsnet_tf.errors import UserError

CostTerm = Literal["budget", "dual_ascent", "hinge", "normalised"]
Indicator = Literal["accuracy", "likelihood"]
WeightGradient = Literal["importance", "uniform"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointSettings:
    """How a joint step draws, scores and pays (`tsnet_tf.search.joint_step`); in gin files ``joint.``.

    Attributes:
      samples: K, the number of architectures per step; the least number if ``samples_per_nat`` is above 0.
      weight_samples: how many of them train the weights; None for all.
      samples_per_nat: lambda of FP-NAS's adaptive K = max(samples, floor(lambda x entropy in nats)); 1/4 there.
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

    Raises:
      UserError: settings do not go together.
    """

    samples: int = 16
    weight_samples: int | None = None
    samples_per_nat: float = 0.0
    indicator: Indicator = "likelihood"
    temperature: float = 1.0
    cost_term: CostTerm = "budget"
    multiplier: float = 0.3
    multiplier_rate: float = 0.02
    baseline: bool = True
    weight_gradient: WeightGradient = "uniform"
    microbatches: int = 1

    def __post_init__(self):
        if self.weight_samples is not None and not 1 <= self.weight_samples <= self.samples:
            raise UserError(
                f"joint.weight_samples: expected 1 to {self.samples}, joint.samples; found {self.weight_samples}"
            )
        if self.cost_term == "budget" and not self.baseline:
            raise UserError("joint.baseline: expected True with joint.cost_term = 'budget', found False")


settings_from_gin = gin.external_configurable(JointSettings, "joint")
