"""What is measured in a process of its own."""

import ast
import os
import pathlib
import re

import pytest

from tsnet_tf.benchmark.machine import in_fresh_process

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_call_is_made_in_another_process():
    assert in_fresh_process(["os", "math"], "[getpid(), floor(2.5)]")[1] == 2
    assert in_fresh_process(["os"], "getpid()") != os.getpid()


def test_what_goes_wrong_there_is_said_here():
    with pytest.raises(RuntimeError, match="NameError: name 'joint_stop'"):
        in_fresh_process(["os"], "joint_stop()")


def test_names_in_the_calls_of_the_search_are_known():
    source = (ROOT / "bin" / "benchmark.py").read_text()
    modules = ast.literal_eval(re.search(r"^SEARCH_MODULES = (.*)$", source, re.MULTILINE)[1])
    names = ["joint_step", "plain_training", "table1"]
    assert in_fresh_process(modules, f"[one.__name__ for one in ({', '.join(names)})]") == names
