"""What keeps an integration from being done or undone; the message is for the user and says what to do."""


class CannotIntegrate(Exception):  # noqa: N818 named by what is the case
    """Nothing was written, and the client's file is as it was."""


class WouldNotWork(CannotIntegrate):
    """The setting would be of no use to this client, as it is or as it is set up here."""


class NothingToWrite(CannotIntegrate):
    """The client holds no setting that could be edited; the steps by hand are what there is."""


class NotForThatServer(CannotIntegrate):
    """A credential in the client's file would go to another server than it is for. steps: how to have it go there."""

    def __init__(self, words: str, steps: tuple[str, ...]) -> None:
        super().__init__(words)
        self.steps = steps


class Unreadable(CannotIntegrate):
    """A text is not what its format allows, so nothing in it can be told apart."""
