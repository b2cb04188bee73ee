"""The errors of the library below one base, so that callers catch one type; other packages draw their own below it.

RetrievalError
├── ConfigError          a configuration key, value or file is wrong
├── DataError            an input file or record is wrong
│   ├── SourceError      a file is missing, unreadable or has the wrong columns
│   └── ValidationError  a row breaks a rule (duplicate, empty, unknown gold)
├── ModelError           a model folder or weight file is missing, damaged or unsuitable
├── ArtifactError        a saved artifact is incomplete or was altered
├── StorageError         an object store is away, refuses or lacks what is asked for
├── TrainingError        training cannot start, continue or converge
├── SearchError          an index or a query cannot be used
├── EvaluationError      runs and judgements do not fit together
└── ServerError          a server on this machine does not start or has ended
"""

from __future__ import annotations


class RetrievalError(Exception):
    """Base of all errors raised on purpose; its message says what, got and what to do next."""


class ConfigError(RetrievalError):
    """A configuration key, value or file is wrong."""


class DataError(RetrievalError):
    """An input file or record is wrong."""


class SourceError(DataError):
    """A file is missing, unreadable or has the wrong columns."""


class ValidationError(DataError):
    """A row breaks a rule; the message names the file and the row."""


class ModelError(RetrievalError):
    """A model folder or weight file is missing, damaged or unsuitable."""


class ArtifactError(RetrievalError):
    """A saved artifact is incomplete or was altered after it was written."""


class StorageError(RetrievalError):
    """An object store is away, refuses or lacks what is asked for.

    Attributes:
        code: S3's code of the answer, or the name of the connection error.
        away: Whether the store could not be reached or was overloaded, so that the same may go well later.
    """

    def __init__(self, message: str, code: str = "", away: bool = False) -> None:
        super().__init__(message)
        self.code, self.away = code, away


class TrainingError(RetrievalError):
    """Training cannot start, continue or converge."""


class SearchError(RetrievalError):
    """An index or a query cannot be used."""


class EvaluationError(RetrievalError):
    """Runs and judgements do not fit together."""


class ServerError(RetrievalError):
    """A server on this machine does not start or has ended."""
