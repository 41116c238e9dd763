"""Gin files and bindings, read before anything is imported.

What cannot be read is told by its name and place; `tsnet_tf.setting_mistakes` finds what can be and is wrong.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence

import gin
from gin import config_parser

from tsnet_tf import configurables, paths
from tsnet_tf.errors import UserError

ROOT = configurables.PACKAGE.parent  # gin files name each other by their path from here, wherever a binary is started
BASE = os.path.realpath(ROOT / "gin" / "base.gin")  # what all searches and trainings share
FLAG = "--gin_bindings"
_A_PATH = re.compile(r"[~./\\]|.*[/\\]|[\w.-]+\.(gin|json|jsonl|py|csv|keras)$")
_A_WORD = re.compile(r"[A-Za-z_][\w-]*$")


@dataclasses.dataclass(frozen=True)
class Macro:
    """A reference to a macro, ``%name``."""

    name: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference to a configurable, ``@name``, or to what it returns, ``@name()``."""

    name: str
    called: bool


@dataclasses.dataclass(frozen=True)
class Binding:
    """One setting.

    Attributes:
      where: file and line, or the flag.
      selector: what is configured; of a macro, its name.
      parameter: of it; empty for a macro.
      value: with `Macro` and `Reference` in it.
    """

    where: str
    selector: str
    parameter: str
    value: object

    @property
    def name(self) -> str:
        """As gin files have it, without a scope."""
        return f"{self.selector}.{self.parameter}" if self.parameter else self.selector

    @property
    def parts(self) -> Iterator[object]:
        """Everything in the value, at any depth."""
        return _parts_of(self.value)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What gin files and bindings say, in their order.

    Attributes:
      text: all of it in gin's language, with included files in place of their names.
      bindings: the settings; later ones override earlier ones.
      imports: modules that gin files import.
    """

    text: str
    bindings: tuple[Binding, ...]
    imports: tuple[str, ...]

    @functools.cached_property
    def in_force(self) -> dict[str, Binding]:
        """The last binding of every name."""
        return {binding.name: binding for binding in self.bindings}

    @functools.cached_property
    def macros_used(self) -> dict[str, Binding]:
        """Every macro that a value refers to, with a binding that does."""
        return {part.name: binding for binding in self.bindings for part in binding.parts if isinstance(part, Macro)}

    def value(self, name: str) -> object:
        """The value in force, with macros replaced; None if it is not set, or what another configurable returns."""
        return self._resolved(self.in_force[name].value) if name in self.in_force else None

    def _resolved(self, value: object) -> object:
        if isinstance(value, (list, tuple)):
            return type(value)(map(self._resolved, value))
        if isinstance(value, Macro):
            return self.value(value.name)
        return None if isinstance(value, Reference) else value


def find(path: str, what: str = "--gin_file") -> str:
    """A gin file's path: as it is given, or from the project's folder.

    Args:
      path: of the file.
      what: names it, for the message.

    Raises:
      UserError: it is at neither place.
    """
    path = paths.expanded(path)
    places = [path] if os.path.isabs(path) else [path, str(ROOT / path)]
    for place in places:
        if os.path.isfile(place):
            return place
    looked_at = " nor at ".join(f"'{place}'" for place in places)
    raise UserError(f"{what}: expected an existing gin file, found nothing at {looked_at}")


def read(files: Sequence[str], bindings: Sequence[str] = (), *, under: str = "", with_base: bool = True) -> Settings:
    """Reads gin files, with those that they include, and single bindings, which come after them.

    A file that was read before is not included again, and `BASE` comes first, wherever it is included: what several gin
    files include is theirs to change, in any order.

    Args:
      files: paths of gin files (see `find`).
      bindings: such as "seed = 1".
      under: settings in gin's language that come before all of them, such as those of a run.
      with_base: whether `BASE` counts where it is included; a finished run has had it.

    Raises:
      UserError: a file is missing, or something is not in gin's language.
    """
    reader = _Reader()
    if under:
        reader.add(under, lambda line: f"settings of the run, line {line}")
    for path in files:
        reader.add_file(find(path))
    for binding in bindings:
        reader.add(binding.strip(), lambda line: FLAG)
    base = reader.base if with_base and reader.base else _Reader()
    text = "\n".join([*base.text, *reader.text]) + "\n"
    return Settings(text, (*base.bindings, *reader.bindings), (*base.imports, *reader.imports))


def apply(given: Settings, under: Settings | None = None) -> None:
    """Makes gin hold ``under``, then ``given``, and nothing else; what they name is imported first.

    Args:
      given: these win.
      under: settings of a run; what is not known of them, such as somebody's own parts, is left out.

    Raises:
      UserError: gin does not take them.
    """
    gin.clear_config()
    try:
        for settings, skip_unknown in ((under, True), (given, False)):
            if settings is not None:
                _import_named(settings)
                gin.parse_config(settings.text, skip_unknown=skip_unknown)
        with gin.unlock_config():  # the rest of a binary is imported later, with more that can be configured
            gin.finalize()
    except (ValueError, SyntaxError, TypeError, OSError, AttributeError, ImportError) as error:
        raise UserError(f"gin configuration: {' '.join(str(error).split())}") from error


def _import_named(settings: Settings) -> None:
    """Imports the modules of everything that ``settings`` name, so that gin knows it."""
    names = {binding.selector for binding in settings.bindings if binding.parameter}
    names |= {part.name for binding in settings.bindings for part in binding.parts if isinstance(part, Reference)}
    found = {configurables.find(name) for name in names} - {None}
    for module in sorted({configurables.known()[name].module for name in found}):
        importlib.import_module(module)


def used_by(part: Settings, bindings: Sequence[str]) -> list[str]:
    """Those of ``bindings`` that mean something to ``part``: macros that it does not refer to are left out."""

    def means_something(binding: str) -> bool:
        return any(one.parameter or one.name in part.macros_used for one in read([], [binding]).bindings)

    return [binding for binding in bindings if means_something(binding)]


class _Reader(config_parser.ParserDelegate):
    """Collects what files and bindings say."""

    def __init__(self):
        self.text: list[str] = []
        self.bindings: list[Binding] = []
        self.imports: list[str] = []
        self.base: _Reader | None = None  # what BASE says, if it is included
        self._files: set[str] = set()

    def configurable_reference(self, name: str, called: bool) -> Reference:
        return Reference(name.rsplit("/", 1)[-1], called)

    def macro(self, name: str) -> Macro:
        return Macro(name)

    def add_file(self, path: str, within: tuple[str, ...] = ()) -> None:
        if path in within:
            raise UserError(f"expected gin files that do not include themselves, found '{path}' in '{within[-1]}'")
        try:
            with open(path, encoding="utf-8-sig") as file:  # some editors mark the beginning
                content = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"expected a gin file, found that '{path}' cannot be read: {error}") from error
        self._files.add(os.path.realpath(path))
        self.add(content, lambda line: f"{path}, line {line}", (*within, path))

    def add(self, content: str, where: Callable[[int], str], within: tuple[str, ...] = ()) -> None:
        lines, kept_from = content.split("\n"), 0
        for statement in _statements(content, self, where):
            line = statement.location.line_num
            if isinstance(statement, config_parser.BindingStatement):
                self._add_binding(statement, where(line))
            elif isinstance(statement, config_parser.ImportStatement):
                self.imports.append(statement.module)
            elif isinstance(statement, config_parser.IncludeStatement):
                self.text += lines[kept_from : line - 1]
                kept_from = line
                path = find(statement.filename, where(line))
                if os.path.realpath(path) == BASE:
                    self.base = _Reader()
                    self.base.add_file(path)
                elif path in within or os.path.realpath(path) not in self._files:
                    self.add_file(path, within)
        self.text += lines[kept_from:]

    def _add_binding(self, statement: config_parser.BindingStatement, where: str) -> None:
        selector, parameter = statement.selector, statement.arg_name
        if not parameter and statement.scope:  # the macro scope/name
            selector = f"{statement.scope}/{selector}"
        elif selector in ("macro", "gin.macro"):  # the same as a macro, written out
            selector, parameter = statement.scope, ""
        self.bindings.append(Binding(where, selector, parameter, statement.value))


def _statements(content: str, delegate: _Reader, where: Callable[[int], str]) -> Iterator:
    lines = content.split("\n")
    try:
        yield from config_parser.ConfigParser(content + "\n", delegate)
    except SyntaxError as error:
        number = min(error.lineno or 1, len(lines))
        raise _unreadable(where(number), lines[number - 1], error.msg) from error
    except tokenize.TokenError as error:  # told at the end of the file, of what the last binding has opened
        number = max((n for n, line in enumerate(lines, 1) if re.match(r"\s*[\w./]+\s*=", line)), default=1)
        raise _unreadable(where(number), lines[number - 1], "a bracket or quote is not closed") from error
    except ValueError as error:
        raise UserError(f"{where(1)}: expected gin's language, found: {error}") from error


def _unreadable(where: str, line: str, said: str) -> UserError:
    """What is wrong with a line that gin cannot read, as far as that can be seen."""
    line = line.strip()
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        return UserError(f"{where}: expected NAME = VALUE, found '{line}'")
    if not value:
        hint = "there is no value"
    elif value.lower() in ("true", "false", "none"):
        hint = f"write {name} = {value.capitalize()}"
    elif any(value.count(quote) % 2 for quote in "'\""):
        hint = "a text has the same quotes at both ends"
    elif value[0] not in "([{" and "," in value:
        hint = f"several values need brackets: {name} = ({value})"
    elif value[0] not in "@%([{'\"" and _A_PATH.match(value):
        hint = f"a path needs quotes: {name} = '{value}'"
    elif _A_WORD.match(value):
        hint = f"a text needs quotes: {name} = '{value}'"
    else:
        hint = f"{said.rstrip('.')}; a value is a number, 'text', True, False, None, (a, list), @name() or %macro"
    return UserError(f"{where}: expected NAME = VALUE, found '{line}': {hint}")


def _parts_of(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        value = [one for pair in value.items() for one in pair]
    if isinstance(value, (list, tuple)):
        yield from (part for one in value for part in _parts_of(one))
    else:
        yield value
