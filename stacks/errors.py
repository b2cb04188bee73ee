"""What goes wrong with the platform that pipelines run on.

RetrievalError           of retrieval.errors
├── AlertError           a message could not be posted
└── StoreError           ZenML's own store cannot be used
"""

from __future__ import annotations

from retrieval.errors import RetrievalError


class AlertError(RetrievalError):
    """A message could not be posted; never names the token."""


class StoreError(RetrievalError):
    """ZenML's own store cannot be used, such as a database that another process keeps locked."""
