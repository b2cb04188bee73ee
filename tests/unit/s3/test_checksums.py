"""Stacks on a store that refuses Amazon's checksums: ZenML's own client leaves them out, also in pods."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from zenml.enums import StackComponentType

from retrieval.s3.checksums import REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS
from stacks import choice
from stacks.choice import use_for_this_process
from stacks.declarations import filled_in, read_stack
from stacks.registration import _suited
from tests.helpers.strange_store import strange_store, without_checksums

STORE = StackComponentType.ARTIFACT_STORE
OWN = "https://minio.example:9000"
LEFT_OUT = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
KEYS = {"S3_BUCKET": "law", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch, tmp_path):
    for name in (REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS):
        monkeypatch.setenv(name, "")  # taken back at the end, whatever is set meanwhile
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(choice, "Client", lambda: SimpleNamespace(zen_store=None))
    monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", "")


def stack(endpoint: str | None, flavor: str = "s3") -> SimpleNamespace:
    configuration = {"client_kwargs": {"endpoint_url": endpoint} if endpoint else None}
    store = SimpleNamespace(flavor_name=flavor, configuration=configuration)
    return SimpleNamespace(id=uuid4(), components={STORE: [store]})


def configuration(**environment: str) -> dict[str, object]:
    """What is registered of the store of stacks/s3.yaml."""
    return _suited("s3", filled_in(read_stack("s3").components[STORE].configuration, {**KEYS, **environment}))


def test_zenmls_own_client_writes_to_such_a_store():
    from zenml.integrations.s3.artifact_stores import S3ArtifactStore
    from zenml.integrations.s3.flavors import S3ArtifactStoreConfig

    with strange_store(without_checksums) as server:
        use_for_this_process(stack(server.url))
        place = {"endpoint_url": server.url, "region_name": "us-east-1"}
        config = S3ArtifactStoreConfig(path="s3://law/zenml", key="a", secret="b", client_kwargs=place)
        now = datetime.now(UTC)
        store = S3ArtifactStore("test", uuid4(), config, "s3", STORE, None, now, now)
        with store.open("s3://law/zenml/log", "wb") as stream:
            stream.write(b"a line")
        assert server.objects["/law/zenml/log"] == b"a line"


def test_a_store_of_amazons_and_one_of_this_machine_are_left_as_they_are():
    use_for_this_process(stack(None))
    use_for_this_process(stack(None, "local"))
    assert (os.environ[REQUEST_CHECKSUMS], os.environ[RESPONSE_CHECKSUMS]) == ("", "")


def test_mlflows_own_endpoint_counts(monkeypatch):
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", OWN)
    use_for_this_process(stack(None, "local"))
    assert os.environ[REQUEST_CHECKSUMS] == "when_required"


def test_what_is_registered_leaves_checksums_out_at_an_endpoint_of_ones_own_only():
    registered = configuration(AWS_ENDPOINT_URL=OWN)["config_kwargs"]
    assert {**registered, **LEFT_OUT} == registered
    assert registered["connect_timeout"] == 5
    assert not LEFT_OUT.keys() & configuration()["config_kwargs"].keys()


def test_what_the_user_chose_is_registered(monkeypatch):
    monkeypatch.setenv(REQUEST_CHECKSUMS, "when_supported")
    registered = configuration(AWS_ENDPOINT_URL=OWN)["config_kwargs"]
    assert registered["request_checksum_calculation"] == "when_supported"
    assert registered["response_checksum_validation"] == "when_required"


def test_endpoint_and_region_are_those_that_the_library_takes():
    both = configuration(AWS_ENDPOINT_URL="http://all", AWS_ENDPOINT_URL_S3="http://s3", AWS_DEFAULT_REGION="vn")
    assert both["client_kwargs"] == {"endpoint_url": "http://s3", "region_name": "vn"}
    assert configuration(AWS_REGION="r")["client_kwargs"] == {"region_name": "r"}
