"""Small folders of families that only transformers runs, written by itself and by sentence-transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st_modules
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.helpers.foreign_folders import bert_tokenizer, long_text, xlm_tokenizer

DIMENSION = 32
_SHAPE = {
    "hidden_size": DIMENSION,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
_DECODER = _SHAPE | {"num_key_value_heads": 2, "head_dim": 8}
_DISTILBERT = {"dim": DIMENSION, "n_layers": 3, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 128}
_GEMMA = {"sliding_window": 8, "use_bidirectional_attention": True, "query_pre_attn_scalar": 8,
          "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}  # fmt: skip
_MODERN = {"local_attention": 8, "global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3,
           "bos_token_id": 2, "eos_token_id": 3}  # fmt: skip
_T5 = {"d_model": DIMENSION, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4}


def byte_tokenizer(
    folder: Path, ends: Sequence[str] = ("", "<|endoftext|>"), **options: object
) -> PreTrainedTokenizerFast:
    """Byte-level pairs as decoders have them: no padding token of a usual name, the end appended by the tokenizer."""
    specials = ["<|endoftext|>", "<|im_start|>"]
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *specials]
    core = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[]))
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    first, last = ends
    single = [one for one in (first, "$A", last) if one]
    template = processors.TemplateProcessing(
        single=single, pair=[*single, "$B", *([last] if last else [])],
        special_tokens=[(name, pieces.index(name)) for name in specials],
    )  # fmt: skip
    core.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<|endoftext|>", eos_token="<|endoftext|>", **options
    )


def gemma_tokenizer(folder: Path, **options: object) -> PreTrainedTokenizerFast:
    """Pairs with byte fall-back between <bos> and <eos>, and a token added above the table, as EmbeddingGemma has."""
    pieces = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        *(f"<0x{number:02X}>" for number in range(256)),
        "▁",
        *"abcdeghiklmno",
    ]
    core = Tokenizer(
        models.BPE(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], unk_token="<unk>", byte_fallback=True)
    )
    core.normalizer = normalizers.Replace(" ", "▁")
    core.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", pair="<bos> $A <eos> <bos> $B <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>", **options
    )


Family = tuple[Callable[..., PreTrainedTokenizerFast], str, str, dict[str, object]]
FAMILIES: dict[str, Family] = {
    "qwen3": (byte_tokenizer, "Qwen3Config", "Qwen3Model", _DECODER | {"tie_word_embeddings": True}),
    "gemma3_text": (gemma_tokenizer, "Gemma3TextConfig", "Gemma3TextModel", _DECODER | _GEMMA),
    "modernbert": (bert_tokenizer, "ModernBertConfig", "ModernBertModel", _SHAPE | _MODERN),
    "distilbert": (bert_tokenizer, "DistilBertConfig", "DistilBertModel", _DISTILBERT),
    "mpnet": (bert_tokenizer, "MPNetConfig", "MPNetModel", _SHAPE | {"pad_token_id": 0}),
    "deberta-v2": (xlm_tokenizer, "DebertaV2Config", "DebertaV2Model",
                   _SHAPE | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
                             "share_att_key": True, "position_biased_input": False}),
    "electra": (bert_tokenizer, "ElectraConfig", "ElectraModel", _SHAPE | {"embedding_size": 16}),
    "nomic_bert": (bert_tokenizer, "NomicBertConfig", "NomicBertModel", _SHAPE),
    "llama": (byte_tokenizer, "LlamaConfig", "LlamaModel", _DECODER),
    "mistral": (byte_tokenizer, "MistralConfig", "MistralModel", _DECODER | {"sliding_window": 8}),
    "gpt2": (byte_tokenizer, "GPT2Config", "GPT2Model",
             {"n_embd": DIMENSION, "n_layer": 3, "n_head": 4, "n_positions": 128}),
    "camembert": (xlm_tokenizer, "CamembertConfig", "CamembertModel", _SHAPE | {"pad_token_id": 1}),
    "t5": (xlm_tokenizer, "T5Config", "T5EncoderModel", _T5),
}  # fmt: skip


def write_family(folder: Path, family: str, class_name: str = "", **changes: object) -> PreTrainedModel:
    """A folder as ``save_pretrained`` of model and tokenizer leaves it.

    Args:
        folder: Where to.
        family: Key of `FAMILIES`.
        class_name: Of the model; empty takes the bare one.
        **changes: To its configuration.
    """
    make_tokenizer, config_name, bare, shape = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    left = {"padding_side": "left"} if "byte" in make_tokenizer.__name__ and family != "gpt2" else {}
    tokenizer = make_tokenizer(folder, model_max_length=64, **left)
    values: dict[str, object] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    config = getattr(transformers, config_name)(**(values | shape | changes))
    torch.manual_seed(3)
    model = getattr(transformers, class_name or bare)(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=1.0 if "embed" in name and "position" not in name else 0.2)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def write_family_encoder(
    folder: Path, family: str, *modules: torch.nn.Module, pooling: str = "mean", **options: object
) -> Path:
    """A sentence-transformers folder of a family: transformer, pooling and further modules."""
    bare = folder.with_name(f"{folder.name}-bare")
    write_family(bare, family)
    chain = [st_modules.Transformer(str(bare)), st_modules.Pooling(DIMENSION, pooling), *modules]
    SentenceTransformer(modules=chain, device="cpu", **options).save(str(folder))
    return folder


def write_embedding_gemma(folder: Path) -> Path:
    """EmbeddingGemma's parts: bidirectional Gemma3, mean pooling, two Dense without bias, unit length, prompts."""
    identity = torch.nn.Identity()
    return write_family_encoder(
        folder,
        "gemma3_text",
        st_modules.Dense(DIMENSION, 64, bias=False, activation_function=identity),
        st_modules.Dense(64, DIMENSION, bias=False, activation_function=identity),
        st_modules.Normalize(),
        prompts={
            "query": "task: search result | query: ",
            "document": "title: none | text: ",
            "Classification": "task: classification | query: ",
        },
        similarity_fn_name="cosine",
    )


def write_qwen3_embedding(folder: Path) -> Path:
    """Qwen3-Embedding's parts: a decoder, the last token, an instruction before queries."""
    return write_family_encoder(
        folder,
        "qwen3",
        st_modules.Normalize(),
        pooling="lasttoken",
        prompts={"query": "Instruct: find law that answers\nQuery:", "document": ""},
        similarity_fn_name="cosine",
    )


LONG = [long_text(40, 1), long_text(25, 2)]
