"""What the binaries do on SIGTERM and SIGINT, and what ends with which exit code."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import gin
import pytest

from tsnet_tf import interruption
from tsnet_tf.errors import TryAgain
from tsnet_tf.search import progressive

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def binary(body):
    """Starts a binary with this ``main``, and returns it when it has said "ready"."""
    return started(
        f"import errno, os, signal, time\nfrom tsnet_tf import cli\ndef main():\n    {body}\ncli.run(main)\n"
    )


def started(program):
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_a_binary_with_one_line(number):
    process = binary("print('ready', flush=True); time.sleep(60)")
    process.send_signal(number)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 75
    assert error == f"error: stopped by {signal.Signals(number).name}; run the same command again to go on\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_while_libraries_are_imported_is_one_line(number):
    imports = "print('ready', flush=True); time.sleep(60)"
    process = started(f"import time\nfrom tsnet_tf import cli\ncli.silence_libraries()\n{imports}\n")
    process.send_signal(number)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 75
    assert error == f"error: stopped by {signal.Signals(number).name}; run the same command again to go on\n"


def test_an_operation_that_no_signal_interrupts_is_not_waited_for():
    """A call in C that does not look at Python's signals, as an operation of TensorFlow; it says "ready" itself."""
    process = binary("""
    import ctypes
    from tsnet_tf import interruption
    interruption.GRACE_SECONDS = 0.5
    ctypes.CDLL(None).system(b'echo ready; exec sleep 30 > /dev/null 2>&1')
    """)
    process.terminate()
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 75
    assert error == (
        "error: stopped by SIGTERM: after 0.5 s an operation that no signal interrupts was still running; what is "
        "whole on disk stays whole; run the same command again to go on\n"
    )


def test_what_was_under_way_is_told():
    process = binary("""
    import ctypes
    from tsnet_tf import interruption
    interruption.GRACE_SECONDS = 0.5
    with interruption.during(lambda: 'the whole was at it'), interruption.during(lambda: 'a part was at it'):
        ctypes.CDLL(None).system(b'echo ready; exec sleep 30 > /dev/null 2>&1')
    """)
    process.terminate()
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 75
    assert error == "error: stopped by SIGTERM: after 0.5 s a part was at it; run the same command again to go on\n"


def test_code_that_goes_on_after_errors_does_not_go_on_after_a_signal():
    process = binary("""
    while True:
        try:
            print('ready', flush=True)
            time.sleep(60)
        except Exception:
            pass
    """)
    process.terminate()
    assert process.wait(30) == 75
    process.communicate()


def test_full_disk_is_one_line_wherever_it_is_met():
    process = binary("print('ready', flush=True); raise OSError(errno.ENOSPC, 'No space left on device', '/runs/x')")
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 4
    assert error == (
        "error: the disk is full; what was whole before still is: [Errno 28] No space left on device: '/runs/x'\n"
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_handlers_of_a_context_end_with_it(number):
    before, received = signal.getsignal(number), []
    with interruption.on_signal(received.append):
        os.kill(os.getpid(), number)
    assert received == [number] and signal.getsignal(number) is before


def part(tmp_path, body):
    (tmp_path / "part.py").write_text(f"import os, pathlib, signal, sys, time\n{body}\n")
    return [sys.executable, str(tmp_path / "part.py")]


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_passed_on_to_the_part_that_runs_and_it_is_waited_for(tmp_path, number):
    command = part(
        tmp_path,
        f"""
def save(number, frame):
    time.sleep(0.5)
    pathlib.Path({str(tmp_path)!r}, "saved").write_text(str(number))
    sys.exit(75)
signal.signal({int(number)}, save)
pathlib.Path({str(tmp_path)!r}, "ready").touch()
time.sleep(60)""",
    )

    def interrupt():
        while not (tmp_path / "ready").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(TryAgain, match=f"stopped by {signal.Signals(number).name} in part.py; run the same command"):
        progressive._run(command)
    assert (tmp_path / "saved").read_text() == str(int(number))


@pytest.mark.parametrize(
    "body, code, said",
    [
        ("sys.exit(4)", 4, "part.py ended with exit code 4; run the same command again to go on from there"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "part.py was ended by SIGKILL; run the same command again"),
    ],
)
def test_the_whole_ends_as_its_part(tmp_path, body, code, said):
    @gin.configurable("whole", module=f"test_code_{code}")
    def whole():
        progressive._run(part(tmp_path, body))

    with pytest.raises(progressive.PartFailed) as error:
        whole()
    assert error.value.exit_code == code and str(error.value).startswith(said)
