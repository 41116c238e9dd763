"""Spaces and genotypes as files: JSON, or for a space also Python.

The file shows every group as one object. A variable with one candidate is a plain value, an open one a list::

    {"name": "x3d_s", "resolution": 160, "hidden": 2048, "dropout": 0.5, "classes": 400, "glore_ratio": 1.5,
     "notes": ["..."],
     "streams": [
       {"name": "sparse", "frames": 13, "stem_channels": 24, "stem_temporal_kernel": 5, "head_channels": 432,
        "groups": [
          {"stage": 1, "depth": 3, "stride": 2, "temporal_kernel": 3, "spatial_kernel": 3, "channels": 24,
           "expansion": 2.25, "fusion": "none", "attention": false},
          ...]}]}

Every label must be present and known: a misspelt one is refused, never ignored.
"""

import contextlib
import dataclasses
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tsnet_tf.errors import UserError
from tsnet_tf.space.two_stream import VARIABLES, Group, Space, Stream, choices
from tsnet_tf.space.validation import validate

ARCHIVE = Path(__file__).parent / "archive"


def archived() -> list[str]:
    """Names of the published architectures that come with the package."""
    return sorted(path.stem for path in ARCHIVE.glob("*.json"))


def load(name_or_path: str) -> Space:
    """Reads a genotype: a name from `archived` or a path.

    Raises:
      UserError: no such name or file, broken JSON, an unknown label or value, or a variable left open.
    """
    archive_file = ARCHIVE / f"{name_or_path}.json"
    if archive_file.is_file():
        path = str(archive_file)
    elif _is_file(name_or_path):
        path = name_or_path
    else:
        known = ", ".join(archived())
        raise UserError(f"expected a genotype file or one of: {known}; found '{name_or_path}'")
    genotype = loads(_read(path), path)
    still_open = choices(genotype)
    if still_open:
        raise UserError(
            f"{path}: expected one value for every variable, "
            f"found {len(still_open[0].values)} for {still_open[0].label}"
        )
    return genotype


def load_space(path: str) -> Space:
    """Reads a space, or a genotype: JSON, or a Python file that defines ``SPACE``. ``~`` is the home folder.

    Raises:
      UserError: no such file, a Python file that fails or has no ``SPACE``, or a space that cannot be built.
    """
    path = os.path.expanduser(path)
    if not _is_file(path):
        raise UserError(f"expected a .json or .py file with a space, found nothing at '{path}'")
    if not path.endswith(".py"):
        return loads(_read(path), path)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            space = runpy.run_path(path).get("SPACE")
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: expected a Python file that runs, found {type(error).__name__}: {error}") from error
    if not isinstance(space, Space):
        raise UserError(f"{path}: expected SPACE, a tsnet_tf.space.two_stream.Space, found {type(space).__name__}")
    try:
        return validate(space)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str, source: str = "genotype") -> Space:
    """Reads a space or genotype from JSON text; ``source`` names it in errors.

    Raises:
      UserError: broken JSON, a missing or unknown label, or a value that cannot be built.
    """
    try:
        data = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: expected JSON, found {error}") from error
    top = _fields(data, Space, source)
    for label in ("streams", "notes"):
        _expect_list(top, label, source)
    streams = []
    for stream in top["streams"]:
        fields = _fields(stream, Stream, f"{source}: stream")
        where = f"{source}: {fields['name']} stream"
        _expect_list(fields, "groups", where)
        groups = []
        for number, group in enumerate(fields["groups"], start=1):
            values = _fields(group, Group, f"{where}, group {number}")
            open_values = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in values.items() if k in VARIABLES}
            groups.append(Group(**{**values, **open_values}))
        streams.append(Stream(**{**fields, "groups": tuple(groups)}))
    try:
        return validate(Space(**{**top, "streams": tuple(streams), "notes": tuple(top["notes"])}))
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def dumps(space: Space) -> str:
    """JSON text of a space or genotype, one line per group."""
    data = dataclasses.asdict(space)
    for stream in data["streams"]:
        for group in stream["groups"]:
            for kind in VARIABLES:
                group[kind] = group[kind][0] if len(group[kind]) == 1 else list(group[kind])
    streams = data.pop("streams")
    lines = [f'  "{key}": {json.dumps(value, ensure_ascii=False)},' for key, value in data.items()]
    blocks = []
    for stream in streams:
        groups = stream.pop("groups")
        head = ",\n".join(f'      "{key}": {json.dumps(value)}' for key, value in stream.items())
        rows = ",\n".join(f"        {json.dumps(group)}" for group in groups)
        blocks.append(f'    {{\n{head},\n      "groups": [\n{rows}\n      ]\n    }}')
    return "{\n" + "\n".join(lines) + '\n  "streams": [\n' + ",\n".join(blocks) + "\n  ]\n}\n"


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except (OSError, ValueError):  # no path at all: too long, or with a zero byte
        return False


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a text file, found {error}") from error


def _distinct(pairs: Sequence[tuple[str, object]]) -> dict:
    """An object of a JSON file; JSON itself would let a second entry of the same label win."""
    labels = [label for label, _ in pairs]
    repeated = next((label for label in labels if labels.count(label) > 1), None)
    if repeated is not None:
        raise ValueError(f"the label '{repeated}' twice in one object")
    return dict(pairs)


def _expect_list(fields: Mapping, label: str, where: str) -> None:
    if not isinstance(fields[label], list):
        raise UserError(f"{where}: {label}: expected a list, found {fields[label]!r}")


def _fields(data: object, kind: type, where: str) -> dict:
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected an object, found {data!r}")
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = [name for name in data if name not in known]
    if unknown:
        raise UserError(f"{where}: unknown label '{unknown[0]}', expected {', '.join(known)}")
    missing = [name for name in known if name not in data]
    if missing:
        raise UserError(f"{where}: expected the label '{missing[0]}', found {', '.join(data)}")
    return dict(data)
