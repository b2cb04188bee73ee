"""What goes wrong with versions and stages.

RetrievalError           of retrieval.errors
└── PromotionError       a version cannot take the place it was judged for
"""

from __future__ import annotations

from retrieval.errors import RetrievalError


class PromotionError(RetrievalError):
    """A version cannot take the place it was judged for, because production changed meanwhile."""
