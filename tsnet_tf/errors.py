"""The exceptions that a person is meant to read: each is one line on standard error and an exit code."""

import errno


class UserError(Exception):
    """A mistake in what the user gave.

    The binaries print it as one line on standard error and exit with `exit_code`. The message says what was
    expected and what was found.
    """

    exit_code = 2


class NotFinite(UserError):
    """A loss or gradient is no number any more; running the same command again would come to the same."""

    exit_code = 3


class NoSpace(UserError):
    """The disk is full; what was whole before still is."""

    exit_code = 4


class TryAgain(UserError):
    """The run was stopped from outside, or lost a worker: the same command goes on from the last checkpoint.

    The code is EX_TEMPFAIL of sysexits.h, which job schedulers can be told to start again on.
    """

    exit_code = 75


def no_space(error: BaseException) -> bool:
    """Whether ``error``, of Python or of TensorFlow, says that a disk, a quota or a file is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    said = ("No space left on device", "Disk quota exceeded", "File too large")
    return type(error).__module__.startswith("tensorflow") and any(text in str(error) for text in said)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, of TensorFlow or XLA, says that a device's memory does not suffice."""
    said = ("OOM when allocating", "Out of memory", "out of memory", "failed to allocate memory")
    return type(error).__module__.startswith("tensorflow") and any(text in str(error) for text in said)


def denied(error: BaseException) -> bool:
    """Whether ``error``, of Python or of TensorFlow, says that something may not be written or read."""
    if isinstance(error, OSError):
        return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    said = ("Permission denied", "Read-only file system", "Operation not permitted")
    return type(error).__module__.startswith("tensorflow") and any(text in str(error) for text in said)


def lost_worker(error: BaseException) -> bool:
    """Whether ``error`` says that another worker cannot be reached any more."""
    said = (
        "Collective ops is aborted",
        "heartbeat timeout",
        "check alive failed",
        "failed to connect to all addresses",
    )
    return type(error).__module__.startswith("tensorflow") and any(text in str(error) for text in said)


def raised_in_graph(error: Exception) -> str | None:
    """Returns the message of the `UserError` that ended a TensorFlow graph; None if another error did.

    TensorFlow gives what Python code inside a graph raises, such as a data pipeline's, as text within an error of its
    own.
    """
    if not type(error).__module__.startswith("tensorflow"):
        return None
    _, found, rest = str(error).partition(f"{UserError.__name__}: ")
    return rest.splitlines()[0] if found else None
