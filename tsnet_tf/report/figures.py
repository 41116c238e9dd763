"""Writes matplotlib figures, light and dark; no display and no global state."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from tsnet_tf import atomic
from tsnet_tf.report import fonts

PNG_DOTS_PER_INCH = 160
SHOWN = ("svg",)  # kinds of file that a page shows
EVERY_KIND = ("png", "svg")
STYLE = {
    "font.size": 10,
    "hatch.linewidth": 0.9,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tsnet_tf",  # equal figures give equal files
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Curves of any number: each stands out from both papers by 3 to 1 (WCAG AA of what is no text).
    "axes.prop_cycle": matplotlib.cycler(color=["#3a85c6", "#c9661b", "#2f9055", "#d04d53", "#9470c4", "#9a7459"]),
}


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of a figure. Text in ``ink`` and ``pale`` has WCAG AA contrast on ``paper`` and on ``panel``.

    Attributes:
      suffix: what the file name ends with.
      paper: the background.
      panel: of what stands out from it a little.
      ink, pale: of text and lines, and of what matters less.
      first, second: of two curves, or of ours and theirs.
      full: of a cell that holds everything.
    """

    suffix: str
    paper: str
    panel: str
    ink: str
    pale: str
    first: str
    second: str
    full: str

    @property
    def style(self) -> dict:
        """Settings for `matplotlib.rc_context`."""
        places = ("text.color", "axes.labelcolor", "axes.titlecolor", "axes.edgecolor", "xtick.color", "ytick.color")
        return {
            **STYLE,
            **dict.fromkeys(places, self.ink),
            "axes.facecolor": self.paper,
            "figure.facecolor": self.paper,
        }

    @property
    def scale(self) -> Colormap:
        """Colours of cells, from 0 to 1."""
        return LinearSegmentedColormap.from_list("scale", [self.panel, self.first, self.full])


LIGHT = Theme("", "#ffffff", "#f3f4f6", "#2b2f36", "#5c636d", "#2f6fab", "#c8342b", "#0b2f5c")
DARK = Theme("_dark", "#16191d", "#23282f", "#e8eaed", "#a9b1bc", "#6fb1f0", "#ff8a80", "#e3f0ff")


def ink_on(colour: Sequence[float]) -> str:
    """Black or white, whichever has the higher contrast (WCAG 2.1) on ``colour``, red, green and blue of 0 to 1."""
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))
    return "black" if luminance > 0.179 else "white"


def plain(name: str) -> str:
    """A name as matplotlib shows it letter by letter; between two dollar signs it would read a formula."""
    return name.replace("$", r"\$")


Make = Callable[[Theme], Figure]  # draws a figure in the theme it is given


def pixels(make: Make, theme: Theme, dots_per_inch: int) -> np.ndarray:
    """What ``make`` draws, uint8 ``[height, width, 3]``."""
    with matplotlib.rc_context({**theme.style, "figure.dpi": dots_per_inch}):
        figure = make(theme)
        fonts.make_readable(figure)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save(figure: Figure, path: str, kinds: Sequence[str] = EVERY_KIND) -> list[str]:
    """Writes ``<path>.png`` and ``<path>.svg``, each whole or not at all, on any file system TensorFlow knows.

    Returns:
      The file names, one for each of ``kinds``.
    """
    written = []
    fonts.make_readable(figure)
    engine = figure.get_layout_engine()
    if engine is not None:  # once for all files: it takes as long as the drawing
        engine.execute(figure)
        figure.set_layout_engine("none")
    for kind in kinds:
        content = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else None
        with matplotlib.rc_context(STYLE):
            figure.savefig(content, format=kind, dpi=PNG_DOTS_PER_INCH, metadata=metadata)
        atomic.write_bytes(f"{path}.{kind}", content.getvalue())
        written.append(f"{path}.{kind}")
    return written


def save_themes(make: Make, path: str, kinds: Sequence[str] = SHOWN) -> list[str]:
    """Writes what ``make`` draws for each theme: ``<path>.svg`` and ``<path>_dark.svg``, or files of other ``kinds``.

    Returns:
      The file names.
    """
    written = []
    for theme in (LIGHT, DARK):
        with matplotlib.rc_context(theme.style):
            figure = make(theme)
        written += save(figure, path + theme.suffix, kinds)
    return written
