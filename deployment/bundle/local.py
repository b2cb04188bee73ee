"""Bundles on this machine: of the newest trained retriever, or of an encoder as it comes, made once and used again."""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from deployment.bundle.build import make_bundle, resolve_model
from deployment.bundle.format import FACTS, Bundle, open_bundle
from deployment.bundle.progress import stage
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, listed_files
from retrieval.model_store import KEPT, kept_folder, served_retriever
from retrieval.model_store.current_store import refresh_stages
from retrieval.paths import BUNDLES
from retrieval.runtime import choose_runtime

NEWEST = "newest"
_DIGITS = 12

_logger = logging.getLogger(__name__)


def trained_folder(model: str = NEWEST, root: Path = KEPT) -> Path:
    """Folder of a trained retriever; which one it is, is logged: version, store and law.

    Args:
        model: ``newest`` takes the one in production, else the one staged, else the newest kept; anything else is as in
            `resolve_model`.
        root: Where retrievers are kept.

    Raises:
        ArtifactError: If there is none, or retrievers of several stores go by the name.
    """
    if model != NEWEST:
        return resolve_model(model, root)
    kept_folder("latest", root)  # without any there is no need to ask for stages
    store = refresh_stages() if root == KEPT else ""
    choice = served_retriever(root, lambda: store)
    elsewhere = store and choice.stage and choice.retriever.store != store
    _logger.info("%s%s", choice, f" (the store in use has nothing in {choice.stage})" if elsewhere else "")
    return choice.retriever.folder


def bundle_of(source: Path, bundles: Path = BUNDLES) -> Bundle:
    """The bundle of a retriever folder: the folder itself, one made before, or one made now.

    Args:
        source: A retriever folder, or a bundle.
        bundles: Where bundles are kept, one for each content.

    Raises:
        ArtifactError: If the source is damaged or the disk is full.
    """
    if (source / FACTS).is_file():
        return _checked(source)
    listed_files(source)  # says what is wrong with a folder that has no manifest
    digest, name = hashlib.sha256((source / MANIFEST).read_bytes()).hexdigest()[:_DIGITS], _name_of(source, bundles)
    target = bundles / f"{name}-{digest}"
    if target.is_dir():
        try:
            return _checked(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    _logger.info("making a bundle of %s", source)
    made = make_bundle(source, target, link=True)
    for old in bundles.glob(f"{glob.escape(name)}-{'?' * _DIGITS}"):
        if old != target:  # of a retriever that was in this folder before and was replaced
            shutil.rmtree(old, ignore_errors=True)
    return made


def _checked(folder: Path) -> Bundle:
    with stage(f"checking bundle {folder}", folder) as advance:
        return open_bundle(folder, advance)


def _name_of(source: Path, bundles: Path) -> str:
    """What bundles of a folder are called: a kept retriever's name, or one that no folder elsewhere shares."""
    place = os.path.relpath(source.resolve().parent, bundles.resolve().parent)
    if place == KEPT.name:
        return source.name
    return f"{source.name}-in-{hashlib.sha256(place.encode()).hexdigest()[:_DIGITS]}"


def zero_shot_bundle(bundles: Path = BUNDLES) -> Bundle:
    """A bundle of the bundled encoder as it comes over the bundled codes; made at the first call, some minutes long.

    Raises:
        ArtifactError: If the disk is full.
    """
    from retrieval.experiments.zero_shot import zero_shot_config, zero_shot_retriever  # needs the extra `bundled`

    target = bundles / "zero-shot"
    if target.is_dir():
        try:
            return _checked(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "zero-shot"
        zero_shot_retriever(zero_shot_config(), choose_runtime()).save(folder)
        return make_bundle(folder, target)
