"""What is measured in a process of its own."""

import functools
import os

import pytest

from tsnet_tf.benchmark import growth, search_step
from tsnet_tf.benchmark.machine import in_fresh_process, process_with_threads
from tsnet_tf.space.table1 import table1


def test_a_call_is_made_in_another_process():
    assert in_fresh_process(divmod, 7, 2) == (3, 1)
    assert in_fresh_process(os.getpid) != os.getpid()


def test_what_goes_wrong_there_is_said_here():
    with pytest.raises(ZeroDivisionError):
        in_fresh_process(divmod, 7, 0)


@pytest.mark.nightly
def test_a_training_step_is_measured_there():
    found = in_fresh_process(growth.training, 1, 2, 32, 0.5)
    assert found["seconds"] > 0 and found["gigabytes"] > 0.1


@pytest.mark.slow
def test_a_small_joint_step_is_measured_there():
    space = table1(
        depths=((1,),), sparse_width=0.25, resolution=16, sparse_frames=2, dense_frames=8, hidden=16, classes=5
    )
    found = in_fresh_process(search_step.joint_step, space, 2, 1)
    assert found["samples"] == 1 and found["step"] > 0 and found["peak_gigabytes"] > 0.1


def test_a_process_has_its_own_number_of_threads():
    with process_with_threads(3, functools.partial, eval) as call:
        assert call("divmod(7, 2)") == (3, 1)
        assert call("__import__('tensorflow').config.threading.get_intra_op_parallelism_threads()") == 3
