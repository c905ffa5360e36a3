"""What happened since the last step."""


class Counts:
    """Forwards, backwards and rows of the step under way, under their names in RECORD.md."""

    __slots__ = ("again", "bwd", "flags", "fwd", "fwd_off", "loss", "rows", "rows_off", "unsure")

    def __init__(self):
        self.clear()

    def clear(self):
        """Begin another step."""
        self.rows = self.unsure = self.rows_off = 0
        self.fwd = self.again = self.bwd = self.fwd_off = self.flags = 0
        self.loss = None


counts = Counts()
