"""The matrix has every class by its name, whatever is in it."""

import matplotlib

from tsnet_tf.report.confusion import figure_of
from tsnet_tf.report.figures import LIGHT


def test_readable_whatever_a_class_is_called(assert_readable):
    labels = ["a $x_{ b$", "$5", "walk <b>", "run"]
    with matplotlib.rc_context(LIGHT.style):
        figure = figure_of([[2, 1, 0, 0], [0, 3, 0, 0], [0, 0, 12, 0], [4, 0, 0, 0]], labels, LIGHT)
        assert_readable(figure)  # draws it
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers == ["2", "1", "3", "12", "4"]
