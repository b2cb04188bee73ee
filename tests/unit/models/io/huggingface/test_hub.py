"""Hub ids against a hub on loopback; huggingface_hub reads its address when it is imported, so each in a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from retrieval.models.io.huggingface.hub import wanted_files
from tests.helpers.foreign_folders import in_format, write_sentence_transformer, write_transformer
from tests.helpers.stub_hub import stub_hub

NAME = "nhom/bo-ma-hoa"
_ASK = (
    "import sys\n"
    "from retrieval.errors import RetrievalError\n"
    "from retrieval.models.io.pretrained import load\n"
    "try: print('pooling', load(sys.argv[1]).settings.pooling)\n"
    "except RetrievalError as error: print(type(error).__name__, error)\n"
)
_FETCH = (
    "import sys; from huggingface_hub import hf_hub_download\n"
    "for name in sys.argv[2:]: hf_hub_download(sys.argv[1], name)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sentence_transformer(tmp_path_factory.mktemp("hub") / "m", pooling="cls")


@pytest.fixture
def run(tmp_path):
    def run(code: str, address: str, *arguments: str, name: str = NAME, **variables: str) -> str:
        environment = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), **variables}
        done = subprocess.run(
            [sys.executable, "-c", code, name, *arguments],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


NOWHERE = "http://127.0.0.1:9"


def test_a_model_is_downloaded_whole_and_then_read_without_the_network(folder, run):
    with stub_hub({NAME: folder}) as (address, fetched):
        assert run(_ASK, address) == "pooling cls\n"
        assert {"model.safetensors", "1_Pooling/config.json", "modules.json"} <= set(fetched)
        before = len(fetched)
        assert run(_ASK, address) == "pooling cls\n"
        assert len(fetched) == before
    assert run(_ASK, NOWHERE) == "pooling cls\n"


@pytest.mark.parametrize(
    "cached",
    [
        ["config.json", "tokenizer.json", "tokenizer_config.json"],
        ["config.json", "model.safetensors", "tokenizer.json"],
        ["config.json", "model.safetensors", "tokenizer.json", "modules.json", "config_sentence_transformers.json"],
        ["modules.json"],
    ],
    ids=["no weights", "no modules", "no pooling", "nothing but modules"],
)
def test_what_the_cache_lacks_is_downloaded(folder, run, cached):
    with stub_hub({NAME: folder}) as (address, _):
        run(_FETCH, address, *cached)
        assert run(_ASK, address) == "pooling cls\n"


@pytest.mark.parametrize(
    ("cached", "lacking"),
    [
        (["config.json", "tokenizer.json", "tokenizer_config.json"], "weights"),
        (["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], "modules.json"),
        (["config.json", "model.safetensors", "tokenizer.json", "modules.json"], "config_sentence_transformers.json"),
    ],
)
@pytest.mark.parametrize("offline", ["1", "0"])
def test_half_a_model_without_the_hub_says_that_it_is_half(folder, run, cached, lacking, offline):
    with stub_hub({NAME: folder}) as (address, _):
        run(_FETCH, address, *cached)
    said = run(_ASK, NOWHERE, HF_HUB_OFFLINE=offline)
    assert said.startswith(f"ModelError {NAME}: the hub's cache holds only part of it")
    assert f"lacks {lacking})" in said
    assert "connect to the network once" in said


def test_a_bare_model_that_is_known_to_have_no_modules_is_read_offline(tmp_path, run):
    write_transformer(tmp_path / "bare")
    missing = "\nfrom contextlib import suppress\nfor name in ('modules.json', 'config_sentence_transformers.json'):\n"
    missing += "  with suppress(Exception): hf_hub_download(sys.argv[1], name)"
    with stub_hub({NAME: tmp_path / "bare"}) as (address, _):
        run(_FETCH + missing, address, *(path.name for path in (tmp_path / "bare").iterdir()))
    assert run(_ASK, NOWHERE) == "pooling mean\n"


def test_an_unknown_model_and_a_hub_that_is_away_are_told_apart(folder, run):
    with stub_hub({NAME: folder}) as (address, _):
        assert "cannot be downloaded (404" in run(_ASK, address, name="nhom/khong-co")
    assert "cannot be downloaded" in run(_ASK, NOWHERE)


def test_sharded_and_pickled_weights_are_downloaded_too(tmp_path, run):
    for number, weights in enumerate(["sharded safetensors", "pytorch_model.bin", "sharded bin"]):
        write_transformer(tmp_path / f"{number}")
        in_format(tmp_path / f"{number}", weights)
        with stub_hub({f"nhom/m{number}": tmp_path / f"{number}"}) as (address, _):
            assert run(_ASK, address, name=f"nhom/m{number}") == "pooling mean\n"


def test_weights_come_in_one_format_and_nothing_else_is_fetched(folder, tmp_path, run):
    whole = shutil.copytree(folder, tmp_path / "m")
    for name in ("pytorch_model.bin", "onnx/model.onnx", "onnx/config.json", "training_args.bin", "README.md"):
        (whole / name).parent.mkdir(exist_ok=True)
        (whole / name).write_bytes(b"{}")
    with stub_hub({NAME: whole}) as (address, fetched):
        assert run(_ASK, address) == "pooling cls\n"
    assert "model.safetensors" in fetched
    assert not {"pytorch_model.bin", "onnx/model.onnx", "onnx/config.json", "training_args.bin"} & set(fetched)


def test_each_folder_brings_weights_of_its_own_format():
    names = ["model.safetensors", "pytorch_model.bin", "2_Dense/pytorch_model.bin", "2_Dense/config.json", "a.txt"]
    assert wanted_files(names) == ["2_Dense/config.json", "2_Dense/pytorch_model.bin", "a.txt", "model.safetensors"]


def test_a_chat_template_in_a_file_of_its_own_is_wanted():
    assert wanted_files(["chat_template.jinja", "README.md"]) == ["chat_template.jinja"]


def test_an_adapter_on_the_hub_is_named_as_one(tmp_path, run):
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora/adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "BAAI/bge-m3"})
    )
    (tmp_path / "lora/adapter_model.safetensors").write_bytes(b"")
    with stub_hub({NAME: tmp_path / "lora"}) as (address, _):
        assert "an adapter (LORA) of BAAI/bge-m3" in run(_ASK, address)


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"{}", "check the name; if the model is private or gated"),
        (403, b"{}", "set HF_TOKEN"),
        (404, b"{}", "check the name"),
        (429, b"{}", "try again later"),
        (503, b"away", "try again later"),
        (200, b"<html>log in here</html>", "check the proxy and HF_ENDPOINT"),
    ],
)
def test_what_mends_a_download_fits_the_hubs_answer(run, status, body, advice):
    with stub_hub({}, {NAME: (status, body)}) as (address, _):
        said = run(_ASK, address, HF_HUB_DOWNLOAD_TIMEOUT="5")
    assert said.startswith(f"ModelError {NAME}: cannot be downloaded (")
    assert advice in said
    assert "connect to the network" not in said


def test_a_cache_that_cannot_be_written_names_its_variable(folder, run, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with stub_hub({NAME: folder}) as (address, _):
        assert "set HF_HOME to a folder that can be written" in run(_ASK, address, HF_HOME=str(tmp_path / "file"))


@pytest.mark.parametrize("harm", ["cut short", "gone"])
def test_a_damaged_file_of_the_cache_is_downloaded_again(folder, run, tmp_path, harm):
    with stub_hub({NAME: folder}) as (address, _):
        run(_ASK, address)
        [weights] = (tmp_path / "home").rglob("snapshots/*/model.safetensors")
        blob = weights.resolve()
        blob.write_bytes(blob.read_bytes()[:100]) if harm == "cut short" else blob.unlink()
        said = run(_ASK, NOWHERE)
        assert "the hub's cache holds only part of it" in said
        assert run(_ASK, address) == "pooling cls\n"
        assert run(_ASK, NOWHERE) == "pooling cls\n"
