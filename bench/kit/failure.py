class Failure(Exception):
    """The run cannot go on, or a result is wrong: a message for the terminal and exit code 1."""
