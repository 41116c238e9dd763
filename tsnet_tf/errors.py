"""The one exception that a person is meant to read."""


class UserError(Exception):
    """A mistake in what the user gave.

    The binaries print it as one line on standard error and exit with code 2. The message says what was
    expected and what was found.
    """


def raised_in_graph(error: Exception) -> str | None:
    """Returns the message of the `UserError` that ended a TensorFlow graph; None if another error did.

    TensorFlow gives what Python code inside a graph raises, such as a data pipeline's, as text within an error of its
    own.
    """
    if not type(error).__module__.startswith("tensorflow"):
        return None
    _, found, rest = str(error).partition(f"{UserError.__name__}: ")
    return rest.splitlines()[0] if found else None
