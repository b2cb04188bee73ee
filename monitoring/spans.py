"""A piece of a request's time, as whoever measures it sees it, whether it is kept or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["internal", "client"]


class Span:
    """A piece of a request's time; this one is never kept."""

    def ends_as(self, name: str, status: int, attributes: Mapping[str, str]) -> None:
        """Tell how a request ended.

        Args:
            name: Method and route.
            status: Of HTTP; 500 and above is a fault.
            attributes: What else is known; empty values are left out.
        """
