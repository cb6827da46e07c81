"""Errors that are the user's to mend: shown as one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pose_attention_ros.core.secrets import masked


class UserError(Exception):
    """Wrong argument, missing or damaged file, absent device: the message says what, where and what to do about it.

    Passwords in it are masked.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(masked(argument) if isinstance(argument, str) else argument for argument in arguments))


class SourceError(UserError):
    """A camera, video, folder or bag that cannot be opened or read."""


class ModelError(UserError):
    """A model that is missing, damaged, tampered with, or made for something else."""


class MessageError(UserError):
    """A message that cannot be used: it is dropped, counted and reported; who received it goes on."""


@contextmanager
def reading(path: Path, what: str, kind: type[UserError] = UserError) -> Iterator[None]:
    """Whatever fails in the block fails because of the file: a damaged one makes its library raise what it likes.

    :param what: what the file should be, as in "is not ...": with its article, or "in ... format"
    :raises UserError: one line (of class `kind`) with the path, what was expected and the library's words
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise kind(f"{path} cannot be read: {error.strerror or one_line(error)}; expected {what}") from error
    except Exception as error:
        raise kind(f"{path} is not {what}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """What an error says, without line breaks and without end; its class where that says more."""
    words = " ".join(str(error).split())
    if "allow_pickle" in words:  # numpy's words for anything that is no array, with the advice to trust it
        return "it holds no plain arrays"
    said = words if len(words) <= 300 else f"{words[:297]}..."
    return f"{type(error).__name__} {said}" if isinstance(error, LookupError) or len(said) < 4 else said
