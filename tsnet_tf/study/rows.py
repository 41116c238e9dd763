"""The rows of a study, one for each training, as files that several processes share.

Every row is a file of its own in ``rows/``, written when its training is evaluated; `collect` joins them into
``study.jsonl``. A training that is under way is claimed by a lock of the operating system, which ends with the process.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping

from tsnet_tf import atomic
from tsnet_tf.errors import UserError

FILE = "study.jsonl"
_NEEDED = {"name", "origin", "seed", "gmacs", "params_m", "top1", "log_loss", "right", "losses", "processor_seconds"}


def write(workdir: str, name: str, row: dict) -> None:
    """Writes the row of the training called ``name``."""
    atomic.write_text(_path(workdir, name), json.dumps(row) + "\n")


def is_there(workdir: str, name: str) -> bool:
    """Whether the training called ``name`` has its row."""
    return os.path.isfile(_path(workdir, name))


def collect(workdir: str, scores: Mapping[str, float]) -> list[dict]:
    """All rows there are, by name, with their scores by `key`; also writes them to ``study.jsonl``."""
    folder = os.path.join(workdir, "rows")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = []
    for name in names:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                row = json.load(file)
            found.append({**row, "supernet_score": scores.get(key(row["genotype"]))})
    atomic.write_text(os.path.join(workdir, FILE), "".join(f"{json.dumps(row)}\n" for row in found))
    return found


def key(genotype: Mapping) -> str:
    """What two architectures have in common that differ in their names and notes only."""
    return json.dumps({name: value for name, value in genotype.items() if name not in ("name", "notes")})


def read(path: str) -> list[dict]:
    """The rows of a ``.jsonl`` file.

    Raises:
      UserError: a line is no row of a study.
    """
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line.strip()]
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not row.keys() >= _NEEDED:
            raise UserError(f"--rows: expected a row of a study in line {number} of '{path}', found '{line[:60]}'")
        found.append(row)
    return found


@contextlib.contextmanager
def claimed(workdir: str, name: str) -> Iterator[bool]:
    """Claims the training called ``name``; gives whether nobody else has."""
    folder = os.path.join(workdir, "claims")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _path(workdir: str, name: str) -> str:
    return os.path.join(workdir, "rows", f"{name}.json")
