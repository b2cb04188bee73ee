"""A gateway is ready when a question would be answered: what its services are decides, and nobody waits for them."""

import time

import pytest
from starlette.testclient import TestClient

from deployment.gateway.app import make_app
from deployment.settings import read_settings
from tests.helpers.tiny_bundle import QUESTION
from tests.unit.deployment.gateway.fake_service import fake_service

KEY = "a-key-of-this-test-0123456789"
KNOWN = {"status": "known", "known": 24, "of": 24, "make": ""}
PATIENCE_SECONDS = 30.0


@pytest.fixture
def services(bundle):
    """Both services, ready, and a gateway in front of them."""
    with fake_service(bundle.facts.index) as first, fake_service(bundle.facts.index, KNOWN) as second:
        yield first, second


def gateway(bundle, first, second, **given):
    urls = {"bi_encoder_url": first.url, "cross_encoder_url": second.url}
    return TestClient(make_app(read_settings({}, bundle=str(bundle.folder), **(urls | given))))


def until(client, holds):
    """The first answer of ``/ready`` that is as wanted."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds(answer := client.get("/ready")):
        assert time.monotonic() < ends, answer.text
        time.sleep(0.05)
    return answer


def ready(answer):
    return answer.status_code == 200


def refused(*words):
    def holds(answer):
        return answer.status_code == 503 and all(word in answer.json()["error"]["message"] for word in words)

    return holds


def test_a_ready_gateway_names_both_services_and_what_is_known_of_the_law(bundle, services):
    first, second = services
    with gateway(bundle, first, second) as client:
        body = until(client, ready).json()
        assert body["services"] == {
            "bi_encoder": {"address": first.url, "status": "ready", "reason": ""},
            "cross_encoder": {"address": second.url, "status": "ready", "reason": ""},
        }
        assert body["passage_states"] == KNOWN
        assert body["versions"]["index"] == bundle.facts.index
        assert client.post("/search", json={"question": QUESTION}).status_code == 200


def test_it_is_not_ready_before_its_bi_encoder_listens_nor_after_it_went_and_is_again_when_it_is_back(bundle, services):
    first, second = services
    first.stop()
    with gateway(bundle, first, second) as client:
        answer = until(client, refused("bi-encoder", first.url, "ConnectError"))
        assert answer.json()["error"]["code"] == "not_ready"
        assert answer.headers["retry-after"] == "1"
        assert client.get("/health").status_code == 200
        first.start()
        until(client, ready)
        first.stop()
        until(client, refused("bi-encoder", first.url, "does not answer"))
        assert client.get("/health").status_code == 200
        first.start()
        until(client, ready)


def test_a_bi_encoder_that_loads_its_bundle_is_waited_for(bundle, services):
    first, second = services
    first.ready = 503
    with gateway(bundle, first, second) as client:
        answer = until(client, refused("bi-encoder", first.url, "503"))
        assert "secret" not in answer.text
        first.ready = 200
        until(client, ready)


@pytest.mark.parametrize(("index", "named"), [("another-index", "index another-index"), ("", "no index")])
def test_a_bi_encoder_of_another_index_does_not_make_it_ready(bundle, services, index, named):
    first, second = services
    own, first.index = first.index, index
    with gateway(bundle, first, second) as client:
        until(client, refused(named, own, "same bundle", first.url))
        first.index = own
        until(client, ready)
        first.index = index  # started anew on another bundle
        until(client, refused(named, own))


def test_a_bi_encoder_that_refuses_the_gateways_key_does_not_make_it_ready(bundle, services):
    first, second = services
    first.key = KEY
    with gateway(bundle, first, second) as client:
        until(client, refused("401", "RETRIEVER_SERVICE_KEY", first.url))
        assert (
            client.post("/search", json={"question": QUESTION})
            .json()["error"]["message"]
            .endswith("set RETRIEVER_SERVICE_KEY to one of its RETRIEVER_API_KEYS")
        )
    with gateway(bundle, first, second, service_key=KEY) as client:
        until(client, ready)


def test_a_bi_encoder_that_hangs_holds_nobody_up_and_is_asked_once_however_many_want_to_know(bundle, services):
    first, second = services
    with gateway(bundle, first, second) as client:
        until(client, ready)
        first.hangs.clear()
        first.seen.clear()
        until(client, refused("hangs", first.url))
        before = len(first.seen)
        for _ in range(3):
            client.get("/ready")  # answers, though the service does not
        assert len(first.seen) <= before + 1
        first.hangs.set()
        until(client, ready)


def test_many_who_ask_at_once_share_one_look(bundle, services):
    first, second = services
    with gateway(bundle, first, second) as client:
        until(client, ready)
        first.seen.clear()
        for _ in range(200):
            assert client.get("/ready").status_code == 200
        assert first.seen.count("/ready") < 20
        assert "/infer" not in first.seen  # a real question only when a service comes up


def test_a_cross_encoder_that_is_away_is_told_of_and_does_not_make_it_unready(bundle, services):
    first, second = services
    second.stop()
    with gateway(bundle, first, second) as client:
        body = until(client, ready).json()
        told = body["services"]["cross_encoder"]
        assert told["status"] == "not_ready"
        assert "ConnectError" in told["reason"] and second.url in told["reason"]
        assert body["passage_states"] is None
        assert client.post("/search", json={"question": QUESTION}).json()["fallback_reason"] == "down"
        second.start()
        until(client, lambda answer: answer.json()["services"]["cross_encoder"]["status"] == "ready")


def test_a_cross_encoder_that_refuses_the_key_is_told_of(bundle, services):
    first, second = services
    second.key = KEY
    with gateway(bundle, first, second) as client:
        told = until(client, ready).json()["services"]["cross_encoder"]
        assert told["status"] == "not_ready"
        assert "401; set RETRIEVER_SERVICE_KEY" in told["reason"]


def test_what_is_not_a_service_of_this_kind_does_not_make_it_ready(bundle, services):
    first, second = services
    with gateway(bundle, first, second, bi_encoder_url=f"{first.url}/elsewhere") as client:
        until(client, ready)  # behind a path, as behind a proxy
    first.index = ["not", "a", "version"]
    with gateway(bundle, first, second) as client:
        until(client, refused("unknown shape", first.url))


def test_a_password_in_an_address_is_not_shown(bundle, services):
    first, second = services
    first.stop()
    with gateway(bundle, first, second, bi_encoder_url=first.url.replace("//", "//user:hidden@")) as client:
        answer = until(client, refused(first.url))
        assert "hidden" not in answer.text


def test_in_one_process_it_is_ready_without_services_and_tells_what_is_missing_of_the_law(start, tmp_path):
    body = start(states=tmp_path / "none").get("/ready").json()
    assert body["services"] is None
    assert body["passage_states"]["of"] == 24
