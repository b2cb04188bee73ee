"""What goes wrong with the experiment tracker.

RetrievalError           of retrieval.errors
└── TrackingError        the experiment tracker does not answer or refuses
"""

from __future__ import annotations

from retrieval.errors import RetrievalError


class TrackingError(RetrievalError):
    """The experiment tracker does not answer or refuses."""
