"""What every binary shares: flags, gin, quiet libraries, and errors a person can act on."""

import logging
import os
import sys
import warnings
from collections.abc import Callable

import absl.logging
from absl import app, flags

from tsnet_tf import console, filesystems, interruption, paths, setting_mistakes, settings
from tsnet_tf.errors import (
    NoSpace,
    TryAgain,
    UserError,
    denied,
    lost_worker,
    no_space,
    out_of_memory,
    raised_in_graph,
)
from tsnet_tf.settings import Settings


class _Path(flags.ArgumentParser):
    """A path, with ``~`` filled in."""

    syntactic_help = "a path"

    def __init__(self, of_a_model: bool):
        self._of_a_model = of_a_model

    def parse(self, argument: str) -> str:
        try:
            path = paths.expanded(argument)
            if self._of_a_model:
                paths.check_no_pattern(path)
        except UserError as error:
            raise ValueError(str(error)) from None  # absl puts the flag's name before it
        return path


def DEFINE_path(name: str, default: str | None, text: str, of_a_model: bool = False) -> flags.FlagHolder:
    """Defines a flag for a path.

    Args:
      name, default: of the flag.
      text: its help.
      of_a_model: whether TensorFlow keeps checkpoints or a SavedModel there (`paths.check_no_pattern`).
    """
    return flags.DEFINE(_Path(of_a_model), name, default, text, serializer=flags.ArgumentSerializer())


def DEFINE_multi_path(name: str, text: str) -> flags.FlagHolder:
    """Defines a flag for a path that can be given several times."""
    return flags.DEFINE_multi(_Path(False), flags.ArgumentSerializer(), name, [], text)


GIN_FILE = DEFINE_multi_path("gin_file", "Gin file(s) with the settings; looked for here, then beside the folder bin/.")
GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Single settings that override the gin files, such as 'seed = 1'."
)
CONSOLE = flags.DEFINE_enum(
    "console", console.NORMAL, console.LEVELS, "quiet: tables, warnings and errors only; verbose: every report."
)
WORKDIR = DEFINE_path("workdir", None, "Run folder: everything this run writes goes there.", of_a_model=True)
flags.disclaim_key_flags()  # what is defined with the functions above is the binaries' own

SHARED_FLAGS = (GIN_FILE, GIN_BINDINGS, WORKDIR, CONSOLE)
_to_be_written: list[tuple[str, str, str | None]] = []  # paths beyond the local disk, as for `need_writable`


def need(flag: flags.FlagHolder, value: str) -> None:
    """Refuses to go on without a flag.

    Args:
      flag: it.
      value: what it takes, for the message, such as "DIR".
    """
    if not flag.value:
        raise UserError(f"expected --{flag.name}={value}, found none")


def need_run(flag: flags.FlagHolder) -> None:
    """Refuses a local folder that holds no finished run; of others nothing is known yet."""
    folder = flag.value
    if paths.is_local(folder) and not os.path.isfile(os.path.join(folder, "summary.json")):
        found = "no summary.json in it" if os.path.isdir(folder) else "no such folder"
        raise UserError(f"--{flag.name}: expected the folder of a finished run, found {found}: '{folder}'")


def need_file(flag: flags.FlagHolder, what: str) -> None:
    """Refuses a local path of a file that is not there; ``what`` it should be, such as "a CSV file"."""
    for path in flag.value if isinstance(flag.value, list) else filter(None, [flag.value]):
        if paths.is_local(path) and not os.path.isfile(path):
            raise UserError(f"--{flag.name}: expected {what}, found nothing at '{path}'")


def need_writable(flag: flags.FlagHolder, *, default: str | None = None, unless: str | None = None) -> None:
    """Refuses a folder that could not be written when the work is done.

    Args:
      flag: of the folder.
      default: the folder that is written without it.
      unless: a file in it that says that there is nothing left to do.
    """
    path, what = flag.value or default, f"--{flag.name}"
    if not paths.is_local(path):
        _to_be_written.append((path, what, unless))
    elif not unless or not os.path.isfile(os.path.join(path, unless)):
        paths.check_folder_can_be_written(path, what)


def silence_libraries() -> None:
    """Keeps third-party chatter off the terminal, and the traceback of a signal while libraries are imported.

    Call before TensorFlow is imported.
    """
    interruption.exit_on_signal()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore")
    for name in ("tensorflow", "absl", "apache_beam", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)


def run(
    main: Callable[..., None],
    *,
    argument: str | None = None,
    check: Callable[..., None] = lambda *given: None,
    check_settings: Callable[[Settings], None] = setting_mistakes.check,
    apply_settings: bool = True,
) -> None:
    """Runs one binary: parses and checks flags and settings, calls ``main()``, and turns a `UserError` into one line.

    TensorFlow is not imported before the checks have passed, if the binary imports it in ``main`` only: mistakes are
    told at once.

    Args:
      main: the work.
      argument: name of the binary's first argument, such as "command", which ``main`` and ``check`` then get.
      check: looks at flags.
      check_settings: looks at gin files and bindings.
      apply_settings: whether gin holds the settings when ``main`` is called; else that is for ``main`` to see to.

    Exit codes, each but the first two with one line on standard error: 0 success; 1 a failure that nobody foresaw; 2 a
    mistake in flags, gin or input; 3 a loss or gradient is no number any more; 4 the disk is full; 75 stopped by
    SIGTERM or SIGINT, or a worker was lost: run the same command again.
    """
    silence_libraries()
    interruption.raise_on_signal()

    def start(argv: list[str]) -> None:
        silence_libraries()  # absl, by now started, has let warnings through again
        absl.logging.set_verbosity(absl.logging.FATAL)  # it is reset while flags are parsed
        console.set_level(CONSOLE.value)
        try:
            given = _arguments(argv, argument)
            check(*given)
            read = settings.read(GIN_FILE.value, GIN_BINDINGS.value)
            check_settings(read)
            if apply_settings:
                settings.apply(read)
            filesystems.load_for(*sys.argv)
            for path, what, unless in _to_be_written:
                filesystems.check_can_be_written(path, what, unless)
            main(*given)
        except Exception as error:
            line, code = _foreseen(error)
            if line is None:
                raise
            print(f"error: {line}", file=sys.stderr)
            sys.exit(code)

    for flag in SHARED_FLAGS:  # which --help would keep for --helpfull
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[flag.name])
    _leave_after(lambda: app.run(start, flags_parser=_parse_flags))


def _arguments(argv: list[str], argument: str | None) -> list[str]:
    """The binary's first argument, if it has one; there is no other."""
    given, others = (argv[1:2], argv[2:]) if argument else ([], argv[1:])
    if others:
        raise UserError(f"expected flags only, found the argument '{others[0]}' (see --help)")
    if argument and not given:
        raise UserError(f"expected a {argument}, found none (see --help)")
    return given


def _foreseen(error: Exception) -> tuple[str | None, int]:
    """The line and the exit code of a failure that was foreseen; None and 1 of another."""
    if isinstance(error, UserError):
        return _one_line(error), error.exit_code
    message = raised_in_graph(error)
    if message is not None:
        return message, UserError.exit_code
    if no_space(error):
        return f"the disk is full; what was whole before still is: {_one_line(error)}", NoSpace.exit_code
    if out_of_memory(error):
        said = (
            "expected work that fits into the device's memory, found work that does not; smaller batches take less "
            "(evaluation.batch_size, batch_size)"
        )
        return said, UserError.exit_code
    if denied(error):
        return f"expected files that may be read and written, found: {_one_line(error)}", UserError.exit_code
    if lost_worker(error):
        return "another worker is gone; run the same command again, on every worker", TryAgain.exit_code
    return None, 1


def _leave_after(work: Callable[[], None]) -> None:
    """Does the work of the whole process, and ends it as is right for how that ends."""
    try:
        work()
    except interruption.Interrupted as signal:
        print(f"error: stopped by {signal}; {interruption.AGAIN}", file=sys.stderr)
        sys.stdout.flush()
        os._exit(TryAgain.exit_code)  # threads that still work on something are not waited for
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SystemExit as end:  # absl ends with one
        filesystems.leave(end.code or 0)
        raise
    except Exception:
        sys.excepthook(*sys.exc_info())
        filesystems.leave(1)
        sys.exit(1)


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses the flags; what they cannot mean is one line, where absl would print two and its usage."""
    try:
        return flags.FLAGS(argv)
    except SystemExit:
        sys.exit(0)  # only --help ends here, and absl calls it a failure
    except flags.Error as error:
        print(f"error: {_one_line(error)} (see --help)", file=sys.stderr)
        sys.exit(UserError.exit_code)


def _one_line(error: BaseException) -> str:
    # Gin appends which configurable was being called, with its address in memory.
    said = str(error).split("\n  In call to configurable")[0]
    return " ".join(said.split()) or type(error).__name__
