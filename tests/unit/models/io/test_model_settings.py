from __future__ import annotations

import json

import pytest

from retrieval.errors import ModelError
from retrieval.models.io.model_settings import ModelSettings, load_settings
from retrieval.names import MODEL_SETTINGS


def test_settings_come_back_as_they_were_saved(tmp_path):
    settings = ModelSettings(base="bundled:x", query_prefix="câu hỏi: ", dimension=384, text_kind="segmented")
    settings.save(tmp_path)
    assert load_settings(tmp_path) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"poling": "mean"}, "unknown key 'poling'"),
        ({"dimension": "384"}, "dimension is '384', not a int"),
        ({"normalize": 1}, "normalize is 1, not a bool"),
        ({"pooling": "sum"}, "pooling is 'sum'; it must be one of 'mean', 'cls', 'max'"),
        (["mean"], "holds list, not an object"),
    ],
)
def test_wrong_settings_are_named(tmp_path, values, message):
    (tmp_path / MODEL_SETTINGS).write_text(json.dumps(values))
    with pytest.raises(ModelError, match=message):
        load_settings(tmp_path)


@pytest.mark.parametrize("content", [None, '{"kind": "bi-enc'])
def test_missing_or_cut_settings_are_one_clear_error(tmp_path, content):
    if content is not None:
        (tmp_path / MODEL_SETTINGS).write_text(content)
    with pytest.raises(ModelError, match=r"settings\.json: cannot be read as JSON"):
        load_settings(tmp_path)
