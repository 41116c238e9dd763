"""The plot shows every published model once, by its name, and the front by hand."""

import matplotlib
import pytest

from tsnet_tf.report.figures import DARK, LIGHT
from tsnet_tf.report.trade_off import Point, figure_of, pareto_front, published


def test_front_by_hand():
    cheap, better, worse, best = Point("a", 1, 50), Point("b", 2, 60), Point("c", 3, 55), Point("d", 4, 70)
    assert pareto_front([worse, best, better, cheap, Point("e", 2, 58)]) == [cheap, better, best]


def test_published_numbers():
    points = {point.name: (point.gmacs, point.top1) for point in published()}
    assert points["X3D-XL"] == (1452, 79.1) and points["Auto-TSNet-S"] == (102, 75.4)
    assert points["SF 16x8 R101"] == (6390, 78.9) and "2-Stream I3D" not in points  # its cost is not published
    assert len(points) == len(published()) == 27


@pytest.mark.parametrize("count, theme", [(1, LIGHT), (3, DARK), (12, LIGHT)], ids=["one", "three-dark", "twelve"])
def test_no_label_overlaps_or_is_cut(assert_readable, count, theme):
    ours = [Point(f"runs/number_{i}", 0.1 * (1 + i % 4) * 2**i, 90.0 + i % 3) for i in range(count)]
    with matplotlib.rc_context(theme.style):
        front = [Point("", 0.1 * i, 80.0 + 3 * i) for i in range(1, 4)]
        figure = figure_of(ours, theme, {"sparse": front} if count > 1 else {})
        shown = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
        assert all(shown.count(point.name) == 1 for point in [*ours, *published()])
        assert_readable(figure)
