"""What files of torch.save say, in both formats, without PyTorch."""

import numpy as np
import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.pretrained import torch_file

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([-1.5, 2.0], np.float32)}
FORMATS = pytest.mark.parametrize("sequence", [False, True], ids=["zip", "sequence"])


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype and found[name].shape == value.shape


@FORMATS
@pytest.mark.parametrize("around", ["bare", "model_state", "state_dict"])
def test_the_state_is_found(opcodes, sequence, around):
    def put(state):
        other = {"epoch": opcodes.whole(300), "cfg": opcodes.text("TRAIN: ..."), "loss": b"G" + bytes(8), "none": b"N"}
        return state if around == "bare" else opcodes.dictionary({**other, around: state})

    assert_equal(torch_file.weights(opcodes.written(ARRAYS, sequence, around=put), "x"), ARRAYS)


@FORMATS
def test_parameters_are_tensors(opcodes, sequence):
    assert_equal(torch_file.weights(opcodes.written(ARRAYS, sequence, parameters=True), "x"), ARRAYS)


@FORMATS
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_kinds_of_numbers(opcodes, sequence, dtype):
    arrays = {"scalar": np.array(3, dtype), "vector": np.array([1, -2, 100], dtype)}
    assert_equal(torch_file.weights(opcodes.written(arrays, sequence), "x"), arrays)


@FORMATS
def test_bfloat16_is_the_upper_half_of_float32(opcodes, sequence):
    # 0x3fc0 is the upper half of 0x3fc00000, sign 0, exponent 127, mantissa 1.1: 1.5; 0xc000 is -2.
    written = opcodes.written({"a": np.array([0x3FC0, 0xC000], np.uint16)}, sequence)
    assert_equal(torch_file.weights(written, "x"), {"a": np.array([1.5, -2.0], np.float32)})


def test_storages_of_a_gpu(opcodes):
    written = opcodes.in_sequence(
        opcodes.state(ARRAYS, True).replace(b"ctorch\n", b"ctorch.cuda\n"), [*ARRAYS.values()]
    )
    assert_equal(torch_file.weights(written, "x"), ARRAYS)


def test_tensors_share_a_storage_in_any_order_of_axes(opcodes):
    # Numbers 0 to 7; from 2 on, two rows of three: 2 4 6 and 3 5 7 with steps of 1 and 2.
    storage = opcodes.storage("0", "Float", 8)
    state = {"turned": opcodes.tensor(storage, (2, 3), (1, 2), offset=2), "all": opcodes.tensor(storage, (8,), (1,))}
    numbers = np.arange(8, dtype=np.float32)
    found = torch_file.weights(opcodes.zipped(opcodes.dictionary(state), [numbers]), "x")
    assert_equal(found, {"turned": np.array([[2, 4, 6], [3, 5, 7]], np.float32), "all": numbers})


@pytest.mark.parametrize(
    "shape, strides, offset",
    [
        ((9,), (1,), 0),
        ((8,), (1,), 1),
        ((2, 2), (7, 1), 0),
        ((10**6, 10**6), (0, 0), 0),
        ((2,), (-1,), 1),
        ((-1,), (1,), 0),
    ],
)
def test_a_tensor_stays_within_its_storage(opcodes, shape, strides, offset):
    state = {"a": opcodes.tensor(opcodes.storage("0", "Float", 8), shape, strides, offset)}
    with pytest.raises(UserError, match="storage 0 has too few numbers"):
        torch_file.weights(opcodes.zipped(opcodes.dictionary(state), [np.zeros(8, np.float32)]), "x")


@pytest.mark.parametrize("sequence", [False, True], ids=["zip", "sequence"])
def test_every_cut_is_one_error(opcodes, sequence):
    whole = opcodes.written(ARRAYS, sequence)
    for length in range(len(whole)):
        with pytest.raises(UserError, match="^--checkpoint: expected "):
            torch_file.weights(whole[:length], "x")


def test_any_changed_byte_is_one_error_or_none(opcodes):
    for sequence in (False, True):
        whole = opcodes.written(ARRAYS, sequence)
        draw = np.random.default_rng(0)
        for _ in range(400):
            place, value = draw.integers(len(whole)), int(draw.integers(256))
            try:
                torch_file.weights(whole[:place] + bytes([value]) + whole[place + 1 :], "x")
            except UserError as error:
                assert str(error).isprintable()
