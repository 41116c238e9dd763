"""Names in scripts that matplotlib's own font does not have."""

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from tsnet_tf import console
from tsnet_tf.report import confusion, figures, fonts


def square(side):
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, side), (side, side), (side, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def add_font(folder, name, characters, side):
    """Installs a font whose ``characters`` are full squares, ``side`` thousandths of the font's size."""
    glyphs = {".notdef": square(0), **{f"u{ord(c):X}": square(side) for c in characters}}
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in characters})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({glyph: (1000, 0) for glyph in glyphs})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    path = folder / f"{name}.ttf"
    builder.save(path)
    font_manager.fontManager.addfont(path)


@pytest.fixture(autouse=True)
def no_other_fonts(monkeypatch):
    """Only what matplotlib brings, whatever is installed here; nothing has been looked up or said."""
    own = [font for font in font_manager.fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    for function in (fonts._fonts_for, fonts._found_in, fonts._tell_once):
        function.cache_clear()
    yield
    for function in (fonts._fonts_for, fonts._found_in, fonts._tell_once):
        function.cache_clear()


@pytest.fixture
def warned(monkeypatch):
    lines = []
    monkeypatch.setattr(console, "warn", lines.append)
    return lines


def dark_pixels(name):
    """Of a name of 100 points at 72 dots per inch, so that the font's size is 100 pixels."""

    def make(_):
        figure = Figure(figsize=(4, 2))
        figure.text(0.1, 0.1, name, fontsize=100)
        return figure

    return int((figures.pixels(make, figures.LIGHT, 72).max(axis=-1) < 128).sum())


def test_a_font_that_has_the_characters_is_used(tmp_path, warned):
    add_font(tmp_path, "Few", "\u8dd1", 400)
    add_font(tmp_path, "Many", "\u8dd1\u6b65", 500)
    assert dark_pixels("\u8dd1\u6b65") == pytest.approx(2 * 50 * 50, rel=0.03)  # two squares of half the size
    assert not warned


def test_fonts_are_put_together(tmp_path, warned):
    add_font(tmp_path, "Han", "\u8dd1", 500)
    add_font(tmp_path, "Hangul", "\ub2ec", 400)
    assert fonts._fonts_for(frozenset("\u8dd1\ub2ec")) in (["Han", "Hangul"], ["Hangul", "Han"])
    assert dark_pixels("\u8dd1\ub2ec") == pytest.approx(50 * 50 + 40 * 40, rel=0.03)
    assert not warned


def test_what_no_font_has_is_told_once(warned):
    for name in ("\u8dd1", "\ub2ec", "caf\u00e9"):
        dark_pixels(name)
    [line] = warned
    assert line.startswith("no installed font has all characters of the names: pictures show boxes for them")


def test_the_own_font_has_european_scripts(warned):
    for name in ("caf\u00e9", "\u0411\u0435\u0433", "\u03b1\u03b2", "run"):
        dark_pixels(name)
    assert not warned


def test_names_on_axes_are_found(tmp_path, warned):
    add_font(tmp_path, "Han", "\u8dd1\u6b65", 500)
    figure = confusion.figure_of(np.eye(2, dtype=int), ["\u8dd1", "\u6b65"], figures.LIGHT)
    fonts.make_readable(figure)
    labels = figure.axes[0].get_xticklabels() + figure.axes[0].get_yticklabels()
    assert len(labels) == 4 and all("Han" in label.get_fontfamily() for label in labels)
