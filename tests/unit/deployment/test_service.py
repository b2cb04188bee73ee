"""How a service is put together: mistakes in its settings, and the shape of what it refuses."""

from __future__ import annotations

import pytest

from deployment import bi_encoder_service, cross_encoder_service


@pytest.mark.parametrize("module", [bi_encoder_service, cross_encoder_service])
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "RETRIEVER_BUNDLE: not set"),
        ({"RETRIEVER_BUNDLE": "/b", "RETRIEVER_PORT": "high"}, "RETRIEVER_PORT: Input should be a valid integer"),
        ({"RETRIEVER_BUNDLE": "/b", "RETRIEVER_API_KEYS": "short"}, "shorter than 16 characters"),
        ({"RETRIEVER_BUNDLE": "/b", "RETRIEVER_MACHINE": "basement"}, "machine: got 'basement'"),
    ],
)
def test_a_mistake_in_the_settings_ends_with_one_line(module, variables, message, monkeypatch, capsys):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert module.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
