"""The runbooks as a page: an anchor for each alert, no HTML of the file's own, links that lead somewhere."""

from __future__ import annotations

import re

from monitoring.page.runbooks import RUNBOOKS, read_runbooks, runbooks_html
from monitoring.rules.command import groups
from monitoring.rules.logs import logs
from monitoring.slo import load_service_levels

DASHBOARDS = ("overview", "pipeline")


def test_every_alert_has_its_section_under_its_name() -> None:
    html = runbooks_html(read_runbooks(RUNBOOKS), DASHBOARDS)
    anchors = re.findall(r'<h\d id="([^"]+)"', html)
    names = {alert.name for group in (*groups(load_service_levels()), logs()) for alert in group.alerts}
    assert names <= set(anchors)
    assert len(anchors) == len(set(anchors))
    assert all(f'href="#{name}"' in html for name in names)


def test_html_in_the_file_is_shown_as_text() -> None:
    html = runbooks_html("# T\n\n<script>x</script> <b onclick=y>z</b>\n\n[a](javascript:alert(1))", DASHBOARDS)
    assert "<script" not in html
    assert "<b" not in html
    assert 'href="javascript' not in html


def test_links_to_this_page_lead_to_where_it_is_and_those_to_files_nowhere() -> None:
    text = "[a](http://127.0.0.1:8110/overview#latency) [b](monitoring.md) [c](#X) [d](https://prometheus.io/docs)"
    html = runbooks_html(text, DASHBOARDS)
    assert re.findall(r'href="([^"]+)"', html) == ["/overview#latency", "#X", "https://prometheus.io/docs"]
    assert "b</a>" in html


def test_titles_that_are_no_names_have_anchors_too_and_none_twice() -> None:
    html = runbooks_html("## Before anything else\n\n## Before anything else\n\n## A `b` c", DASHBOARDS)
    assert re.findall(r'<h2 id="([^"]+)"', html) == ["before-anything-else", "before-anything-else-", "a-b-c"]
