"""What must stay on a page of our own: we do not know that the browser came from a client."""


class Shown(Exception):
    """Not to be told to the client. ``sentence`` is ours."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = sentence
