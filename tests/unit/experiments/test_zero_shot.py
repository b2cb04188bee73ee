"""A retriever without training finds law in real codes."""

import torch

from retrieval.experiments.zero_shot import zero_shot_config, zero_shot_retriever
from retrieval.runtime import Runtime


def test_the_encoder_as_it_comes_with_bm25_searches_a_whole_code():
    config = zero_shot_config(laws=("45/2019/QH14",))
    config = config.model_copy(update={"bi_encoder": config.bi_encoder.model_copy(update={"layers": 1})})
    retriever = zero_shot_retriever(config, Runtime(torch.device("cpu"), torch.float32, 1))
    assert retriever.cross_encoder is None
    assert len(retriever.corpus.articles) == 220
    assert retriever.settings.titles
    found = retriever.search("Người lao động được nghỉ hằng năm bao nhiêu ngày?", 5)
    assert "45/2019/QH14:113" in [answer.article.cid for answer in found]


def test_without_a_file_of_questions_the_weights_stay_as_they_are(tmp_path):
    assert zero_shot_config(tmp_path / "none.csv").data.natural_questions is None
