"""What gin files can name, read out of the source: nothing is imported, and no second list of names is kept."""

from __future__ import annotations

import ast
import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence

PACKAGE = pathlib.Path(__file__).parent
_MARKS = ("gin.configurable", "gin.external_configurable")


@dataclasses.dataclass(frozen=True)
class Configurable:
    """A function or class that gin files can name.

    Attributes:
      module: gin knows it when that has been imported.
      parameters: what can be set of it.
      required: what must be set of it, whoever calls it: its default is ``gin.REQUIRED``.
      needed: what must be set of it where gin calls it, as for ``@name()``: the same, and what has no default.
      annotations: of the parameters that have one, as the source has it, such as "float | None".
    """

    module: str
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    needed: tuple[str, ...]
    annotations: Mapping[str, str]


@functools.cache
def known() -> Mapping[str, Configurable]:
    """Everything in this package that gin files can name, by its name."""
    return {name: found for path in sorted(PACKAGE.rglob("*.py")) for name, found in _in_module(path)}


def find(selector: str) -> str | None:
    """The name of the configurable that is meant; parts of its module may stand before it. None if there is none."""
    name = selector.rsplit(".", 1)[-1]
    found = known().get(name)
    return name if found and f".{found.module}.{name}".endswith(f".{selector}") else None


def all_parameters() -> list[str]:
    """All that can be set, such as ``search.epochs``."""
    return sorted(f"{name}.{parameter}" for name, found in known().items() for parameter in found.parameters)


def _in_module(path: pathlib.Path) -> Iterator[tuple[str, Configurable]]:
    source = path.read_text(encoding="utf-8")
    if not any(mark in source for mark in _MARKS):
        return
    module, tree = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts), ast.parse(source)
    for node in ast.walk(tree):
        if any(ast.unparse(decorator) == _MARKS[0] for decorator in getattr(node, "decorator_list", [])):
            yield node.name, _configurable(module, node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == _MARKS[1]:
            made, name = node.args
            yield name.value, _configurable(module, _definition(tree, made.id))


def _definition(tree: ast.Module, name: str) -> ast.AST:
    """What ``name`` is in a module: defined there, or in the module of this package that it is imported from.

    A function that wraps another one, or a dataclass, has the parameters of that.
    """
    for node in tree.body:
        if getattr(node, "name", None) == name:
            calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            wrapped = [call.args[0].id for call in calls if ast.unparse(call.func) == "functools.wraps"]
            return _definition(tree, wrapped[0]) if wrapped else node
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            path = PACKAGE.parent.joinpath(*node.module.split(".")).with_suffix(".py")
            return _definition(ast.parse(path.read_text(encoding="utf-8")), name)
    raise LookupError(f"expected a definition of {name}, found none")


def _configurable(module: str, node: ast.AST) -> Configurable:
    if isinstance(node, ast.ClassDef):
        made = next((one for one in node.body if getattr(one, "name", None) == "__init__"), None)
        if made is None:  # a dataclass
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            return _of(module, [(field.target.id, field.annotation, field.value) for field in fields])
        node = made
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(positional) - len(node.args.defaults)) + node.args.defaults
    pairs = [*zip(positional, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return _of(module, [(one.arg, one.annotation, default) for one, default in pairs if one.arg != "self"])


def _of(module: str, parameters: Sequence[tuple[str, ast.AST | None, ast.AST | None]]) -> Configurable:
    """Parameters have a name, an annotation and a default."""
    required = [name for name, _, default in parameters if default and ast.unparse(default) == "gin.REQUIRED"]
    needed = required + [name for name, _, default in parameters if default is None]
    annotations = {name: ast.unparse(annotation) for name, annotation, _ in parameters if annotation}
    names = tuple(name for name, *_ in parameters)
    return Configurable(module, names, tuple(required), tuple(needed), annotations)
