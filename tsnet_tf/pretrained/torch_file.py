"""Files of ``torch.save``, read without PyTorch and as data: nothing that a file names is imported or run.

A file is a pickle that refers to storages, rows of numbers beside it. The reader of the pickle knows tensors, ordered
dictionaries and plain containers, and refuses everything else by its name. Both formats are known: the zip archive of
PyTorch 1.6 and later, and the sequence of pickles before.
"""

from __future__ import annotations

import collections
import functools
import io
import math
import pickle
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tsnet_tf.errors import UserError

FLAG = "--checkpoint"
STATES = ("model_state", "state_dict")  # what PySlowFast and others call the weights beside other things
BFLOAT16 = "BFloat16Storage"  # the upper half of a float32
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    BFLOAT16: "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001  # how the older format begins
_LONGEST = 200  # characters of what is said of a damaged file


class Storage(NamedTuple):
    """A row of numbers: the kind, a key of `DTYPES`; its name in the file; how many there are."""

    kind: str
    key: str
    count: int


class Tensor(NamedTuple):
    """Numbers of a storage from ``offset`` on; all lengths are counted in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def weights(content: bytes, source: str) -> dict[str, np.ndarray]:
    """The tensors of a model's state by name, in the file's order.

    Args:
      content: the file; the state is under ``model_state`` or ``state_dict``, or is all there is.
      source: names the file in errors.

    Raises:
      UserError: the file is not one of ``torch.save``, is damaged, has no tensors by name, or has something else than
        tensors and plain containers in it.
    """
    try:
        tree, storage_of = (_read_zip if content.startswith(b"PK") else _read_sequence)(content)
        state = next((tree[name] for name in STATES if isinstance(tree, dict) and name in tree), tree)
        named = state.items() if isinstance(state, dict) else ()
        tensors = {name: value for name, value in named if isinstance(name, str) and isinstance(value, Tensor)}
        content_of = functools.cache(storage_of)  # tensors may share a storage
        found = {name: _array(tensor, content_of(tensor.storage)) for name, tensor in tensors.items()}
    except _Refused as error:
        raise UserError(
            f"{FLAG}: expected tensors and plain containers in '{source}', found {_shown(error)}; nothing of it was run"
        ) from None
    except Exception as error:  # whatever a damaged file, or one that is made to do harm, leads to
        raise UserError(
            f"{FLAG}: expected a whole file of torch.save, found in '{source}': {type(error).__name__}: {_shown(error)}"
        ) from None
    if not found:
        raise UserError(
            f"{FLAG}: expected tensors by name in '{source}', directly or as {' or '.join(STATES)}; found none"
        )
    return found


class _Refused(Exception):
    """Something that is not data."""


class _Unpickler(pickle._Unpickler):
    """Reads tensors and plain containers. It is Python's own: the one in C takes as much memory as a file asks for."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.storages: dict[str, Storage] = {}  # all that the pickle refers to

    def find_class(self, module: str, name: str):
        found = _KNOWN.get((module, name))
        if found is None and module in ("torch", "torch.cuda") and name in DTYPES:
            found = name
        if found is None:
            raise _Refused(f"{module}.{name}")
        return found

    def persistent_load(self, saved: object) -> Storage:
        if not isinstance(saved, tuple) or saved[0] != "storage":
            raise _Refused("a reference to something else than a storage")
        _, kind, key, _, count, *view = saved
        if kind not in DTYPES or not isinstance(key, str) or any(view):
            raise _Refused("a storage of an unknown kind")
        self.storages[key] = Storage(kind, key, count)
        return self.storages[key]

    def load_build(self) -> None:
        self.stack.pop()  # attributes of an ordered dictionary: PyTorch keeps versions of modules there

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}


def _tensor(storage, offset, shape, strides, requires_grad, hooks, metadata=None) -> Tensor:
    if not isinstance(storage, Storage):
        raise _Refused("a tensor without a storage")
    return Tensor(storage, offset, shape, strides)


def _parameter(tensor, requires_grad, hooks) -> Tensor:
    return tensor


_KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _read_zip(content: bytes) -> tuple[object, Callable[[Storage], bytes]]:
    """What the pickle says, and what gives the bytes of a storage."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    pickled = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
    if len(pickled) != 1:
        raise ValueError("a zip archive without data.pkl")
    if sum(member.file_size for member in archive.infolist()) > len(content):
        raise ValueError("a zip archive that becomes larger")  # PyTorch compresses nothing
    folder = pickled[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("numbers that are not little-endian")
    tree = _Unpickler(io.BytesIO(archive.read(pickled[0]))).load()
    return tree, lambda storage: archive.read(f"{folder}data/{storage.key}")


def _read_sequence(content: bytes) -> tuple[object, Callable[[Storage], bytes]]:
    """The same of the older format: magic number, version, machine, the pickle, names of storages, the storages."""
    file = io.BytesIO(content)
    if not content.startswith(pickle.PROTO):
        raise ValueError("another kind of file")
    if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _VERSION:
        raise ValueError("another kind of file")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("numbers that are not little-endian")
    unpickler, places = _Unpickler(file), {}
    tree = unpickler.load()
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        size = count * np.dtype(DTYPES[unpickler.storages[key].kind]).itemsize
        places[key] = slice(file.tell(), file.tell() + size)
        file.seek(size, io.SEEK_CUR)
    return tree, lambda storage: content[places[storage.key]]


def _array(tensor: Tensor, content: bytes) -> np.ndarray:
    """The numbers of a tensor; those of bfloat16 as float32."""
    (kind, key, count), offset, shape, strides = tensor
    row = np.frombuffer(content, DTYPES[kind])
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # A shape may be larger than its storage with strides of zero, and memory then with it.
    if row.size != count or min([offset, *shape, *strides]) < 0 or max(last + 1, math.prod(shape)) > count:
        raise ValueError(f"storage {key} has too few numbers")
    found = np.lib.stride_tricks.as_strided(row[offset:], shape, [stride * row.itemsize for stride in strides])
    return (found.astype(np.uint32) << 16).view(np.float32) if kind == BFLOAT16 else found


def _shown(error: Exception) -> str:
    """What an error says, in characters that a terminal shows as they are."""
    return "".join(character if character.isprintable() else "?" for character in str(error))[:_LONGEST]
