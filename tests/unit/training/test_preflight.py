"""Settings that do not fit their models are refused by loading them, and the models are left as they were."""

import pytest

from retrieval.config.schema import BiEncoderConfig, CrossEncoderConfig, TrainingConfig
from retrieval.errors import ConfigError, ModelError, TrainingError
from retrieval.training.preflight import check_models

BI, CROSS = BiEncoderConfig(layers=2), CrossEncoderConfig(layers=2)


def frozen(layers: int) -> TrainingConfig:
    return TrainingConfig(freeze_layers=layers)


def apart(layers: int) -> CrossEncoderConfig:
    return CrossEncoderConfig(separate_frozen_layers=True, training=frozen(layers))


@pytest.mark.parametrize(
    ("bi", "cross", "kind", "message"),
    [
        ({"layers": 40}, CROSS, ConfigError, r"layers: got 40, but .* has 12"),
        ({"base": "bundled:large"}, CROSS, ConfigError, "bundled:large: no such bundled model"),
        ({"max_passage_tokens": 9000}, CROSS, ModelError, "9000 are configured; lower bi_encoder"),
        ({}, CrossEncoderConfig(layers=3), ConfigError, r"cross_encoder\.layers: got 3, but the bi-encoder has 2"),
        ({}, CrossEncoderConfig(base="bundled:large"), ConfigError, "bundled:large: no such bundled model"),
        ({}, apart(2), ConfigError, r"cross_encoder\.training\.freeze_layers: got 2, but the base has 2 layers"),
        ({"training": frozen(3)}, CROSS, TrainingError, r"bi_encoder: training\.freeze_layers is 3 .* has 2 layers"),
        ({"training": frozen(2)}, CROSS, TrainingError, "bi_encoder: every weight is frozen"),
        ({}, CrossEncoderConfig(training=frozen(3)), TrainingError, r"cross_encoder: training\.freeze_layers is 3"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(bi, cross, kind, message):
    with pytest.raises(kind, match=message):
        check_models(BI.model_copy(update=bi), cross)


def test_what_fits_passes():
    check_models(BI.model_copy(update={"training": frozen(1)}), CROSS)
