"""HTML and SVG as text; the one place where what is put into it is escaped."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already; everything else is escaped when it is put in."""

    __slots__ = ()


Child = Markup | str | None
"""What an element may hold; None is nothing."""
_VOID = frozenset({"input", "link", "meta", "br"})


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element.

    Args:
        name: Such as ``div``.
        *children: Markup as it is, other text escaped.
        **attributes: Names with ``_`` for ``-``, and ``class_`` for ``class``; True is an attribute without a value,
            False and None are none.

    >>> tag("a", "1 < 2", href='/?q="x"', hidden=True)
    '<a href="/?q=&quot;x&quot;" hidden>1 &lt; 2</a>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Children one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children if child))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'
