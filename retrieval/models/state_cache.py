"""Token vectors of texts that a split cross-encoder has read before, within a bound of memory.

The lower layers of such a model read a passage without its question, and law is asked for again and again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.models.frozen_layers import TokenStates

TextTokens = tuple[int, ...]


@dataclass(frozen=True)
class CachedStates:
    """What was known of some texts.

    Attributes:
        bounds: (T, D) float16 token vectors of each text.
    """

    bounds: dict[TextTokens, NDArray[np.float16]]

    def of(self, text: TextTokens) -> Tensor:
        """(T, D) float16 token vectors of one text."""
        return torch.from_numpy(self.bounds[text])


class StateCache:
    """Forgets what was not asked for longest; several threads may use it."""

    def __init__(self, most_bytes: int) -> None:
        """Set up; at most ``most_bytes`` of vectors are held."""
        self._most_bytes, self._bytes = most_bytes, 0
        self._held: OrderedDict[TextTokens, NDArray[np.float16]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, texts: Iterable[TextTokens]) -> CachedStates:
        """What is known of some texts; those that are not known are left out."""
        with self._lock:
            found = {text: self._held[text] for text in texts if text in self._held}
            for text in found:
                self._held.move_to_end(text)
        return CachedStates(found)

    def remember(self, states: TokenStates) -> None:
        """Hold the vectors of texts, too."""
        for text, (start, end) in states.bounds.items():
            vectors = np.array(states.vectors[start:end])
            with self._lock:
                old = self._held.pop(text, None)
                self._held[text] = vectors
                self._bytes += vectors.nbytes - (0 if old is None else old.nbytes)
                while self._bytes > self._most_bytes:
                    self._bytes -= self._held.popitem(last=False)[1].nbytes
