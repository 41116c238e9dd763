"""SIGTERM and SIGINT: a scheduler, or a person, wants the machine back."""

import contextlib
import signal
from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """One of the two has come, and nothing has to be saved first.

    Like its base it is no `Exception`, so that nothing that retries or goes on after errors swallows it.
    """


def raise_on_signal() -> None:
    """Makes both signals raise `Interrupted` with their name, from now on."""

    def interrupt(number: int) -> None:
        for other in _SIGNALS:  # once is enough: the way out is not to be interrupted
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    _install(interrupt)


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
