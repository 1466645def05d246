"""What must stay on a page of our own: we do not know that the browser came from a client."""


class PageError(Exception):
    """Not to be told to the client. ``sentence`` is ours; ``client_id`` and ``sent`` say whose
    doing it is and what it sent, where that is known.
    """

    def __init__(self, code: str, sentence: str, *, client_id: str = "", sent: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.sentence = sentence
        self.client_id = client_id
        self.sent = sent
