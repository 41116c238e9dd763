"""A search that cannot decide, or has not decided, says so with figures."""

from types import SimpleNamespace

from tsnet_tf.search import evidence


def settings(validation=200, training=1000, alpha_warmup=0.1):
    videos = {("validation",): validation, ("train",): training}
    return SimpleNamespace(
        dataset=SimpleNamespace(num_videos=videos.__getitem__),
        validation_splits=("validation",),
        train_splits=("train",),
        alpha_warmup=alpha_warmup,
    )


def test_enough_of_everything_is_no_warning():
    assert not list(evidence.before(settings(), 5, 1000, 0.025, 7))


def test_few_videos():
    said = list(evidence.before(settings(validation=5, training=10), 5, 1000, 0.025, 7))
    assert said[0].startswith("search.validation_splits: 5 videos decide") and "20.0 %" in said[0]
    assert said[1].startswith("search.train_splits: 10 videos of 5 classes")


def test_steps_that_cannot_move_alpha_far_enough():
    """In 20 of 40 steps alpha goes 20 x 0.025 = 0.5 up, as much down: e / (e + 6) = 31 %; 80 steps would do: 55 %."""
    [line] = evidence.before(settings(alpha_warmup=0.5), 5, 40, 0.025, 7)
    assert line.startswith("alpha moves in 20 of 40 steps") and "31 %" in line
    assert not list(evidence.before(settings(alpha_warmup=0.5), 5, 80, 0.025, 7))
    assert not list(evidence.before(settings(alpha_warmup=1.0), 5, 40, 0.025, 7))  # at rest on purpose


def test_an_entropy_that_stays_and_a_budget_that_is_missed():
    summary = {
        "step": "sparse",
        "entropy_nats": {"start": 37.6, "end": 37.5},
        "selection": "the best of 16",
        "params_m": 2.1,
        "target_params_m": 2.0,
    }
    said = list(evidence.after(summary, "params_m", 0.1))
    assert said[0].startswith("sparse: the search has decided next to nothing, its entropy went from 37.6 to 37.5 nats")
    assert said[1] == "sparse: expected params_m of at most 2, found 2.1"
    assert len(list(evidence.after(summary | {"params_m": 2.03}, "params_m", 1.0))) == 0
    latency = {"latency_ms": 1.0, "measured_latency_ms": 3.0, "target_latency_ms": 2.0}
    assert "found 3" in list(evidence.after(summary | latency, "latency_ms", 1.0))[0]
