"""Bundles on this machine: of the newest trained retriever, or of an encoder as it comes, made once and used again."""

from __future__ import annotations

import glob
import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from deployment.bundle import FACTS, Bundle, open_bundle
from deployment.bundling import make_bundle, refresh_stages, resolve_model
from deployment.progress import stage
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST
from retrieval.runtime import choose_runtime
from retrieval.search.kept import KEPT, STAGES, kept_folder, recorded_stages

BUNDLES = Path("models/bundles")
"""Default place, below the folder commands are typed in."""
NEWEST = "newest"
_DIGITS = 12

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
    if root == KEPT:
        refresh_stages()
    return next((folder for stage in STAGES if (folder := _in_stage(stage, root))), newest)


def _in_stage(stage: str, root: Path) -> Path | None:
    """The retriever in a stage, if one is and is here."""
    try:
        return kept_folder(stage, root)
    except ArtifactError as error:
        if stage in recorded_stages(root):
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
        return _checked(source)
    digest = hashlib.sha256((source / MANIFEST).read_bytes()).hexdigest()[:_DIGITS]
    target = bundles / f"{source.name}-{digest}"
    if target.is_dir():
        try:
            return _checked(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    _logger.info("making a bundle of %s", source)
    made = make_bundle(source, target, link=True)
    for old in bundles.glob(f"{glob.escape(source.name)}-{'?' * _DIGITS}"):
        if old != target:  # of a retriever that went by this name before and was replaced
            shutil.rmtree(old, ignore_errors=True)
    return made


def _checked(folder: Path) -> Bundle:
    with stage(f"checking bundle {folder}", folder) as advance:
        return open_bundle(folder, advance)


def untouched_bundle(bundles: Path = BUNDLES) -> Bundle:
    """A bundle of the bundled encoder as it comes over the bundled codes; made at the first call, some minutes long.

    Raises:
        ArtifactError: If the disk is full.
    """
    from retrieval.search.untouched import untouched_config, untouched_retriever  # needs the extra `bundled`

    target = bundles / "untouched"
    if target.is_dir():
        try:
            return _checked(target)
        except ArtifactError as error:
            _logger.warning("%s; making it anew", error)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "untouched"
        untouched_retriever(untouched_config(), choose_runtime()).save(folder)
        return make_bundle(folder, target)
