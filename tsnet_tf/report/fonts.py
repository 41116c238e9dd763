"""Names in any script: pictures use a font that is installed and has their characters, or one line says none has."""

from __future__ import annotations

import functools

from matplotlib import font_manager, ft2font
from matplotlib.figure import Figure
from matplotlib.text import Text

from tsnet_tf import console

_PLACEHOLDERS = ("Last Resort", "LastResort", "Adobe Blank")  # "have" every character
_REGULAR = (400, "normal", "regular")


def make_readable(figure: Figure) -> None:
    """Gives texts further fonts for the characters that their own lacks."""
    for text in figure.findobj(Text):
        characters = frozenset(text.get_text().replace("\n", ""))
        if characters and max(characters) > "\x7f":
            own = font_manager.findfont(text.get_fontproperties())
            others = _fonts_for(characters - _found_in(own, characters))
            if others:
                text.set_fontfamily([*text.get_fontfamily(), *others])


@functools.cache
def _fonts_for(missing: frozenset[str]) -> list[str]:
    """Names of installed fonts that have the characters: the first has most of them, the next most of the rest."""
    names = []
    while missing:
        best = max(font_manager.fontManager.ttflist, key=functools.partial(_worth, missing))
        found = _found_in(best.fname, missing)
        if not found or best.name.startswith(_PLACEHOLDERS):
            _tell_once()
            break
        names.append(best.name)
        missing -= found
    return names


def _worth(missing: frozenset[str], font: font_manager.FontEntry) -> tuple:
    """Orders fonts: by how many characters they have, then a plain style first, then anyhow, but always the same."""
    if font.name.startswith(_PLACEHOLDERS):
        return (-1,)
    plain = font.style == "normal" and font.weight in _REGULAR and "Serif" not in font.name and "Mono" not in font.name
    return len(_found_in(font.fname, missing)), plain, font.name, font.fname


@functools.cache
def _found_in(path: str, characters: frozenset[str]) -> frozenset[str]:
    """Those of the characters that a font has; none if it cannot be drawn at any size, as coloured emoji."""
    try:
        font = ft2font.FT2Font(path)
    except (RuntimeError, OSError):
        return frozenset()
    if not font.scalable:
        return frozenset()
    return frozenset(character for character in characters if font.get_char_index(ord(character)))


@functools.cache
def _tell_once() -> None:
    console.warn(
        "no installed font has all characters of the names: pictures show boxes for them (.svg files do not, where the "
        "browser has such a font); 'Noto Sans CJK' has Chinese, Japanese and Korean ones"
    )
