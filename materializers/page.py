"""Small static pages for the dashboard: a heading, tables of facts and inline pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:24px;max-width:60rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:12px 0}td,th{padding:4px 14px 4px 0;border-bottom:1px solid #ddd;"
    "text-align:left;vertical-align:top}th{font-weight:600}svg{max-width:100%;height:auto}h1{font-size:1.3rem}"
)


def page(title: str, facts: Mapping[str, object], pictures: Sequence[str] = (), tables: Sequence[str] = ()) -> str:
    """A page with inline SVG pictures, a table of facts and further tables.

    Pictures come first: the dashboard shows a page in a low frame, which would cut them off below a table.
    """
    rows = [(name.replace("_", " "), _shown(value)) for name, value in facts.items()]
    body = "".join([*(f"<div>{picture}</div>" for picture in pictures), table(rows) if rows else "", *tables])
    return (
        f'<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def table(rows: Sequence[Sequence[object]], header: Sequence[str] = ()) -> str:
    """An HTML table of plain values."""
    head = "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>" if header else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
