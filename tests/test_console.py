"""What is shown on a terminal, in a file, quietly and in full; each in a process of its own, as the binaries are."""

import os
import pty
import re
import subprocess
import sys

import pytest

from tsnet_tf import console

PROGRAM = """
import sys
from tsnet_tf import console

console.set_level(sys.argv[1])
console.say("a line [not markup]")
console.warn("a warning")
with console.progress("search: sparse", 30, done=10) as bar:
    for step in (15, 20, 30):
        bar.advance(step - bar.done, loss="1.25", GMACs="1.41 (target 1.4)", **{"clips/s": 250})
console.table("A table", ["name", "value"], [["top-1", 75.1]])
"""
COMMAND = [sys.executable, "-c", PROGRAM]
FIGURES = "loss 1.25  GMACs 1.41 (target 1.4)  clips/s 250"


def in_a_pipe(level):
    done = subprocess.run([*COMMAND, level], capture_output=True, text=True, check=True)
    assert done.stderr == "warning: a warning\n"
    return done.stdout


def on_a_terminal(level, columns=80, kind="xterm-256color"):
    """Everything that the process writes to its terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": kind, "COLUMNS": str(columns), "LINES": "24"}
    process = subprocess.Popen([*COMMAND, level], stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    content = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        content += part
    os.close(ours)
    assert process.wait() == 0
    return content.decode()


def plain(text):
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_plain_lines_where_there_is_no_terminal():
    said = in_a_pipe("normal")
    assert "\x1b" not in said and "\r" not in said
    lines = said.splitlines()
    assert lines[0] == "a line [not markup]"
    # The first report and the last; those between come every 15 seconds.
    assert lines[1] == f"search: sparse: 15/30  {FIGURES}"  # how fast it is cannot be said yet
    assert lines[2] == f"search: sparse: 30/30, done  {FIGURES}"
    assert "A table" in lines[3] and "75.1" in said


def test_plain_lines_on_a_terminal_that_cannot_draw():
    said = on_a_terminal("normal", 120, kind="dumb")
    assert "\x1b" not in said and f"search: sparse: 15/30  {FIGURES}" in said


def test_quiet_keeps_results_and_warnings():
    for said in (in_a_pipe("quiet"), plain(on_a_terminal("quiet"))):
        assert "a line" not in said and "sparse" not in said
        assert "A table" in said and "75.1" in said


def test_verbose_has_a_line_for_every_report():
    for said in (in_a_pipe("verbose"), plain(on_a_terminal("verbose", 120))):
        found = re.findall(r"search: sparse: (\d+)/30(, \w*[0-9:]*(?: left)?)?  ", said)
        assert found == [("15", ""), ("20", ", 0:00:00 left"), ("30", ", done")]


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_bar_and_all_figures_on_a_terminal(columns):
    said = on_a_terminal("normal", columns)
    assert "\x1b[" in said
    shown = plain(said)
    assert "search: sparse" in shown and "30/30" in shown and "left" in shown and "━" in shown
    assert FIGURES in shown
    assert max(len(line) for line in re.split(r"[\r\n]+", shown)) <= columns


def test_time_left_is_known_with_the_first_report_and_leaves_out_what_compiling_took(monkeypatch):
    """One step in 100 s, which compiles, then nine in 9 s: of 30 steps, 20 are left, a second each."""
    clock = iter([100.0, 109.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    said = []
    monkeypatch.setattr(console, "say", said.append)
    bar = console._Bar("search: sparse", 30, 0, None)
    bar.began(1)
    bar.advance(10)
    assert said == ["search: sparse: 10/30, 0:00:20 left"]


def test_numbers_go_with_their_nouns_and_verbs():
    said = [
        console.counted(1, "video", "are"),
        console.counted(2, "class", "have"),
        console.counted(1, "video", "decide"),
    ]
    assert said == ["1 video is", "2 classes have", "1 video decides"]
