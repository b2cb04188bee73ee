"""Language models that judge a pair by a template: our scores are the published ones and sentence-transformers'."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder as TheirCrossEncoder
from transformers import AutoModelForCausalLM, AutoTokenizer

from retrieval.errors import ModelError
from retrieval.models.cross_encoder import load_cross_encoder
from retrieval.models.losses import binary_cross_entropy
from retrieval.runtime import Runtime
from tests.helpers.foreign_folders import TEXTS, edit, long_text, write_transformer
from tests.helpers.foreign_rerankers import (
    ENDING,
    INSTRUCTION,
    JUDGE,
    PAIR_TEMPLATE,
    assert_same_as_theirs,
    write_causal,
    write_classifier,
    write_logit_score,
)

RUNTIME = Runtime(torch.device("cpu"), torch.float32, 1)
QUERY = "nghỉ hằng năm bao nhiêu ngày"
PAIRS = [(QUERY, text) for text in TEXTS]
LONG = [(QUERY, long_text(100)), (long_text(100, 1), "thuê nhà"), (long_text(101, 3), long_text(140, 4))]


def published_logits(folder: Path, pairs: list[tuple[str, str]], max_length: int) -> np.ndarray:
    """As the card of Qwen3-Reranker has it; its probability is the softmax over no and yes."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    before, after = (tokenizer.encode(text, add_special_tokens=False) for text in (JUDGE, ENDING))
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    texts = [f"<Instruct>: {INSTRUCTION}\n<Query>: {query}\n<Document>: {document}" for query, document in pairs]
    inputs = tokenizer(
        texts, padding=False, truncation="longest_first", return_attention_mask=False,
        max_length=max_length - len(before) - len(after),
    )  # fmt: skip
    inputs["input_ids"] = [before + ids + after for ids in inputs["input_ids"]]
    inputs = tokenizer.pad(inputs, padding=True, return_tensors="pt")
    with torch.inference_mode():
        last = model(**inputs).logits[:, -1, :]
    return (last[:, yes] - last[:, no]).numpy()


@pytest.mark.parametrize("longest", [400, 250])
def test_a_qwen3_reranker_scores_as_its_card_has_it(tmp_path, longest):
    folder = write_causal(tmp_path / "Qwen3-Reranker-0.6B")
    edit(folder / "tokenizer_config.json", model_max_length=longest)
    expected = published_logits(folder, [*PAIRS, *LONG], longest)
    assert expected.std() > 0.01
    np.testing.assert_allclose(load_cross_encoder(folder).score([*PAIRS, *LONG], RUNTIME), expected, atol=1e-4)


def test_a_qwen3_reranker_with_tied_tables(tmp_path):
    folder = write_causal(tmp_path / "qwen3-reranker", tie_word_embeddings=True)
    expected = published_logits(folder, PAIRS, 400)
    np.testing.assert_allclose(load_cross_encoder(folder).score(PAIRS, RUNTIME), expected, atol=1e-4)


def test_a_cut_pair_keeps_what_stands_around_it(tmp_path):
    reranker = load_cross_encoder(write_causal(tmp_path / "qwen3-reranker"))
    rows, counts = reranker.tokenize_counted([(QUERY, long_text(500)), (QUERY, "thuê nhà")])
    ending = reranker.tokenizer.encode_plain([ENDING])[0]
    assert [len(rows[0]), rows[0][-len(ending) :]] == [400, ending]
    assert counts[0] > 400
    assert rows[1][-len(ending) :] == ending
    assert counts[1] == len(rows[1])


def test_a_qwen3_reranker_reads_as_many_tokens_as_its_card_says(tmp_path):
    folder = write_causal(tmp_path / "qwen3-reranker", max_position_embeddings=40960)
    edit(folder / "tokenizer_config.json", model_max_length=131072)
    assert load_cross_encoder(folder).settings.max_tokens == 8192


def test_a_saved_qwen3_reranker_gives_the_same_again(tmp_path):
    reranker = load_cross_encoder(write_causal(tmp_path / "qwen3-reranker"))
    reranker.save(tmp_path / "saved")
    again = load_cross_encoder(tmp_path / "saved")
    assert again.settings.pair_template == reranker.settings.pair_template != ""
    np.testing.assert_allclose(again.score(PAIRS, RUNTIME), reranker.score(PAIRS, RUNTIME), atol=1e-6)


def test_gradients_of_a_qwen3_reranker_are_those_of_its_log_odds(tmp_path):
    folder, labels = write_causal(tmp_path / "qwen3-reranker"), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0])
    reranker = load_cross_encoder(folder)
    rows = reranker.tokenize(PAIRS)
    binary_cross_entropy(reranker.logits(rows, RUNTIME), labels, 1.0).backward()
    found = {name.removeprefix("backbone.model."): one.grad for name, one in reranker.named_parameters()}
    causal = AutoModelForCausalLM.from_pretrained(folder).eval()
    yes, no = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(["yes", "no"])
    last = torch.cat([causal(input_ids=torch.tensor([row])).logits[:, -1] for row in rows])
    torch.nn.functional.binary_cross_entropy_with_logits(last[:, yes] - last[:, no], labels).backward()
    expected = {name: one.grad for name, one in causal.named_parameters()}
    head = expected.pop("lm_head.weight")
    for name, gradient in expected.items():
        if gradient.norm() > 1e-6:
            assert torch.cosine_similarity(found[name].flatten(), gradient.flatten(), dim=0) > 0.999, name
    assert torch.cosine_similarity(found["score.weight"][0], head[yes], dim=0) > 0.999


def test_a_qwen3_reranker_turned_into_a_classifier_reads_the_published_text(tmp_path):
    judge = load_cross_encoder(write_causal(tmp_path / "qwen3-reranker"))
    judge.backbone.save(tmp_path / "Qwen3-Reranker-0.6B-seq-cls")
    AutoTokenizer.from_pretrained(tmp_path / "qwen3-reranker").save_pretrained(tmp_path / "Qwen3-Reranker-0.6B-seq-cls")
    scores = load_cross_encoder(tmp_path / "Qwen3-Reranker-0.6B-seq-cls").score(PAIRS, RUNTIME)
    np.testing.assert_allclose(scores, judge.score(PAIRS, RUNTIME), atol=1e-4)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("template", [PAIR_TEMPLATE, None])
def test_a_logit_score_folder_of_sentence_transformers(tmp_path, template, both):
    assert_same_as_theirs(write_logit_score(tmp_path / "m", template, both), [*PAIRS, *LONG])


@pytest.mark.parametrize("template", [PAIR_TEMPLATE, None])
def test_the_default_prompt_is_the_instruction_or_stands_before_the_query(tmp_path, template):
    options = {"prompts": {"law": "Tìm điều luật trả lời câu hỏi: "}, "default_prompt_name": "law"}
    folder = write_logit_score(tmp_path / "m", template, **options)
    assert_same_as_theirs(folder, [*PAIRS, *LONG])
    plain = write_logit_score(tmp_path / "plain", template)
    one, other = (load_cross_encoder(path).score(PAIRS, RUNTIME) for path in (folder, plain))
    assert np.abs(one - other).max() > 0.001


def test_the_default_prompt_of_an_encoder_stands_before_the_query(tmp_path):
    write_transformer(tmp_path / "bare", "bert", labels=1)
    options = {"prompts": {"law": "search query "}, "default_prompt_name": "law"}
    TheirCrossEncoder(str(tmp_path / "bare"), device="cpu", **options).save(str(tmp_path / "m"))
    assert_same_as_theirs(tmp_path / "m", [*PAIRS, *LONG])
    reranker = load_cross_encoder(tmp_path / "m")
    reranker.save(tmp_path / "saved")
    np.testing.assert_allclose(
        load_cross_encoder(tmp_path / "saved").score(PAIRS, RUNTIME), reranker.score(PAIRS, RUNTIME), atol=1e-6
    )


def test_a_classifier_with_a_chat_template_for_pairs_reads_them_by_it(tmp_path):
    write_classifier(tmp_path / "bare", "qwen3")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bare")
    tokenizer.chat_template = PAIR_TEMPLATE
    tokenizer.save_pretrained(tmp_path / "bare")
    assert_same_as_theirs(tmp_path / "bare", [*PAIRS, *LONG])
    TheirCrossEncoder(str(tmp_path / "bare"), device="cpu").save(str(tmp_path / "m"))
    assert_same_as_theirs(tmp_path / "m", [*PAIRS, *LONG])


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", "cannot be filled"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}", "changes the texts"),
        ("{% for m in messages | reverse %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "cannot be filled"),
        ("{{ raise_exception('no such role') }}", "no such role"),
    ],
)
def test_a_chat_template_that_does_not_carry_a_pair_is_refused(tmp_path, template, named):
    folder = write_logit_score(tmp_path / "m")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match=named):
        load_cross_encoder(folder)


def test_a_language_model_that_caps_its_logits_is_refused(tmp_path):
    folder = write_causal(tmp_path / "m", kind="gemma3", final_logit_softcapping=3.0)
    yes, no = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(["yes", "no"])
    listed = ["sentence_transformers.base.modules.transformer.Transformer",
              "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"]  # fmt: skip
    modules = [{"idx": i, "name": str(i), "path": path, "type": kind}
               for i, (path, kind) in enumerate(zip(["", "1_LogitScore"], listed, strict=True))]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_LogitScore").mkdir()
    (folder / "1_LogitScore/config.json").write_text(json.dumps({"true_token_id": yes, "false_token_id": no}))
    with pytest.raises(ModelError, match="changes its logits"):
        load_cross_encoder(folder)


def test_a_language_model_that_is_no_reranker_is_refused(tmp_path):
    with pytest.raises(ModelError):
        load_cross_encoder(write_causal(tmp_path / "m"))
