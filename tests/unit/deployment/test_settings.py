"""Settings from the environment: lists, keys, and mistakes that are named."""

from __future__ import annotations

import pytest
from pydantic_settings import BaseSettings

from deployment.settings import ServingSettings, read_settings
from retrieval.errors import ConfigError

KEY, OTHER = "k" * 16, "o" * 24


def test_variables_become_settings_and_what_is_given_goes_before_them():
    settings = read_settings(
        {
            "RETRIEVER_BUNDLE": "/b",
            "RETRIEVER_PORT": "9000",
            "RETRIEVER_CORS_ORIGINS": "https://a, https://b",
            "HOME": "/",
        },
        port=7,
        host=None,
    )
    assert (settings.bundle, settings.port, settings.host) == ("/b", 7, "127.0.0.1")
    assert settings.cors_origins == ("https://a", "https://b")
    assert not settings.log_questions


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("RETRIEVER_PROT", "1", "RETRIEVER_PROT: .*known are RETRIEVER_BUNDLE"),
        ("RETRIEVER_PORT", "many", "RETRIEVER_PORT: .*integer"),
        ("RETRIEVER_DEADLINE_SECONDS", "0", "RETRIEVER_DEADLINE_SECONDS: .*greater than 0"),
    ],
)
def test_a_wrong_variable_is_named(name, text, message):
    with pytest.raises(ConfigError, match=message):
        read_settings({name: text})


def test_keys_come_from_the_environment_and_a_file(tmp_path):
    (tmp_path / "keys").write_text(f"# ours\n{OTHER}  # of the gateway\n\n")
    settings = read_settings({"RETRIEVER_API_KEYS": KEY, "RETRIEVER_API_KEYS_FILE": str(tmp_path / "keys")})
    assert settings.keys() == (KEY, OTHER)


@pytest.mark.parametrize(
    ("content", "message"), [("", "holds no API key"), ("short\n", "shorter than 16"), (None, "cannot be read")]
)
def test_a_key_file_that_would_leave_the_doors_open_is_refused(tmp_path, content, message):
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_settings({"RETRIEVER_API_KEYS_FILE": str(path)}).keys()


def test_only_variables_of_the_environment_that_is_given_count(tmp_path, monkeypatch):
    monkeypatch.setenv("RETRIEVER_PORT", "9000")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("RETRIEVER_HOST=0.0.0.0\n")
    assert read_settings().port == 9000
    assert (read_settings({}).port, ServingSettings().port, read_settings().host) == (0, 0, "127.0.0.1")


def test_settings_are_of_pydantic_settings_and_every_field_has_its_variable():
    assert issubclass(ServingSettings, BaseSettings)
    texts = {"port": "1", "log_questions": "true", "api_keys": f"{KEY}, ,{OTHER}", "machine_usd_per_hour": "0.5"}
    settings = read_settings({f"RETRIEVER_{name.upper()}": text for name, text in texts.items()})
    assert settings.model_fields_set == set(texts)
    assert (settings.port, settings.log_questions, settings.machine_usd_per_hour) == (1, True, 0.5)
    assert settings.api_keys == (KEY, OTHER)
    for name in ServingSettings.model_fields:
        with pytest.raises(ConfigError, match=f"^RETRIEVER_{name.upper()}X: no such setting; did you mean "):
            read_settings({f"RETRIEVER_{name.upper()}X": "1"})


def test_a_wrong_key_is_not_shown():
    with pytest.raises(ConfigError) as raised:
        read_settings({}, service_key=["secret"])
    assert "secret" not in str(raised.value)


def test_a_misspelt_setting_names_the_nearest_one_and_a_wrong_value_is_shown():
    with pytest.raises(
        ConfigError, match=r"^RETRIEVER_BUNDEL: no such setting; did you mean RETRIEVER_BUNDLE\? known are "
    ):
        read_settings({"RETRIEVER_BUNDEL": "x"})
    with pytest.raises(ConfigError, match=r"^RETRIEVER_ZZZ: no such setting; known are RETRIEVER_BUNDLE, "):
        read_settings({"RETRIEVER_ZZZ": "x"})
    with pytest.raises(ConfigError, match=r"^RETRIEVER_PORT: got '81o1'; Input should be a valid integer"):
        read_settings({"RETRIEVER_PORT": "81o1"})
