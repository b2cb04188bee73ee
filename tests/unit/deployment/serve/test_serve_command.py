"""What `make serve` does where nothing was trained."""

import io

import pytest

from deployment.serve import command
from retrieval.errors import ArtifactError


@pytest.fixture
def nothing_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "zero_shot_bundle", lambda: "the pretrained one")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_a_person_at_a_terminal_is_asked(nothing_trained, monkeypatch, typed, agreed):
    asked = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", asked)
    if agreed:
        assert command.choose_bundle(command.NEWEST, pretrained=False) == "the pretrained one"
    else:
        with pytest.raises(ArtifactError, match="make serve ARGS=--zero-shot"):
            command.choose_bundle(command.NEWEST, pretrained=False)
    assert "no trained retriever here" in asked.getvalue()
    assert asked.getvalue().endswith("[y/N] ")


def test_where_nobody_is_nothing_is_asked_and_nothing_is_made(nothing_trained, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(ArtifactError, match="--zero-shot"):
        command.choose_bundle(command.NEWEST, pretrained=False)
    assert capsys.readouterr().err == ""


def test_it_is_served_without_a_question_where_it_is_named(nothing_trained):
    assert command.choose_bundle(command.NEWEST, pretrained=True) == "the pretrained one"


def test_a_version_that_is_named_and_not_there_is_no_reason_to_offer_another(nothing_trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    with pytest.raises(ArtifactError, match="no such retriever"):
        command.choose_bundle("7", pretrained=False)


def test_the_users_bundle_is_served_unless_an_option_names_another(nothing_trained, bundle):
    assert command.choose_bundle(command.NEWEST, pretrained=False, named=bundle.folder).folder == bundle.folder
    assert command.choose_bundle(command.NEWEST, pretrained=True, named=bundle.folder) == "the pretrained one"
    with pytest.raises(ArtifactError, match="no such retriever"):
        command.choose_bundle("7", pretrained=False, named=bundle.folder)


@pytest.mark.parametrize(
    ("variable", "value"), [("RETRIEVER_API_KEYS", "short"), ("RETRIEVER_API_KEY", "x"), ("RETRIEVER_PORT", "high")]
)
def test_a_wrong_variable_ends_it_before_anything_is_made(nothing_trained, monkeypatch, capsys, variable, value):
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(command, "choose_bundle", lambda *_: pytest.fail("something was made"))
    assert command.main([]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("former", "now"), [("--untouched", "--zero-shot"), ("--no-law-states", "--no-precompute-states")]
)
def test_a_former_option_is_refused_with_its_name_of_today(capsys, former, now):
    with pytest.raises(SystemExit):
        command._arguments([former])
    assert f"{former} is now called {now}; type that" in capsys.readouterr().err
