"""What a client may choose, checked: a range, and values of the dashboard's variables; never an expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from monitoring.dashboards.panels import Dashboard
from monitoring.page.window import RANGES, USUAL_RANGE
from retrieval.errors import ConfigError

EVERYTHING = ".*"
_LONGEST = 128
_VALUE = re.compile(r"[\w.:@/+-]+", re.ASCII)


@dataclass(frozen=True)
class Choices:
    """What was chosen.

    Attributes:
        range: Key of `RANGES`.
        values: By variable; a variable that is not here stands for every value.
    """

    range: str = USUAL_RANGE
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, parameters: Mapping[str, str], dashboard: Dashboard | None = None) -> Choices:
        """From an address; parameters that are not known are left aside, as links of others may have them.

        Args:
            parameters: Of the query.
            dashboard: Whose variables count.

        Raises:
            ConfigError: If a value is not one that can be chosen.
        """
        wanted = parameters.get("range") or USUAL_RANGE
        if wanted not in RANGES:
            raise ConfigError(f"range: got {wanted[:_LONGEST]!r}; choose one of {', '.join(RANGES)}")
        values = {}
        for variable in dashboard.variables if dashboard else ():
            value = parameters.get(variable.name, "")
            if len(value) > _LONGEST or (value and not _VALUE.fullmatch(value)):
                raise ConfigError(
                    f"{variable.name}: got {value[:_LONGEST]!r}; choose a value from the list, of letters, digits and"
                    f" ._:@/+- and at most {_LONGEST} characters"
                )
            if value:
                values[variable.name] = value
        return cls(wanted, values)

    def filled(self, expression: str, dashboard: Dashboard, rate_seconds: int) -> str:
        """An expression of the dashboard's with what was chosen in the places of its variables.

        Args:
            expression: Of one of its queries.
            dashboard: Whose variables it has.
            rate_seconds: Time over which rates are taken.
        """
        filled = expression.replace("$__rate_interval", f"{rate_seconds}s").replace("$__range", self.range)
        # the longest name first, so that none is taken for the beginning of another
        for name in sorted((variable.name for variable in dashboard.variables), key=len, reverse=True):
            filled = filled.replace(f"${name}", self._pattern(name))
        return filled

    def _pattern(self, name: str) -> str:
        """A regular expression inside a string of PromQL's, where a backslash is written twice."""
        value = self.values.get(name)
        return EVERYTHING if value is None else re.escape(value).replace("\\", "\\\\")

    def address(self, path: str, **changed: str) -> str:
        """An address with these choices, some of them changed."""
        pairs = {"range": self.range, **self.values, **changed}
        if pairs["range"] == USUAL_RANGE:
            del pairs["range"]
        return f"{path}?{urlencode(pairs)}" if pairs else path
