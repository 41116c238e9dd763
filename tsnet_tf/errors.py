"""The one exception that a person is meant to read."""


class UserError(Exception):
    """A mistake in what the user gave.

    The binaries print it as one line on standard error and exit with code 2. The message says what was
    expected and what was found.
    """
