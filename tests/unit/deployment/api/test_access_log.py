"""One line for each request of a client: what was asked, how it ended, under which id; nothing a client wrote."""

from __future__ import annotations

import asyncio
import logging

import pytest

from deployment.api.middleware import ServiceMiddleware
from deployment.api.request_ids import outgoing_headers
from deployment.errors import InvalidInput, UpstreamFault
from deployment.settings import ServingSettings
from monitoring.logs import ACCESS, ACCESS_FIELDS, REQUEST_ID

pytestmark = pytest.mark.anyio
SECRET = "bí mật"


class Route:
    path = "/articles/{cid:path}"


async def visit(app, metrics, headers=(), path="/articles/secret", stays=True):
    """One request; the headers of the answer."""
    sent = []
    asked = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive():
        if asked:
            return asked.pop(0)
        if stays:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "client": ("1.2.3.4", 5)}
    await ServiceMiddleware(app, ServingSettings(), metrics)(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]} if sent else {}


def answering(error=None, seen=None):
    async def app(scope, receive, send):
        scope["route"] = Route
        scope["state"]["action"] = "article"
        if seen is not None:
            seen.append((REQUEST_ID.get(), outgoing_headers()))
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def lines(caplog):
    return [one for one in caplog.records if one.name == ACCESS]


def told(record):
    return {name: getattr(record, name) for name in ACCESS_FIELDS if getattr(record, name) is not None}


async def test_an_answer_is_one_line_with_the_template_of_its_address(metrics, caplog):
    with caplog.at_level(logging.INFO):
        await visit(answering(), metrics)
    (line,) = lines(caplog)
    said = told(line)
    assert said.pop("duration_ms") >= 0
    assert said == {"method": "GET", "route": "/articles/{cid:path}", "status": 200, "action": "article"}
    assert (line.levelname, line.getMessage()) == ("INFO", "answered")


async def test_a_mistake_of_the_client_is_told_by_its_code_alone(metrics, caplog):
    with caplog.at_level(logging.DEBUG):
        await visit(answering(InvalidInput(f"got {SECRET}")), metrics)
    (line,) = lines(caplog)
    assert (line.levelname, line.status, line.error, line.reason) == ("INFO", 422, "invalid_input", None)
    assert SECRET not in caplog.text


async def test_a_fault_of_ours_is_an_error_that_says_why(metrics, caplog):
    with caplog.at_level(logging.INFO):
        await visit(answering(UpstreamFault("the service is away")), metrics)
    (line,) = lines(caplog)
    assert (line.levelname, line.status, line.error) == ("ERROR", 502, "upstream_fault")
    assert line.reason == "the service is away"


async def test_a_client_that_left_is_told(metrics, caplog):
    async def long(scope, receive, send):
        await asyncio.sleep(60)

    with caplog.at_level(logging.INFO):
        await visit(long, metrics, stays=False)
    (line,) = lines(caplog)
    assert (line.getMessage(), line.status, line.error) == ("dropped", 499, "client_gone")


async def test_what_machinery_asks_every_few_seconds_is_not_logged(metrics, caplog):
    with caplog.at_level(logging.DEBUG):
        await visit(answering(), metrics, path="/health")
    assert not lines(caplog)


async def test_a_request_at_a_shut_door_has_a_line_and_no_address(metrics, caplog):
    with caplog.at_level(logging.INFO):
        await visit(answering(), metrics, [(b"content-length", b"999999999")])
    (line,) = lines(caplog)
    assert told(line).keys() == {"method", "status", "duration_ms", "error"}
    assert line.error == "body_too_large"


async def test_the_id_of_the_client_is_kept_answered_and_passed_on(metrics):
    seen = []
    headers = await visit(answering(seen=seen), metrics, [(b"x-request-id", b"0b9f-4_a.b:c=d/e+f@g")])
    assert headers["x-request-id"] == "0b9f-4_a.b:c=d/e+f@g"
    assert seen == [("0b9f-4_a.b:c=d/e+f@g", {"x-request-id": "0b9f-4_a.b:c=d/e+f@g"})]


@pytest.mark.parametrize("given", [b"", b"a b", b'"}', b"a\nb", b"\xff\xfe", b"x" * 129, b"x" * 10_000_000])
async def test_an_id_that_is_long_or_not_plain_is_replaced(metrics, given):
    headers = await visit(answering(), metrics, [(b"x-request-id", given)])
    made = headers["x-request-id"]
    assert len(made) == 32
    assert int(made, 16) > 0


async def test_two_requests_without_ids_get_different_ones(metrics):
    first, second = [await visit(answering(), metrics) for _ in range(2)]
    assert first["x-request-id"] != second["x-request-id"]


async def test_requests_at_the_same_time_keep_their_own_ids(metrics):
    seen = []

    async def app(scope, receive, send):
        await asyncio.sleep(0.001)
        await answering(seen=seen)(scope, receive, send)

    names = [f"request-{n}" for n in range(20)]
    answers = await asyncio.gather(
        *(asyncio.create_task(visit(app, metrics, [(b"x-request-id", name.encode())])) for name in names)
    )
    assert [one["x-request-id"] for one in answers] == names
    assert sorted(one for one, _ in seen) == sorted(names)
