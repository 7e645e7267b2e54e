"""What a challenge refuses: a sentence, and the status that HTTP has for it."""


class Refused(ValueError):
    """A request that is not done, and costs nothing unless its sentence says so.

    Args:
        sentence: what is wrong, with the value, and what to do.
        status: of the answer over HTTP.
        wait: seconds after which it may be asked again; None if waiting does not help.
    """

    def __init__(self, sentence: str, status: int = 422, wait: float | None = None) -> None:
        super().__init__(sentence)
        self.status, self.wait = status, wait
