"""From text to numbers: tokenizers, pretrained weights, the bi-encoder, the cross-encoder and their losses."""
