"""The one kind of error that ends a command of the driver."""


class StackError(Exception):
    """One sentence: what is wrong, where, and the cure. `code` is the exit code of the command."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code
