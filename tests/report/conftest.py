"""What every picture is held to."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


@pytest.fixture
def assert_readable():
    """Asserts that no two texts of a matplotlib figure overlap, and that none reaches beyond the figure."""

    def check(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        shown = [text for text in found if text not in beyond_the_axes(figure)]
        boxes = [(text.get_text(), Text.get_window_extent(text, canvas.get_renderer())) for text in shown]
        for text, box in boxes:
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert inside, f"'{text}' is cut"
        for (text, box), (other, other_box) in itertools.combinations(boxes, 2):
            assert not box.overlaps(other_box), f"'{text}' overlaps '{other}'"

    return check


def beyond_the_axes(figure):
    """Labels of ticks that matplotlib keeps and does not draw."""
    labels = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                labels |= {tick.label1, tick.label2}
    return labels
