"""The doors by themselves: keys, rates, bodies, clients that leave, and faults that tell nothing."""

from __future__ import annotations

import asyncio
import hmac
import json

import pytest

from deployment.api.middleware import Keys, RateLimit, ServiceMiddleware
from deployment.errors import RateLimited, Unauthorized
from deployment.settings import ServingSettings
from tests.helpers.metric_values import value_of

pytestmark = pytest.mark.anyio
KEYS = ("first-key-of-ours-1", "second-key-of-ours-2")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_is_known_by_the_number_of_its_key():
    keys = Keys(KEYS)
    assert keys.caller(KEYS[1], "1.2.3.4") == "key 1"
    assert Keys(()).caller("", "1.2.3.4") == "1.2.3.4"
    for wrong in ("", "first-key-of-ours", KEYS[0] + " ", "khoá"):
        with pytest.raises(Unauthorized):
            keys.caller(wrong, "1.2.3.4")


def test_every_key_is_compared_in_constant_time_whichever_fits(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, two: compared.append(1) or real(one, two))
    Keys(KEYS).caller(KEYS[0], "")
    assert len(compared) == len(KEYS)


def test_a_bucket_empties_and_fills_again_at_an_even_pace():
    clock = Clock()
    limit = RateLimit(60, clock)
    for _ in range(60):
        limit.take("a")
    with pytest.raises(RateLimited) as refused:
        limit.take("a")
    assert refused.value.headers["retry-after"] == "1"
    limit.take("b")
    clock.now += 1.0
    limit.take("a")
    with pytest.raises(RateLimited):
        limit.take("a")


def test_asking_on_while_limited_does_not_make_the_wait_longer():
    clock = Clock()
    limit = RateLimit(6, clock)
    for _ in range(6):
        limit.take("a")
    for _ in range(19):
        clock.now += 0.5
        with pytest.raises(RateLimited):
            limit.take("a")
    clock.now += 0.5
    limit.take("a")


def test_many_callers_do_not_fill_the_memory():
    limit = RateLimit(1)
    for number in range(10_050):
        limit.take(f"address {number}")
    assert len(limit._buckets) == 10_000


async def visit(app, metrics, body=b"{}", headers=(), path="/infer", stay=True, **settings):
    """Send one request through the doors; gives status, headers and body."""
    sent, asked = [], [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if asked:
            return asked.pop(0)
        if stay:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers), "client": ("1.2.3.4", 5)}
    await ServiceMiddleware(app, ServingSettings(**settings), metrics)(scope, receive, send)
    if not sent:
        return 0, {}, b""
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


async def answering(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]})
    await send({"type": "http.response.body", "body": message["body"]})


async def test_the_body_arrives_whole_and_headers_that_are_set_stay(metrics):
    status, headers, body = await visit(answering, metrics, b"hello")
    assert (status, body) == (200, b"hello")
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"
    assert headers[b"referrer-policy"] == b"no-referrer"


async def test_a_fault_inside_is_logged_and_tells_the_client_nothing(metrics, caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("password is 1234")

    status, _, body = await visit(broken, metrics)
    assert status == 500
    assert json.loads(body)["error"]["code"] == "internal"
    assert b"1234" not in body
    assert "password is 1234" in caplog.text
    assert value_of(metrics, "endpoint_errors_total", type="internal") == 1


async def test_work_stops_when_its_client_has_left(metrics):
    stopped = asyncio.Event()

    async def long(scope, receive, send):
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    status, _, _ = await visit(long, metrics, stay=False)
    assert status == 0
    assert stopped.is_set()
    assert value_of(metrics, "endpoint_requests_total", action="other", status="499") == 1


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_machinery_needs_no_key_and_is_not_counted(metrics, path):
    status, _, _ = await visit(answering, metrics, path=path, api_keys=KEYS)
    assert status == 200
    assert metrics.answers == 0


async def test_a_key_is_taken_from_either_header(metrics):
    for header in ((b"authorization", b"Bearer first-key-of-ours-1"), (b"x-api-key", b"first-key-of-ours-1")):
        assert (await visit(answering, metrics, headers=[header], api_keys=KEYS))[0] == 200
    assert (await visit(answering, metrics, headers=[(b"authorization", b"Basic Zm9v")], api_keys=KEYS))[0] == 401
    assert (await visit(answering, metrics, headers=[(b"x-api-key", b"\xff\xfe")], api_keys=KEYS))[0] == 401


async def test_a_length_that_lies_does_not_let_more_in(metrics):
    status, headers, _ = await visit(answering, metrics, b"x" * 5000, [(b"content-length", b"3")], max_body_bytes=1024)
    assert status == 413
    assert headers[b"connection"] == b"close"
