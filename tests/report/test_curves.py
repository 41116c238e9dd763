"""Curves of every run, and only the panels that something was recorded for."""

import matplotlib
import pytest

from tsnet_tf.report.curves import figure_of
from tsnet_tf.report.figures import DARK, LIGHT

SEARCH = [
    {"step": s, "entropy": 40.0 - s, "entropy/channels": 20.0 - s, "loss": 3.0 - 0.2 * s, "indicator": 0.01 * s}
    for s in range(1, 11)
]
COST = {"expected_gmacs": 0.0123, "target_gmacs": 0.012}
MILLISECONDS = {"expected_latency_ms": 21.5, "target_latency_ms": 20.0}
ALL_OF_ONE_SEARCH = ["entropy, nats", "entropy by kind, share left", "training loss", "indicator (validation)"]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_readable_however_long_the_names_are(assert_readable, theme):
    with matplotlib.rc_context(theme.style):
        runs = {
            name: [row | COST for row in SEARCH]
            for name in ("sparse", "/a/folder/of/a/long/name/and $more$/runs/sparse")
        }
        assert_readable(figure_of(runs, theme))


@pytest.mark.parametrize(
    "cost, title", [(COST, "expected GMACs per view"), (MILLISECONDS, "expected latency, ms")], ids=["gmacs", "ms"]
)
def test_cost_is_that_of_the_search(cost, title):
    found = titles(figure_of({"sparse": [row | cost for row in SEARCH]}, LIGHT))
    assert set(found) == {*ALL_OF_ONE_SEARCH, title}


def test_a_training_has_loss_and_accuracy():
    rows = [{"step": s, "loss": 3.0 - s, "accuracy": 0.1 * s} for s in range(3)]
    figure = figure_of({"train": rows}, LIGHT)
    assert titles(figure) == ["training loss", "training accuracy"]
    assert figure.axes[1].lines[0].get_ydata().tolist() == pytest.approx([0.0, 0.1, 0.2])


def test_what_one_run_lacks_is_said():
    first, second = figure_of({"a": SEARCH, "b": [{"step": 1, "entropy": 3.0}]}, LIGHT).subfigs
    assert not any(axes.texts for axes in first.axes)
    assert [[text.get_text() for text in axes.texts] for axes in second.axes] == [[], *[["not recorded"]] * 3]
    assert second.axes[0].lines[0].get_marker() == "o"  # the only value is seen
