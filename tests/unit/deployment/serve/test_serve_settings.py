"""What `make serve` makes of the user's variables: keys open everything, and what is not used is said."""

import argparse

import pytest

from deployment.ports import GATEWAY_PORT
from deployment.serve.command import Ports, _arguments
from deployment.serve.settings import read_serve_settings
from deployment.settings import read_settings
from retrieval.errors import ConfigError

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def services_of(user):
    return read_settings(user.of_services).keys()


def test_the_users_keys_open_the_services_and_so_does_the_gateways_own():
    user = read_serve_settings({"RETRIEVER_API_KEYS": f"{KEY}, {OTHER}"})
    assert services_of(user) == (KEY, OTHER, user.service_key)
    assert user.of_gateway == {"RETRIEVER_SERVICE_KEY": user.service_key}
    assert user.service_key not in {KEY, OTHER} and len(user.service_key) >= 16


def test_keys_of_a_file_stay_beside_the_gateways_own(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"{KEY}  # of the lawyers\n")
    environment = {"RETRIEVER_API_KEYS_FILE": str(file)}
    user = read_serve_settings(environment)
    assert set(read_settings(environment | user.of_services).keys()) == {KEY, user.service_key}
    (line,) = user.access(in_process=False)
    assert "RETRIEVER_API_KEYS_FILE" in line and KEY not in line


def test_a_service_key_of_the_user_is_the_one_the_gateway_sends():
    user = read_serve_settings({"RETRIEVER_SERVICE_KEY": OTHER})
    assert user.of_gateway == {"RETRIEVER_SERVICE_KEY": OTHER}
    assert services_of(user) == (OTHER,)
    (told,) = user.access(in_process=False)
    assert "RETRIEVER_SERVICE_KEY" in told and OTHER not in told


def test_without_keys_every_printed_address_is_open_and_that_is_said():
    user = read_serve_settings({"RETRIEVER_API_KEYS": " , "})
    assert not user.keyed
    assert (services_of(user), user.of_gateway) == ((), {"RETRIEVER_SERVICE_KEY": ""})
    for in_process in (True, False):
        (told,) = user.access(in_process)
        assert "none" in told and "RETRIEVER_API_KEYS" in told


def test_each_start_with_keys_has_a_key_of_its_own_for_the_gateway():
    environment = {"RETRIEVER_API_KEYS": KEY}
    assert read_serve_settings(environment).service_key != read_serve_settings(environment).service_key


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"RETRIEVER_HOST": "0.0.0.0"}, "RETRIEVER_HOST is not used: make serve answers on 127.0.0.1 alone"),
        ({"RETRIEVER_BI_ENCODER_URL": "http://x"}, "RETRIEVER_BI_ENCODER_URL is not used"),
        ({"RETRIEVER_CROSS_ENCODER_URL": "http://x"}, "RETRIEVER_CROSS_ENCODER_URL is not used"),
        ({"RETRIEVER_JOBS": "3"}, "RETRIEVER_JOBS is not used"),
    ],
)
def test_a_variable_that_changes_nothing_is_named_with_the_reason(variables, named):
    (line,) = read_serve_settings(variables).not_used(in_process=False, bundle_chosen=False)
    assert line.startswith(named)


def test_variables_that_are_used_are_not_named():
    used = {
        "RETRIEVER_HOST": "127.0.0.1",
        "RETRIEVER_PORT": "9000",
        "RETRIEVER_BUNDLE": "somewhere",
        "RETRIEVER_THREADS": "2",
        "RETRIEVER_PRECISION": "float32",
        "RETRIEVER_STATES": "states",
        "RETRIEVER_SERVICE_KEY": OTHER,
        "RETRIEVER_API_KEYS": KEY,
        "RETRIEVER_CORS_ORIGINS": "https://law.example",
    }
    assert read_serve_settings(used).not_used(in_process=False, bundle_chosen=False) == []


def test_what_options_and_one_process_leave_unused_is_named():
    user = read_serve_settings({"RETRIEVER_BUNDLE": "somewhere", "RETRIEVER_SERVICE_KEY": OTHER})
    lines = user.not_used(in_process=True, bundle_chosen=True)
    assert [line.partition(" ")[0] for line in lines] == ["RETRIEVER_SERVICE_KEY", "RETRIEVER_BUNDLE"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RETRIEVER_API_KEYS": "short"}, "shorter than 16 characters"),
        ({"RETRIEVER_SERVICE_KEY": "short"}, "RETRIEVER_SERVICE_KEY"),
        ({"RETRIEVER_API_KEYS_FILE": "/no/such/file"}, "/no/such/file"),
        ({"RETRIEVER_API_KEY": KEY}, "RETRIEVER_API_KEY:"),
        ({"RETRIEVER_PORT": "high"}, "RETRIEVER_PORT"),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(variables, said):
    with pytest.raises(ConfigError, match=said):
        read_serve_settings(variables)


def test_a_typed_port_goes_before_the_variable_and_that_before_the_default():
    assert read_serve_settings({"RETRIEVER_PORT": "9000"}).port(9001) == 9001
    assert read_serve_settings({"RETRIEVER_PORT": "9000"}).port(None) == 9000
    assert read_serve_settings({}).port(None) == GATEWAY_PORT
    given: argparse.Namespace = _arguments([])
    assert given.port is None


def test_two_services_on_one_port_are_refused_before_anything_is_started():
    with pytest.raises(ConfigError, match=r"--port 8111, --bi-encoder-port 8111.*three different ones"):
        Ports(8111, 8111, 8112).claimed(in_process=False)
    assert Ports(0, 0, 0).claimed(in_process=False).gateway
