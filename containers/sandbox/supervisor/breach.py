"""What ends a confined program early."""


class Breach(Exception):
    """A failure of the user's code, with its ``processor.*`` code and the cure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
