"""From the settings to an engine: what they name is fetched, verified and loaded, the same for services and jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from deployment.bundle.fetch import local_folder
from deployment.bundle.format import UNKNOWN, Bundle, BundleFacts, open_bundle
from deployment.engine.embedding import EmbeddingEngine, EncoderAlone
from deployment.engine.precomputed_states import BundledStates
from deployment.engine.reranking import RerankingEngine
from deployment.service_metrics import build_of
from deployment.settings import ServingSettings
from monitoring.endpoint_metrics import EndpointMetrics
from retrieval.errors import ArtifactError
from retrieval.folders import mended_by, verify_folder
from retrieval.models.bi_encoder import load_bi_encoder
from retrieval.models.cross_encoder import CrossEncoder, load_cross_encoder
from retrieval.models.io.model_settings import load_settings, settings_file
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.runtime import Runtime, choose_runtime

Lap = Callable[[str], None]
"""Told what has just been done, by those who measure."""


def embedding_engine(settings: ServingSettings, metrics: EndpointMetrics, lap: Lap = lambda _: None) -> EmbeddingEngine:
    """The bi-encoder of a bundle with its index, or of a published model folder without one.

    Raises:
        RetrievalError: If it cannot be fetched, or is incomplete, altered or not a bi-encoder.
    """
    folder = local_folder(settings.bundle, settings.cache)
    lap("fetch")
    runtime = choose_runtime(settings.precision, settings.threads)
    if is_model(folder):
        facts = model_facts(folder, BI_ENCODER)
        metrics.serves(build_of(facts.bi_encoder, facts))
        engine = EmbeddingEngine(EncoderAlone(load_bi_encoder(folder), runtime), facts, metrics, settings.queue_tokens)
    else:
        bundle = open_bundle(folder)
        metrics.serves(build_of(bundle.facts.bi_encoder, bundle.facts, bundle))
        retriever = bundle.retriever(runtime, rerank=False)
        engine = EmbeddingEngine(retriever, bundle.facts, metrics, settings.queue_tokens)
    lap("load")
    return engine


def reranking_engine(settings: ServingSettings, metrics: EndpointMetrics, lap: Lap = lambda _: None) -> RerankingEngine:
    """The cross-encoder of a bundle or of a published model folder; see `embedding_engine`."""
    folder = local_folder(settings.bundle, settings.cache)
    lap("fetch")
    runtime = choose_runtime(settings.precision, settings.threads)
    if is_model(folder):
        facts, model = model_facts(folder, CROSS_ENCODER), load_cross_encoder(folder)
        metrics.serves(build_of(facts.cross_encoder, facts))
        engine = RerankingEngine(
            model, facts, runtime, metrics, settings.queue_tokens, known_text_megabytes=settings.known_text_megabytes
        )
    else:
        bundle = open_bundle(folder)
        metrics.serves(build_of(bundle.facts.cross_encoder, bundle.facts))
        engine = bundled_reranker(bundle, bundle.cross_encoder(), runtime, settings, metrics)
    lap("load")
    return engine


def bundled_reranker(
    bundle: Bundle, model: CrossEncoder, runtime: Runtime, settings: ServingSettings, metrics: EndpointMetrics
) -> RerankingEngine:
    """An engine over a bundle's reranker that knows the bundle's law, where it was read beforehand."""
    apart = model.settings.separate_layers and runtime.device.type == "cpu"  # else nothing is read beforehand
    return RerankingEngine(
        model,
        bundle.facts,
        runtime,
        metrics,
        settings.queue_tokens,
        known_text_megabytes=settings.known_text_megabytes,
        find_law=BundledStates(bundle, model, runtime, settings) if apart else None,
    )


def is_model(folder: Path) -> bool:
    """Whether a folder is one published model rather than a bundle of everything."""
    return settings_file(folder) is not None


def model_facts(folder: Path, kind: Literal["bi-encoder", "cross-encoder"]) -> BundleFacts:
    """Versions of a published model, which is known by the run that trained it; a pretrained one by its base.

    Raises:
        ArtifactError: If a file is missing or altered, or the model is of another kind.
    """
    with mended_by("copy it whole, or fetch it again with `python -m stacks.models pull`"):
        verify_folder(folder)
    settings = load_settings(folder)
    if settings.kind != kind:
        raise ArtifactError(
            f"{folder}: holds a {settings.kind}, this service needs a {kind}; name such a model or a bundle of both"
        )
    run = settings.training_run_id or settings.base or UNKNOWN
    bi_encoder, cross_encoder = (run, "") if kind == BI_ENCODER else ("", run)
    return BundleFacts(
        retriever="",
        bi_encoder=bi_encoder,
        cross_encoder=cross_encoder,
        index="",
        data=settings.data_version or UNKNOWN,
        code=UNKNOWN,
        bi_encoder_run=bi_encoder,
        cross_encoder_run=cross_encoder,
    )
