"""The joint step: hand-computed with a planted network, and as a whole with the real supernet."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search.joint_settings import JointSettings
from tsnet_tf.search.joint_step import SearchModel
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, only, pick, restrict, values_of
from tsnet_tf.training import fused_optimizers

PAPERS = {"indicator": "accuracy", "cost_term": "dual_ascent", "weight_gradient": "importance"}

TINY = {"sparse_width": 0.125, "dense_width": 0.25, "depths": ((1,), (1,)), "resolution": 32, "classes": 4}
TINY |= {"hidden": 8, "dropout": 0.0}


def one_choice():
    """Two architectures: the first group's spatial kernel is 3 or 5."""
    space = only(table1(**TINY), ("sparse",))
    return restrict(space, ("sparse/s1/g1/spatial_kernel",), values_of(smallest(space)))


class Planted(keras.Model):
    """Says class 0 or 1, as the first choice is; never class 2. Its one weight is a gain on the logits."""

    def __init__(self, space):
        super().__init__()
        self.space, self.synchronized = space, False
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones")
        self.built = True

    def call(self, clips, architecture=None, training=False):
        logits = self.gain * tf.one_hot(architecture[0], 2)
        logits = tf.concat([logits, [-30.0]], 0)
        return tf.repeat(logits[None], tf.shape(clips)[0], 0)


def planted(labels, steps=1, network=None, alpha_rate=1.0, weight_rate=0.0, target=None, seed=0, **settings):
    """A search over `one_choice` with plain gradient descent, after ``steps`` steps on ``labels``."""
    network = network or Planted(one_choice())
    target = target or 1e3  # nobody pays
    alpha = {"alpha_optimizer": fused_optimizers.SGD(alpha_rate)}
    alpha["alpha_warmup_steps"] = settings.pop("alpha_warmup_steps", 0)
    settings = JointSettings(**{"samples": 2, **PAPERS, **settings})
    model = SearchModel(network, settings, target=target, seed=seed, **alpha)
    model.compile(keras.optimizers.SGD(weight_rate), jit_compile=False)
    labels = tf.constant(labels)
    batch = (tf.zeros([len(labels), 1, 1, 1, 3]), labels)
    step = tf.function(model.train_step)
    for _ in range(steps):
        model.last = step((batch, batch))
    return model


def drawn(model, step=0):
    """What the step draws as long as alpha is zero."""
    logits = tf.zeros(model.distribution.shape)
    return model.distribution.sample(logits, model.settings.samples, [model.seed, step]).numpy()


def seed_that_draws(*values):
    model = planted([0], steps=0, samples=len(values))
    for model.seed in range(200):
        if drawn(model)[:, 0].tolist() == list(values):
            return model.seed
    raise AssertionError("no such seed")


def test_alpha_moves_as_computed_by_hand():
    """K = 2, one architecture all right and one all wrong: r = (0, 1), p = (1/2, 1/2), without baseline."""
    model = planted([1, 1], seed=seed_that_draws(0, 1), baseline=False)
    # gradient = 1 x (p - one_hot(1)) = (1/2, -1/2)
    np.testing.assert_allclose(np.array(model.alpha), [[-0.5, 0.5]], atol=1e-6)


def test_baseline_takes_the_mean_off():
    model = planted([1, 1], seed=seed_that_draws(0, 1))
    # m = (-1/2, 1/2): -1/2 (p - one_hot(0)) + 1/2 (p - one_hot(1)) = (1/2, -1/2)
    np.testing.assert_allclose(np.array(model.alpha), [[-0.5, 0.5]], atol=1e-6)
    alike = planted([1, 1], seed=seed_that_draws(1, 1))
    np.testing.assert_allclose(np.array(alike.alpha), [[0.0, 0.0]], atol=1e-6)


def test_shares_follow_accuracy():
    """Three quarters of the labels are 1: r = (1/4, 3/4)."""
    model = planted([1, 1, 1, 0], seed=seed_that_draws(0, 1), baseline=False)
    # (1/4) (1/2 - 1, 1/2) + (3/4) (1/2, 1/2 - 1) = (1/4, -1/4)
    np.testing.assert_allclose(np.array(model.alpha), [[-0.25, 0.25]], atol=1e-6)


def test_uniform_shares_when_nothing_is_right():
    """All labels are 2: every indicator is 0, r = (1/2, 1/2), and two equal samples move alpha by p - one_hot."""
    model = planted([2, 2], seed=seed_that_draws(0, 0), baseline=False)
    np.testing.assert_allclose(np.array(model.alpha), [[0.5, -0.5]], atol=1e-6)
    assert float(model.last["indicator"]) == 0
    assert np.isfinite(float(model.last["loss"]))


def test_likelihood_is_a_softmax_of_the_negative_cross_entropy():
    """Cross-entropies differ by 1 on label 1, so r = softmax(0, 1 / temperature)."""
    model = planted([1, 1], seed=seed_that_draws(0, 1), baseline=False, indicator="likelihood", temperature=0.5)
    share = np.exp(2) / (1 + np.exp(2))
    np.testing.assert_allclose(np.array(model.alpha), [[0.5 - share, share - 0.5]], atol=1e-5)


def costs_of_one_choice():
    space = one_choice()
    return [complexity(pick(space, {c.label: v for c in choices(space)})).gmacs for v in (3, 5)]


@pytest.mark.parametrize("cost_term", ["hinge", "normalised", "dual_ascent"])
def test_what_exceeds_the_target_pays(cost_term):
    """Only the costlier of the two is over the target; both are equally wrong, so r = (1/2, 1/2)."""
    cheap, dear = costs_of_one_choice()
    settings = {"baseline": False, "target": cheap, "cost_term": cost_term, "multiplier": 400.0}
    model = planted([2, 2], seed=seed_that_draws(0, 1), **settings)
    pays = 400.0 if cost_term == "normalised" else 400.0 * (dear / cheap - 1) / 2
    # m = (1/2, 1/2 - pays): gradient of the first logit 1/2 (1/2 - 1) + (1/2 - pays) 1/2 = -pays / 2
    np.testing.assert_allclose(np.array(model.alpha), [[pays / 2, -pays / 2]], rtol=2e-3)


def test_multiplier_follows_the_cost_of_the_most_probable():
    cheap, dear = costs_of_one_choice()
    settings = {"alpha_rate": 0.0, "multiplier": 0.3, "multiplier_rate": 0.1, "seed": seed_that_draws(0, 1)}
    over = planted([1], target=cheap / 2, **settings)
    # Before alpha has moved the first candidate counts as the most probable: the cheap one, at twice the target.
    assert float(over.multiplier) == pytest.approx(0.3 * np.exp(0.1 * (2 - 1)), rel=1e-4)
    assert float(planted([1], target=2 * dear, **settings).multiplier) < 0.3
    assert float(planted([1], target=cheap / 2, cost_term="hinge", **settings).multiplier) == pytest.approx(0.3)


def test_alpha_stands_still_in_warm_up_and_weights_move():
    settings = {"weight_rate": 0.1, "alpha_warmup_steps": 3, "target": 1e-3, "seed": seed_that_draws(0, 1)}
    early = planted([1, 1], steps=3, **settings)
    assert not np.array(early.alpha).any()
    assert float(early.multiplier) == pytest.approx(0.3)
    assert float(early.network.gain) != 1
    late = planted([1, 1], steps=12, **settings)
    assert np.array(late.alpha).any()


@pytest.mark.parametrize("frozen", [0, 1_000, 20_000])
def test_the_first_update_of_alpha_is_one_learning_rate_however_long_it_was_frozen(frozen):
    """Adam's first step has the size of its rate; after frozen steps with zero gradients it would be up to 6 times."""
    model = planted([1, 1], steps=0, seed=seed_that_draws(0, 1))
    model.alpha_optimizer = fused_optimizers.Adam(0.025)
    model.alpha_optimizer.build([model.alpha])

    @tf.function
    def update(times, moves):
        for _ in tf.range(times):
            model.alpha_optimizer.apply_if(moves, [tf.constant([[1.0, -1.0]])], [model.alpha])

    update(frozen, tf.constant(False))
    assert int(model.alpha_optimizer.iterations) == 0 and not np.array(model.alpha).any()
    assert int(model.alpha_optimizer.waited) == frozen
    left = {v.name for v in model.alpha_optimizer.variables if np.array(v).any()}
    assert left == {"learning_rate"} | ({"waited"} if frozen else set())  # no moments
    update(1, tf.constant(True))
    np.testing.assert_allclose(np.array(model.alpha), [[-0.025, 0.025]], rtol=1e-4)


def test_a_frozen_step_does_not_call_alphas_optimizer():
    model = planted([1, 1], steps=3, seed=seed_that_draws(0, 1), weight_rate=0.1, alpha_warmup_steps=3)
    assert int(model.alpha_optimizer.iterations) == 0 and int(model.optimizer.iterations) == 3


def test_the_multiplier_stays_within_its_bounds():
    """Far below the target for long it would fall to nothing, and what is dear would cost nothing ever after."""
    cheap, dear = costs_of_one_choice()
    settings = {"alpha_rate": 0.0, "multiplier": 0.3, "multiplier_rate": 5.0, "seed": seed_that_draws(0, 1)}
    assert float(planted([1], steps=20, target=50 * dear, **settings).multiplier) == pytest.approx(0.003)
    assert float(planted([1], steps=20, target=cheap / 5, **settings).multiplier) == pytest.approx(30.0)


def test_with_a_budget_only_what_fits_is_drawn_and_nothing_pays():
    cheap, dear = costs_of_one_choice()
    model = planted([1, 1], samples=8, target=(cheap + dear) / 2, cost_term="budget")
    assert float(model.last["sampled_gmacs"]) == pytest.approx(cheap, rel=1e-5)
    assert not np.array(model.alpha).any()  # there is nothing to choose between
    both = planted([1, 1], samples=8, target=2 * dear, cost_term="budget")
    assert cheap < float(both.last["sampled_gmacs"]) < dear and np.array(both.alpha)[0, 1] > 0


def test_only_the_first_architectures_train_the_weights():
    """Of (1, 0), both right on nothing but label 1: the loss is that of architecture 1 alone."""
    settings = {"seed": seed_that_draws(1, 0), "weight_gradient": "uniform", "alpha_rate": 0.0}
    model = planted([1, 1], weight_samples=1, **settings)
    assert float(model.last["loss"]) == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-5)


def test_each_update_leaves_the_other_part_alone():
    seed = seed_that_draws(0, 1)
    weights_only = planted([1, 1], alpha_rate=0.0, weight_rate=0.1, seed=seed)
    assert not np.array(weights_only.alpha).any() and float(weights_only.network.gain) != 1
    alpha_only = planted([1, 1], alpha_rate=1.0, weight_rate=0.0, seed=seed)
    assert np.array(alpha_only.alpha).any() and float(alpha_only.network.gain) == 1


def test_weights_follow_the_shares():
    """Only the right architecture has a share, so the loss is its cross-entropy: -log softmax(0, 1)[1]."""
    model = planted([1, 1], seed=seed_that_draws(0, 1), weight_rate=1.0, alpha_rate=0.0)
    assert float(model.last["loss"]) == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-5)
    # d/dgain log(1 + exp(-gain)) at 1 is -1 / (1 + e)
    assert float(model.network.gain) == pytest.approx(1 + 1 / (1 + np.e), rel=1e-5)


def test_validation_batch_moves_alpha_and_training_batch_moves_weights():
    seed = seed_that_draws(0, 1)
    model = planted([1], steps=0, seed=seed, weight_rate=1.0, baseline=False)
    clips = tf.zeros([2, 1, 1, 1, 3])
    # In validation only label 0: architecture 0 has the whole share. In training label 1, which it gets wrong.
    model.train_step(((clips, tf.constant([1, 1])), (clips, tf.constant([0, 0]))))
    np.testing.assert_allclose(np.array(model.alpha), [[0.5, -0.5]], atol=1e-6)
    assert float(model.network.gain) < 1


def test_state_of_search_by_hand():
    model = planted([1], steps=0)
    state = model.state_of_search()
    assert state["entropy"] == pytest.approx(np.log(2), rel=1e-6)
    assert state["entropy/spatial_kernel"] == pytest.approx(np.log(2), rel=1e-6)
    assert state["expected_gmacs"] == pytest.approx(sum(costs_of_one_choice()) / 2, rel=1e-5)


# From here on with the real supernet.


def real_search(execution="slice", seed=0):
    keras.utils.set_random_seed(seed)
    space = table1(sparse_frames=2, dense_frames=4, **TINY)
    free = ("dense/*/channels", "dense/*/temporal_kernel", "sparse/*/fusion")
    space = restrict(space, free, values_of(smallest(space)))
    model = SearchModel(
        TwoStreamModel(space, execution=execution),
        JointSettings(samples=2, **{**PAPERS, "indicator": "likelihood"}),
        target=1e-3,
        alpha_optimizer=fused_optimizers.Adam(0.1),
        seed=seed,
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return model


def batches(count, seed=0):
    random = np.random.default_rng(seed)

    def batch():
        return random.integers(0, 256, (4, 4, 32, 32, 3), np.uint8), random.integers(0, 4, 4)

    data = [(batch(), batch()) for _ in range(count)]
    arrays = tf.nest.map_structure(lambda *leaves: np.stack(leaves), *data)
    return tf.data.Dataset.from_tensor_slices(arrays)


def state(model):
    return [np.array(v) for v in (*model.network.weights, model.alpha, model.multiplier)]


@pytest.fixture(scope="module")
def fitted():
    """A model after `fit` on two steps, with its state before and after."""
    model = real_search()
    before = state(model)
    history = model.fit(batches(2), verbose=0)
    return model, before, state(model), history.history


def test_fit_works_on_one_host(fitted):
    model, before, after, history = fitted
    assert set(history) == {"loss", "indicator", "sampled_gmacs", "samples"}
    assert np.isfinite(list(itertools.chain(*history.values()))).all()
    assert any((old != new).any() for old, new in zip(before[:-2], after[:-2], strict=True))
    assert (before[-2] != after[-2]).any() and before[-1] != after[-1]


def test_closed_choices_have_no_logits(fitted):
    model = fitted[0]
    labels = [c.label for c in model.distribution.choices]
    assert labels == [c.label for c in choices(model.network.space)]
    assert model.alpha.shape[0] == len(labels) and all(not label.endswith("attention") for label in labels)
    assert not any("glore" in v.path for v in model.network.weights)


def test_the_two_optimizers_share_no_variable(fitted):
    model = fitted[0]
    trained = {id(v) for v in model.network.trainable_variables}
    assert id(model.alpha) not in trained and id(model.multiplier) not in trained
    assert {id(v) for v in model.trainable_variables} == trained
    assert not {id(v) for v in model.optimizer.variables} & {id(v) for v in model.alpha_optimizer.variables}


def test_one_trace_for_all_architectures_and_equal_runs_for_equal_seeds(fitted):
    """Step by step, in a graph of its own, a second model does what `fit` did; every step uses the same trace."""
    model = real_search()
    step = tf.function(model.train_step)
    for batch in batches(2):
        step(batch)
    for found, expected in zip(state(model), fitted[2], strict=True):
        np.testing.assert_array_equal(found, expected)
    for batch in batches(3, seed=1):
        step(batch)
    assert step.experimental_get_tracing_count() == 1


def test_candidates_that_were_never_drawn_stand_still():
    """The baseline's rounding errors are no gradient; Adam would make steps of them."""
    space = only(table1(**TINY), ("sparse",))
    space = restrict(space, ("sparse/*/temporal_kernel", "sparse/*/expansion"), values_of(smallest(space)))
    model = SearchModel(
        Planted(space),
        JointSettings(samples=3, multiplier=0.37, **PAPERS),
        target=1e-3,
        alpha_optimizer=fused_optimizers.Adam(0.1),
    )
    model.compile(keras.optimizers.SGD(0.0))
    batch = (tf.zeros([3, 1, 1, 1, 3]), tf.constant([0, 1, 1]))
    architectures = drawn(model)
    model.train_step((batch, batch))
    alpha = np.array(model.alpha)
    moved = np.abs(alpha) > 1e-6
    for row, choice in enumerate(model.distribution.choices):
        never = set(range(len(choice.values))) - set(architectures[:, row].tolist())
        assert not moved[row, sorted(never)].any(), (choice.label, alpha[row])
    assert moved.any()


@pytest.mark.slow
def test_masks_compile_with_xla_and_move_everything_as_slices_do():
    """What a TPU would run: static shapes, the whole joint step one XLA program."""
    found = {}
    for execution in ("slice", "mask"):
        model = real_search(execution)
        # XLA has random numbers of its own: both are given the same architectures.
        drawn = tf.constant(
            [[len(c.values) - 1 for c in model.distribution.choices], [0] * model.distribution.shape[0]]
        )
        model.distribution.sample = lambda *_, drawn=drawn: drawn
        before = state(model)
        step = tf.function(model.train_step, jit_compile=execution == "mask")
        for batch in batches(2):
            step(batch)
        found[execution] = [after - start for after, start in zip(state(model), before, strict=True)]
    largest = max(np.abs(update).max() for update in found["slice"][:-2])
    for sliced, masked in zip(found["slice"], found["mask"], strict=True):
        np.testing.assert_allclose(masked, sliced, rtol=0, atol=1e-3 * max(np.abs(sliced).max(), 1e-3 * largest))
    assert np.abs(found["slice"][-2]).max() > 0.05  # alpha has moved


def test_the_number_of_samples_follows_the_entropy_without_a_retrace():
    """K = max(2, floor(4 H)): one choice of two at alpha 0 has ln 2 nats, K = 2; a lambda of 8 gives 5."""
    for samples_per_nat, count in ((4.0, 2), (8.0, 5)):
        model = planted([1, 1], samples=2, samples_per_nat=samples_per_nat, alpha_rate=0.0)
        assert float(model.last["samples"]) == count
    model = planted([1, 1], steps=0, samples=2, samples_per_nat=8.0, alpha_rate=0.0)
    step, batch = tf.function(model.train_step), (tf.zeros([2, 1, 1, 1, 3]), tf.constant([1, 1]))
    counts = []
    for logit in (0.0, 1.0, 3.0):
        model.alpha.assign([[0.0, logit]])
        model.means["samples"].reset_state()
        counts.append(float(step((batch, batch))["samples"]))
    assert counts == [5, 4, 2]  # 0.69, 0.58 and 0.19 nats
    assert step.experimental_get_tracing_count() == 1


def test_uniform_weights_count_every_sample_alike():
    """Both architectures count one half: the mean of log(1 + e) and log(1 + 1/e) on label 1."""
    settings = {"seed": seed_that_draws(0, 1), "weight_gradient": "uniform", "alpha_rate": 0.0}
    model = planted([1, 1], **settings)
    expected = (np.log(1 + np.e) + np.log(1 + np.exp(-1))) / 2
    assert float(model.last["loss"]) == pytest.approx(expected, rel=1e-5)
