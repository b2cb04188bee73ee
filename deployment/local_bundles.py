"""Bundles on this machine: of the newest trained retriever, or of an encoder as it comes, made once and used again."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from deployment.bundle import FACTS, Bundle, open_bundle
from deployment.bundling import make_bundle, resolve_model
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST
from retrieval.runtime import choose_runtime
from retrieval.search.kept import KEPT, STAGES, kept_folder

BUNDLES = Path("models/bundles")
"""Default place, below the folder commands are typed in."""
NEWEST = "newest"

_logger = logging.getLogger(__name__)


def trained_folder(model: str = NEWEST, root: Path = KEPT) -> Path:
    """Folder of a trained retriever.

    Args:
        model: ``newest`` takes the one in production, else the one staged, else the newest kept; anything else is as in
            `resolve_model`.
        root: Where retrievers are kept.

    Raises:
        ArtifactError: If there is none.
    """
    if model != NEWEST:
        return resolve_model(model, root)
    newest = kept_folder("latest", root)  # without any there is no need to ask for stages
    production, staging = STAGES
    return _kept(lambda: resolve_model(production, root)) or _kept(lambda: kept_folder(staging, root)) or newest


def _kept(find: Callable[[], Path]) -> Path | None:
    """A folder, if there is one."""
    try:
        return find()
    except ArtifactError as error:
        _logger.info("%s", error)
        return None


def bundle_of(source: Path, bundles: Path = BUNDLES) -> Bundle:
    """The bundle of a retriever folder: the folder itself, one made before, or one made now.

    Args:
        source: A retriever folder, or a bundle.
        bundles: Where bundles are kept, one for each content.

    Raises:
        ArtifactError: If the source is damaged or the disk is full.
    """
    if (source / FACTS).is_file():
        return open_bundle(source)
    digest = hashlib.sha256((source / MANIFEST).read_bytes()).hexdigest()[:12]
    target = bundles / f"{source.name}-{digest}"
    if target.is_dir():
        try:
            return open_bundle(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    _logger.info("making a bundle of %s", source)
    return make_bundle(source, target)


def untouched_bundle(bundles: Path = BUNDLES) -> Bundle:
    """A bundle of the bundled encoder as it comes over the bundled codes; made at the first call, some minutes long.

    Raises:
        ArtifactError: If the disk is full.
    """
    from retrieval.search.untouched import untouched_config, untouched_retriever  # needs the extra `bundled`

    target = bundles / "untouched"
    if target.is_dir():
        try:
            return open_bundle(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "untouched"
        untouched_retriever(untouched_config(), choose_runtime()).save(folder)
        return make_bundle(folder, target)
