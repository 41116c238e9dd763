"""What every binary shares: flags, gin, quiet libraries, and errors a person can act on."""

import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Callable

import absl.logging
from absl import app, flags

from tsnet_tf import console, filesystems, interruption
from tsnet_tf.errors import NoSpace, TryAgain, UserError, lost_worker, no_space, raised_in_graph

GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "Gin file(s) with the settings.")
GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Single settings that override the gin files, such as 'seed = 1'."
)
CONSOLE = flags.DEFINE_enum(
    "console", console.NORMAL, console.LEVELS, "quiet: tables, warnings and errors only; verbose: every report."
)
WORKDIR = flags.DEFINE_string("workdir", None, "Run folder: everything this run writes goes there.")

SHARED_FLAGS = (GIN_FILE, GIN_BINDINGS, WORKDIR, CONSOLE)


def silence_libraries() -> None:
    """Keeps third-party chatter off the terminal, and the traceback of a signal while libraries are imported.

    Call before TensorFlow is imported.
    """
    interruption.exit_on_signal()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore")
    for name in ("tensorflow", "absl", "apache_beam", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)


def parse_gin() -> None:
    """Reads ``--gin_file`` and ``--gin_bindings``.

    Raises:
      UserError: a file is missing, or a binding names nothing that can be set.
    """
    import gin

    # Gin files include each other by their path from the project's root, from wherever a binary is started.
    gin.add_config_file_search_path(str(pathlib.Path(__file__).parents[1]))
    for path in GIN_FILE.value:
        if not os.path.exists(path):
            raise UserError(f"--gin_file: expected an existing gin file, found nothing at '{path}'")
    try:
        gin.parse_config_files_and_bindings(GIN_FILE.value, GIN_BINDINGS.value)
    except UserError:
        raise
    except (ValueError, SyntaxError, TypeError, OSError, AttributeError) as error:
        raise UserError(f"gin configuration: {_one_line(error)}") from error


def run(main: Callable[..., None], argument: str | None = None) -> None:
    """Runs one binary: parses flags, reads gin, calls ``main()`` and turns a `UserError` into one line.

    With ``argument``, such as "command", the binary's first argument is one, and ``main(it)`` is called.

    Exit codes, each but the first two with one line on standard error: 0 success; 1 a failure that nobody foresaw; 2 a
    mistake in flags, gin or input; 3 a loss or gradient is no number any more; 4 the disk is full; 75 stopped by
    SIGTERM or SIGINT, or a worker was lost: run the same command again.
    """
    silence_libraries()
    interruption.raise_on_signal()

    def start(argv: list[str]) -> None:
        absl.logging.set_verbosity(absl.logging.FATAL)  # absl resets it while it parses the flags
        console.set_level(CONSOLE.value)
        try:
            given, others = (argv[1:2], argv[2:]) if argument else ([], argv[1:])
            if others:
                raise UserError(f"expected flags only, found the argument '{others[0]}' (see --help)")
            if argument and not given:
                raise UserError(f"expected a {argument}, found none (see --help)")
            parse_gin()
            filesystems.load_for(*sys.argv)
            main(*given)
        except UserError as error:
            print(f"error: {_one_line(error)}", file=sys.stderr)
            sys.exit(error.exit_code)
        except Exception as error:
            message = raised_in_graph(error)
            if message is not None:
                print(f"error: {message}", file=sys.stderr)
                sys.exit(UserError.exit_code)
            if no_space(error):
                print(f"error: the disk is full; what was whole before still is: {_one_line(error)}", file=sys.stderr)
                sys.exit(NoSpace.exit_code)
            if lost_worker(error):
                print("error: another worker is gone; run the same command again, on every worker", file=sys.stderr)
                sys.exit(TryAgain.exit_code)
            raise

    for flag in SHARED_FLAGS:  # which --help would keep for --helpfull
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[flag.name])
    try:
        app.run(start, flags_parser=_parse_flags)
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
