"""A thousand requests that make little sense: each gets an answer or an error that says what was expected.

They go in as a server puts them in, past the checks that TensorFlow's Python interface makes.
"""

import resource

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

REQUESTS = 1000
OUTPUTS = ("probabilities", "top_k_labels", "top_k_scores")


@pytest.fixture(scope="module")
def serve(saved):
    """A function of a signature's name and its input to its outputs, which is what TensorFlow Serving runs."""
    graph = tf.Graph()
    with graph.as_default():
        session = tf.compat.v1.Session(graph=graph)
        definition = tf.compat.v1.saved_model.load(session, ["serve"], saved)
        calls = {}
        for name in ("serving_default", "jpeg"):
            signature = definition.signature_def[name]
            options = config_pb2.CallableOptions(
                feed=[tensor.name for tensor in signature.inputs.values()],
                fetch=[signature.outputs[output].name for output in OUTPUTS],
            )
            # Unlike `session.run`, this does not compare the value with the signature first.
            calls[name] = session._make_callable_from_options(options)
    yield lambda name, value: calls[name](value)
    session.close()


def jpeg(height=12, width=16, **settings):
    picture = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    return tf.io.encode_jpeg(picture, **settings).numpy()


def with_claimed_size(file, height, width):
    """A JPEG file whose header says that it is larger than it is."""
    start = next(file.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in file) + 5
    return file[:start] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + file[start + 4 :]


def pixels(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape, np.uint8)


def files(*rows):
    return np.array(rows, object)


GOOD = jpeg()
PNG = tf.io.encode_png(pixels(12, 16, 3)).numpy()
RAW, CLIP = "is not compatible with expected shape [?,2,?,?,3]", "frames: expected at least one clip, found] [0 2 12"
SIZE = "expected frames (height, width) of 1 to 8192 pixels a side, the longer at most 16 times the shorter, found"
FILES, FILE = "is not compatible with expected shape [?,2]", "encoded_frames: expected JPEG files, found"

# Signature, input, and words of the error; None where there is an answer to be had.
CASES = {
    "one pixel": ("serving_default", pixels(1, 2, 1, 1, 3), None),
    "upright": ("serving_default", pixels(3, 2, 40, 9, 3), None),
    "large": ("serving_default", pixels(1, 2, 700, 900, 3), None),
    "rank 4": ("serving_default", pixels(2, 12, 16, 3), RAW),
    "rank 6": ("serving_default", pixels(1, 1, 2, 12, 16, 3), RAW),
    "scalar": ("serving_default", np.uint8(3), RAW),
    "no frames": ("serving_default", pixels(1, 0, 12, 16, 3), RAW),
    "a frame too few": ("serving_default", pixels(1, 1, 12, 16, 3), RAW),
    "a frame too many": ("serving_default", pixels(1, 3, 12, 16, 3), RAW),
    "grey": ("serving_default", pixels(1, 2, 12, 16, 1), RAW),
    "with transparency": ("serving_default", pixels(1, 2, 12, 16, 4), RAW),
    "empty batch": ("serving_default", pixels(0, 2, 12, 16, 3), CLIP),
    "no rows": ("serving_default", pixels(1, 2, 0, 16, 3), SIZE),
    "no columns": ("serving_default", pixels(1, 2, 12, 0, 3), SIZE),
    "a line": ("serving_default", pixels(1, 2, 1, 5000, 3), SIZE),
    "huge": ("serving_default", pixels(1, 2, 600, 8193, 3), SIZE),
    "not a number": ("serving_default", np.full((1, 2, 12, 16, 3), np.nan, np.float32), "uint8"),
    "whole numbers of another type": ("serving_default", np.zeros((1, 2, 12, 16, 3), np.int64), "uint8"),
    "text for pixels": ("serving_default", files(["a", "b"]), "uint8"),
    "jpeg": ("jpeg", files([GOOD, GOOD]), None),
    "mixed sizes": ("jpeg", files([GOOD, jpeg(30, 20)], [jpeg(1, 1), jpeg(600, 400)]), None),
    "progressive": ("jpeg", files([jpeg(progressive=True), GOOD]), None),
    "grey jpeg": ("jpeg", files([tf.io.encode_jpeg(pixels(9, 9, 1)).numpy(), GOOD]), None),
    "jpeg rank 1": ("jpeg", files(GOOD, GOOD), FILES),
    "jpeg rank 3": ("jpeg", np.array([[[GOOD, GOOD]]], object), FILES),
    "no jpeg frames": ("jpeg", np.empty((1, 0), object), FILES),
    "empty batch of jpegs": (
        "jpeg",
        np.empty((0, 2), object),
        "encoded_frames: expected at least one clip, found] [0 2]",
    ),
    "a jpeg too many": ("jpeg", files([GOOD, GOOD, GOOD]), FILES),
    "truncated jpeg": ("jpeg", files([GOOD, GOOD[: len(GOOD) // 2]]), "Invalid JPEG data"),
    "header only": ("jpeg", files([GOOD, GOOD[:20]]), "Invalid JPEG data"),
    "png": ("jpeg", files([PNG, GOOD]), FILE),
    "text": ("jpeg", files([b"hello", GOOD]), FILE),
    "nothing": ("jpeg", files([b"", GOOD]), FILE),
    "three bytes": ("jpeg", files([b"\xff\xd8\xff", GOOD]), "Invalid JPEG data"),
    "claims to be huge": ("jpeg", files([with_claimed_size(GOOD, 65000, 65000), GOOD]), SIZE),
    "claims to be a line": ("jpeg", files([with_claimed_size(GOOD, 1, 8000), GOOD]), SIZE),
    "pixels for jpeg": ("jpeg", pixels(1, 2), "string"),
}


@pytest.mark.parametrize("name", CASES)
def test_answer_or_error(serve, name):
    signature, value, said = CASES[name]
    if said is None:
        assert_answer(serve(signature, value), len(value))
        return
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.InternalError)) as caught:
        serve(signature, value)
    assert said in str(caught.value)


def assert_answer(outputs, clips):
    probabilities, labels, scores = outputs
    assert probabilities.shape == labels.shape == scores.shape == (clips, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_thousand_of_them_leave_the_server_as_it_was(serve):
    """After a first round that fills caches, memory stays where it is, and good requests are still answered."""
    order = np.random.default_rng(0).permutation(np.arange(REQUESTS) % len(CASES))
    names, errors, after_first_round = list(CASES), 0, None
    for number, case in enumerate(order):
        signature, value, _ = CASES[names[case]]
        try:
            serve(signature, value)
        except tf.errors.OpError:
            errors += 1
        if number == REQUESTS // 4:
            after_first_round = megabytes()
    assert errors == sum(CASES[names[case]][2] is not None for case in order)
    assert megabytes() - after_first_round < 100
    assert_answer(serve("serving_default", pixels(1, 2, 12, 16, 3)), 1)


def megabytes():
    """The memory that this process has now; where the system does not say, the most it ever had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
