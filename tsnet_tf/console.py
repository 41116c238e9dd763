"""What a person sees while something runs: lines, tables and progress bars (drawn by rich).

There are three levels (the flag ``--console``): "quiet" shows tables, warnings and errors only; "verbose" writes a line
for every report of a run, where "normal" has a bar on a terminal and a line now and then elsewhere.
"""

import contextlib
import datetime
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

LEVELS = QUIET, NORMAL, VERBOSE = ("quiet", "normal", "verbose")
_PLAIN_LINE_EVERY_SECONDS = 15.0
_WIDTH_OF_FILES = 160  # characters

# Bound to the real standard output, so that a library's prints can be redirected without losing ours. In a file or a
# pipe nothing says how wide a line may be, and tables are not to be squeezed.
_console = Console(
    file=sys.stdout, highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES
)


_level = NORMAL


def set_level(level: str) -> None:
    """Sets how much is shown, one of `LEVELS`."""
    global _level
    _level = level


def level() -> str:
    """How much is shown."""
    return _level


def counted(count: int, noun: str, verb: str = "") -> str:
    """A number with its noun and, in the plural as it is given, a verb: "1 video is", "2 classes are"."""
    one = {"are": "is", "have": "has"}.get(verb, f"{verb}s")
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}" + (f" {one if count == 1 else verb}" if verb else "")


def say(text: str) -> None:
    """Prints one line for people."""
    if _level != QUIET:
        _console.print(text, markup=False)


def warn(text: str) -> None:
    """Prints one warning line on standard error."""
    print(f"warning: {text}", file=sys.stderr)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; numbers are right-aligned, the first column is left-aligned."""
    drawn = Table(title=escape(title), title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        drawn.add_column(escape(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    _console.print(drawn)


class _BarAndFigures(Progress):
    """The bar with its times, and below it the figures, for which many a terminal is not wide enough beside it."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields["figures"]:
                yield Text(f"  {task.fields['figures']}")


class _Bar:
    """A bar on a terminal; a plain line now and then elsewhere; or neither."""

    def __init__(self, title: str, total: int, done: int, bar: Progress | None):
        self._title, self._total, self.done, self._bar = title, total, done, bar
        self._first: tuple[float, int] | None = None  # when the first steps were done, which compile as well
        self._last_line = 0.0
        self._task = bar.add_task(title, total=total, completed=done, figures="") if bar else None

    def began(self, steps: int) -> None:
        """The first steps, which compile as well, are done: the time that is left is told by those that follow."""
        self._first = (time.monotonic(), self.done + steps)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done + steps)

    def advance(self, steps: int = 1, **figures: object) -> None:
        """Moves on by ``steps`` and shows ``figures`` (name=value) with the bar."""
        self.done += steps
        shown = "  ".join(f"{name} {value}" for name, value in figures.items())
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, figures=shown)
            return
        now = time.monotonic()
        every = 0.0 if _level == VERBOSE else _PLAIN_LINE_EVERY_SECONDS
        if now - self._last_line >= every or self.done >= self._total:
            self._last_line = now
            say(f"{self._title}: {self.done}/{self._total}{self._time_left(now)}  {shown}".rstrip())
        self._first = self._first or (now, self.done)

    def _time_left(self, now: float) -> str:
        if self.done >= self._total:
            return ", done"
        then, done = self._first or (now, self.done)
        if self.done <= done:
            return ""
        left = (now - then) / (self.done - done) * (self._total - self.done)
        return f", {datetime.timedelta(seconds=round(left))} left"


@contextlib.contextmanager
def progress(title: str, total: int, done: int = 0) -> Iterator[_Bar]:
    """Shows how far a long phase has come, with the time left.

    Args:
      title: what is being done, such as "search: sparse".
      total: number of steps in all.
      done: number of steps already done when the bar starts (a resumed run).
    """
    if _level != NORMAL or not _console.is_interactive:
        yield _Bar(title, total, done, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with _BarAndFigures(*columns, console=_console) as bar:
        yield _Bar(title, total, done, bar)
