"""Files of TFRecords, read at any place: a length, its checksum, so many bytes, and their checksum."""

from __future__ import annotations

from typing import BinaryIO

import tensorflow as tf

AROUND = 16  # bytes that a file has for each record beside it


def begins_with_record(path: str) -> bool:
    """Whether a file begins with a length and the checksum of that; what is no file of records does not."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return _length(file) is not None
    except tf.errors.OpError:
        return False


def read_record(path: str, byte: int) -> bytes | None:
    """Reads the record that begins at a byte of a file; None if none does.

    Raises:
      tf.errors.OpError: the file cannot be read.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        if byte > file.size():
            return None
        file.seek(byte)
        length = _length(file)
        if length is None:
            return None
        record = file.read(length)
        return record if len(record) == length else None


def _length(file: BinaryIO) -> int | None:
    length, checksum = file.read(8), file.read(4)
    whole = len(length) == 8 and checksum == _masked_crc32c(length).to_bytes(4, "little")
    return int.from_bytes(length, "little") if whole else None


def _masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecords: CRC-32C, turned and added to."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
