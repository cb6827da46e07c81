"""Errors that are the user's to mend: shown as one line, without a traceback."""


class UserError(Exception):
    """Wrong argument, missing or damaged file, absent device: the message says what, where and what to do about it."""


class SourceError(UserError):
    """A camera, video, folder or bag that cannot be opened or read."""


class ModelError(UserError):
    """A model that is missing, damaged, tampered with, or made for something else."""


class MessageError(UserError):
    """A message that cannot be used: it is dropped, counted and reported; who received it goes on."""
