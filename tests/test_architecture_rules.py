"""Imports go one way, files are named by concept, and gin files say how they are used. Nothing is imported here."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tsnet_tf"
MODULES = sorted(PACKAGE.rglob("*.py"))
BINARIES = sorted((ROOT / "bin").glob("*.py"))
GIN_FILES = sorted((ROOT / "gin").rglob("*.gin"))

# Modules directly in tsnet_tf that any room may use, the binaries' frame excepted.
SHARED = {"errors", "console", "atomic", "filesystems", "interruption", "paths"}
SHARED |= {"configurables", "settings", "setting_mistakes", "reference"}

# Room -> rooms whose modules it may import. A room may always import its own.
MAY_IMPORT = {
    "space": set(),
    "data": set(),
    "kernels": set(),
    "layers": {"space", "kernels"},
    "models": {"space", "layers"},
    "study": {"space", "search", "models", "data", "training", "evaluation", "report"},
    "search": {"space", "layers", "models", "data", "training", "evaluation", "report"},
    "training": {"space", "kernels", "layers", "models", "data", "evaluation", "report"},
    "evaluation": {"space", "layers", "models", "data"},
    "pretrained": {"space", "layers", "models", "data", "training"},
    "benchmark": {"space", "kernels", "layers", "models", "pretrained", "search", "training", "data", "export"},
    "export": {"space", "kernels", "layers", "models", "data", "evaluation"},
    "report": {"space", "evaluation"},
}
WITHOUT_GIN = {"space", "kernels", "layers", "models", "report"}
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc"}
GIN_HEADER = {
    "its command, or what includes it": "python bin/|included by",
    "what must be set": "must be bound",
    "what may be": "commonly overridden",
}
MOST_PARAMETERS = 12
MOST_LINES_OF_A_FUNCTION = 80
MOST_LINES_OF_A_FILE = 300


def imports_of(path):
    """Full names of everything that a module imports anywhere, such as ``tsnet_tf.space.cost``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: expected absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def room_of_any(path):
    return room_of(path) if PACKAGE in path.parents else None


def label(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_imports_go_one_way(path):
    room = room_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "tsnet_tf" or len(parts) == 1:
            continue
        target = parts[1]
        if room is None:
            assert not (PACKAGE / target).is_dir(), f"{label(path)} is shared, but imports {name}"
        elif target in SHARED:
            assert room != "space" or target == "errors", f"{label(path)}: space imports {name}"
        else:
            assert room in MAY_IMPORT, f"unknown room '{room}': add it to MAY_IMPORT"
            assert target == room or target in MAY_IMPORT[room], f"{label(path)} must not import {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) == "space"], ids=label)
def test_space_needs_the_standard_library_only(path):
    for name in imports_of(path):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names or top == "tsnet_tf", f"{label(path)} imports {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) in WITHOUT_GIN], ids=label)
def test_no_gin_in_core_rooms(path):
    assert not [name for name in imports_of(path) if name.split(".")[0] == "gin"]


@pytest.mark.parametrize("path", [p for p in MODULES + BINARIES if room_of_any(p) != "kernels"], ids=label)
def test_what_is_private_to_tensorflow_stays_in_the_kernels_room(path):
    found = re.findall(r"tensorflow\.python|_pywrap|__internal__|_Mkl", path.read_text(encoding="utf-8"))
    assert not found, f"{label(path)}: {found}"


@pytest.mark.parametrize("path", MODULES + BINARIES, ids=label)
def test_files_are_named_by_concept(path):
    assert path.stem not in GRAB_BAGS
    assert path.parent.name not in GRAB_BAGS


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p)], ids=label)
def test_only_binaries_know_flags(path):
    assert not [name for name in imports_of(path) if name.startswith(("absl.flags", "absl.app"))]


def too_large(path):
    """What in a file is more than can be read at once, as "file" or "file: function"; `self` is no parameter."""
    text = path.read_text(encoding="utf-8")
    if len(text.splitlines()) > MOST_LINES_OF_A_FILE:
        yield label(path)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs) if arg.arg != "self"]
            if len(names) > MOST_PARAMETERS or node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION:
                yield f"{label(path)}: {node.name}"


@pytest.mark.parametrize("path", MODULES + BINARIES, ids=label)
def test_functions_and_files_can_be_read_at_once(path):
    assert not set(too_large(path))


@pytest.mark.parametrize("path", MODULES + BINARIES, ids=label)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{label(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES + BINARIES, ids=label)
def test_runs_on_the_oldest_python(path):
    """Nothing that Python 3.10 cannot parse."""
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


@pytest.mark.parametrize("path", GIN_FILES, ids=label)
def test_gin_files_open_with_how_they_are_used(path):
    header = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))
    assert header, f"{label(path)}: expected a comment at the top"
    for part, words in GIN_HEADER.items():
        assert re.search(words, header.group().lower()), f"expected {part} ({words}) in the opening comment"


def test_gin_folder_does_not_hide_the_gin_package():
    assert not (ROOT / "gin" / "__init__.py").exists()
