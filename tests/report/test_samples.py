"""The sheet of test clips says of each what it was taken for, and of mistakes what it is."""

import matplotlib
import numpy as np
import pytest

from tsnet_tf.evaluation.samples import Samples
from tsnet_tf.report.figures import DARK, LIGHT
from tsnet_tf.report.samples import figure_of

LONG = "pretending to put something behind something"


def sheet(theme, count=5, frames=8, side=24):
    labels = ["walk", "run", LONG, "jump", "sit"][:count]
    predicted = ["walk", "sit", LONG, LONG, "sit"][:count]
    clips = np.random.default_rng(0).integers(0, 256, (count, frames, side, side, 3), np.uint8)
    with matplotlib.rc_context(theme.style):
        return figure_of(Samples(labels, labels, predicted, np.linspace(0.5, 1, count), clips), theme)


@pytest.mark.parametrize("frames, side", [(8, 24), (2, 24), (8, 160)])
def test_readable(assert_readable, frames, side):
    assert_readable(sheet(LIGHT, frames=frames, side=side))


def test_mistakes_are_told_in_words_and_colour():
    shown = {axes.get_title(loc="left") for axes in sheet(DARK).axes}
    assert {"\u2713 walk, 50%", "\u2717 sit, 62%; it is run", "\u2713 sit, 100%"} <= shown
    assert f"\u2713 {LONG[:29]}\u2026, 75%" in shown
    colours = {axes.get_title(loc="left")[:1]: axes._left_title.get_color() for axes in sheet(DARK).axes}
    assert colours["\u2713"] == DARK.ink and colours["\u2717"] == DARK.second


def test_frames_are_in_order_side_by_side():
    figure = sheet(LIGHT, count=1)
    [image] = figure.axes[0].images
    strip = image.get_array()
    assert strip.shape == (24, 8 * 25 - 1, 4)
    clip = np.random.default_rng(0).integers(0, 256, (1, 8, 24, 24, 3), np.uint8)[0]
    np.testing.assert_array_equal(strip[:, 25:49, :3], clip[1])
    assert not strip[:, 24, 3].any()  # the line between them is as the page
