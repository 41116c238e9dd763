"""SIGTERM and SIGINT: a scheduler, or a person, wants the machine back."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from tsnet_tf.errors import TryAgain

GRACE_SECONDS = 25  # from a signal to the end; schedulers that send one kill after 30
AGAIN = "run the same command again to go on"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_UNKNOWN = "an operation that no signal interrupts was still running; what is whole on disk stays whole"
_DEFAULTS = (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)  # ignored: SIGINT in the background


_under_way: list[Callable[[], str]] = []


class Interrupted(KeyboardInterrupt):
    """One of the two has come, and nothing has to be saved first.

    Like its base it is no `Exception`, so that nothing that retries or goes on after errors swallows it.
    """


def exit_on_signal() -> None:
    """Makes both signals end the process with one line, unless they do something already.

    For the time in which libraries are imported: nothing has been begun, and nobody would catch `Interrupted`.
    """
    if all(signal.getsignal(number) in _DEFAULTS for number in _SIGNALS):
        _install(lambda number: _end(f"stopped by {signal.Signals(number).name}"))


def raise_on_signal() -> None:
    """Makes both signals raise `Interrupted` with their name, from now on.

    A process that still runs `GRACE_SECONDS` after the first one, whoever handles it, ends as it is, and says what it
    was at (`during`).
    """

    def interrupt(number: int) -> None:
        for other in _SIGNALS:  # once is enough: the way out is not to be interrupted
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    _install(interrupt)
    # Handlers wait for the operation that runs, which in TensorFlow may take minutes. A thread need not.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def end_in_time() -> None:
        while (number := os.read(reader, 1)[0]) not in _SIGNALS:
            pass
        time.sleep(GRACE_SECONDS)
        what = _under_way[-1]() if _under_way else _UNKNOWN
        _end(f"stopped by {signal.Signals(number).name}: after {GRACE_SECONDS} s {what}")

    threading.Thread(target=end_in_time, daemon=True).start()


@contextlib.contextmanager
def during(what: Callable[[], str]) -> Iterator[None]:
    """For as long as the context lasts, what a signal would find under way, and what would be lost then.

    Args:
      what: is called by another thread, while this one may hold anything.
    """
    _under_way.append(what)
    try:
        yield
    finally:
        _under_way.pop()


@contextlib.contextmanager
def on_signal(action: Callable[[int], None]) -> Iterator[None]:
    """Makes both signals call ``action`` with their number, as long as the context lasts."""
    before = _install(action)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _install(action: Callable[[int], None]) -> dict:
    return {number: signal.signal(number, lambda got, _: action(got)) for number in _SIGNALS}


def _end(why: str) -> None:
    print(f"error: {why}; {AGAIN}", file=sys.stderr, flush=True)
    os._exit(TryAgain.exit_code)
