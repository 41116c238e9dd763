"""The pictures of P(A | alpha) show every choice and every candidate, from the beginning of the search to its end."""

import matplotlib
import numpy as np
import pytest

from tsnet_tf.report import distribution, figures
from tsnet_tf.report.figures import LIGHT
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, only

SPACE = table1(depths=((1, 1),) * 4)
SMALL = only(table1(depths=((1,),)), ("sparse",))


def row(step, space=SPACE):
    found = choices(space)
    width = max(len(choice.values) for choice in found)
    cells = [[1 / len(choice.values)] * len(choice.values) for choice in found]
    return {"step": step, "probabilities": [c + [0.0] * (width - len(c)) for c in cells]}


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_visible()]


def test_readable(assert_readable):
    with matplotlib.rc_context(LIGHT.style):  # the themes differ in colours only
        assert_readable(distribution.heat_map(SPACE, row(10), LIGHT))
        assert_readable(distribution.film_strip(SPACE, [row(1), row(3000)], LIGHT))


def test_every_choice_has_a_row_and_every_candidate_a_cell():
    shown = texts(distribution.heat_map(SPACE, row(10), LIGHT))
    found = choices(SPACE)
    assert sum(text.startswith(("sparse/s", "dense/s")) for text in shown) == len(found)
    first = next(choice for choice in found if choice.kind == "expansion")
    assert [f"{v:g}" for v in first.values][0] in shown
    assert {"to ch.", "sampl.", "conv.", "on", "off"} <= set(shown)


def test_cells_are_the_probabilities():
    one = row(5)
    one["probabilities"][0][:3] = [0.7, 0.2, 0.1]
    figure = distribution.heat_map(SPACE, one, LIGHT)
    image = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ma.filled(image, np.nan)[0][:3], [0.7, 0.2, 0.1])


@pytest.fixture
def steps_shown(monkeypatch):
    """Draws the film strip of some rows and returns the steps that it shows."""

    def draw(metrics):
        figures_made = []
        monkeypatch.setattr(figures, "save_themes", lambda make, path, kinds: figures_made.append(make(LIGHT)))
        distribution.draw_film_strip(SMALL, metrics, "strip")
        return [text for text in texts(figures_made[0]) if text.startswith("step ")]

    return draw


def test_film_strip_is_from_the_first_to_the_last(steps_shown):
    metrics = [{"step": 1, "loss": 1.0}, *(row(step, SMALL) for step in range(10, 310, 10))]
    # 30 rows, 6 frames: rows 0, 6 (5.8), 12 (11.6), 17 (17.4), 23 (23.2) and 29
    assert steps_shown(metrics) == [f"step {step}" for step in (10, 70, 130, 180, 240, 300)]


def test_a_short_search_has_fewer_frames(steps_shown):
    assert steps_shown([row(1, SMALL), row(2, SMALL)]) == ["step 1", "step 2"]


def test_a_fusion_of_ones_own_is_shown_by_its_name():
    assert distribution._short("new_kind") == "new_kind" and distribution._short(1) == "1"


def test_raster_has_the_colours_of_the_probabilities():
    one = row(1, SMALL)["probabilities"]
    one[0] = [1.0, 0.0, *one[0][2:]]
    raster = distribution.raster(SMALL, one, LIGHT)
    cells = [raster[8, 24], raster[8, 48 + 24]]  # in the middle of the first two cells of the first row
    np.testing.assert_array_equal(cells, [[int(c * 255) for c in LIGHT.scale(p)[:3]] for p in (1.0, 0.0)])
    rows, kinds = len(choices(SMALL)), len({choice.kind for choice in choices(SMALL)})
    assert raster.shape == (16 * (rows + kinds - 1), 48 * 7, 3)  # an empty row between two kinds; 7 expansions
