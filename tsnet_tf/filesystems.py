"""File systems beyond the local disk: s3://, through tensorflow-io, which is loaded only where such a path is used.

The server and the account are named by the environment: S3_ENDPOINT (of a server other than Amazon's),
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
"""

import os
import sys
import uuid
import warnings

from tsnet_tf.errors import UserError

_S3 = "s3://"
_loaded = False


def load_for(*texts: str) -> None:
    """Makes the file systems known that the paths in ``texts`` need.

    Raises:
      UserError: the installed tensorflow-io does not fit the installed TensorFlow.
    """
    global _loaded
    if _loaded or not any(_S3 in text for text in texts):
        return
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the two do not fit, importing only warns
        try:
            import tensorflow_io  # noqa: F401
        except ImportError as error:
            raise _does_not_fit(f"none that can be imported ({error})") from error
    try:
        # Names no object, so no server is asked: it fails within the file system, if there is one. Not an operation,
        # which would start TensorFlow: several workers have to find each other first.
        tf.io.gfile.exists(f"{_S3}/")
    except tf.errors.UnimplementedError as error:
        raise _does_not_fit("one that does not know them") from error
    except tf.errors.OpError:
        pass
    _loaded = True


def check_can_be_written(path: str, what: str, unless: str | None = None) -> None:
    """Tries whether files can be written below ``path``, on whatever file system, and removes what it has written.

    Args:
      path: of a folder, which need not be there.
      what: such as "--output", for the message.
      unless: a file in it that says that there is nothing left to write.

    Raises:
      UserError: they cannot.
    """
    import tensorflow as tf

    probe = f"{path.rstrip('/')}.{uuid.uuid4().hex}.tmp"
    try:
        if unless and tf.io.gfile.exists(f"{path.rstrip('/')}/{unless}"):
            return
        with tf.io.gfile.GFile(probe, "wb") as file:
            file.write(b"tsnet_tf")
        tf.io.gfile.remove(probe)
    except tf.errors.OpError as error:
        said = " ".join(str(error.message).split())
        raise UserError(f"{what}: expected a path that can be written, found '{path}': {said}") from error


def leave(code: int) -> None:
    """Ends the process if s3:// was used: its threads do not survive an orderly end, and would turn success into abort.

    Does nothing otherwise.
    """
    if _loaded:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _does_not_fit(found: str) -> UserError:
    import tensorflow as tf

    return UserError(
        f"expected a tensorflow-io that fits TensorFlow {tf.__version__}, to use s3:// paths, found {found}; "
        "constraints.txt has versions that fit each other (TensorFlow 2.17)"
    )
