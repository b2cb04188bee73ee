"""Makes bundles: from a kept version or a retriever folder to a folder or a bucket, with the same bytes every time."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from deployment.bundle.format import FACTS, UNKNOWN, Bundle, BundleFacts, open_bundle, write_facts
from deployment.bundle.progress import stage
from retrieval.errors import ArtifactError, ConfigError, RetrievalError, StorageError
from retrieval.folders import MANIFEST, link_or_copy, mended_by, verify_folder, write_folder
from retrieval.model_store import FACTS as KEPT_FACTS
from retrieval.model_store import KEPT, STAGES, Choice, facts_of, kept_retriever
from retrieval.model_store.current_store import refresh_stages
from retrieval.models.io.model_settings import ModelSettings, load_settings, settings_file
from retrieval.names import BI_ENCODER, CROSS_ENCODER
from retrieval.search.settings import is_retriever

_logger = logging.getLogger(__name__)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")
_MODELS = (BI_ENCODER, CROSS_ENCODER)
_NOT_INDEX = (*(f"{model}/" for model in _MODELS), FACTS, KEPT_FACTS)


def resolve_model(model: str, root: Path = KEPT) -> Path:
    """Folder of a retriever; which one a name stands for is logged.

    Args:
        model: ``latest``, ``staging``, ``production``, a kept version, or a folder.
        root: Where retrievers are kept.

    Raises:
        ArtifactError: If there is none, a folder is named that is none, or retrievers of several stores go by the name.
    """
    if is_retriever(Path(model)):
        return Path(model)
    if Path(model).is_dir() and (Path(model).is_absolute() or not (root / model).is_dir()):
        raise ArtifactError(f"{model}: not a retriever; name one that a training kept, such as {root}/1, or a version")
    choice = _chosen(model, root)
    _logger.info("%s", choice)
    return choice.retriever.folder


def _chosen(name: str, root: Path) -> Choice:
    """What a name stands for; of stages ZenML is asked first, of others where several stores have one."""
    if root != KEPT:
        return kept_retriever(name, root)
    if name not in STAGES:
        return kept_retriever(name, root, refresh_stages)
    store = refresh_stages()
    return kept_retriever(name, root, lambda: store)


def make_bundle(source: Path, target: Path, link: bool = False) -> Bundle:
    """Write a bundle of a retriever folder, whole or not at all.

    Args:
        source: Written by `Retriever.save`, kept or a bundle itself.
        target: Becomes the bundle; an older bundle there is replaced.
        link: Share the source's files where the disk can, at once and without space of their own. Kept retrievers are
            never written to, and a bundle whose files were altered is not opened.

    Raises:
        ArtifactError: If the source is damaged, ``target`` holds something else or lies inside it, or the disk is full.

    Example:
        bundle = make_bundle(Path("models/legal-retriever/1"), Path("bundle"))
        bundle.facts.retriever, bundle.facts.index
    """
    if source.resolve() in target.resolve().parents:
        raise ArtifactError(f"{target}: lies inside {source}, of which it is made; choose a place outside it")
    damaged = mended_by("train again, or copy it whole from where it was made")
    with damaged, stage(f"checking {source}", source) as advance:
        verify_folder(source, advance)
    if target.exists() and not (target / FACTS).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise ArtifactError(f"{target}: exists and is no bundle; choose another place or remove it")
    try:
        place, how = (link_or_copy, "linking") if link else (shutil.copyfile, "copying")
        with write_folder(target) as staging, stage(f"{how} its files into {target}", source) as advance:
            for name in _files_of(source):
                (staging / name).parent.mkdir(parents=True, exist_ok=True)
                place(source / name, staging / name)
                advance((source / name).stat().st_size)
            write_facts(staging, facts_of_retriever(source))
    except OSError as error:
        raise ArtifactError(
            f"{target}: the bundle was not written ({error.strerror or error}); free some space or choose another"
            " place, then run again; what was there before is unchanged"
        ) from error
    with stage(f"checking {target}", target) as advance:
        return open_bundle(target, advance)


def upload_bundle(source: Path, uri: str) -> Bundle:
    """Write a bundle of a retriever folder to a bucket; one that is there already is never written over.

    Args:
        source: As in `make_bundle`.
        uri: ``s3://bucket/folder``.

    Returns:
        What was sent; its folder is gone.

    Raises:
        ConfigError: If another bundle is there.
        StorageError: If the store stays away or refuses.
    """
    from retrieval.s3.client import connect, settings_from_environment
    from retrieval.s3.folders import read_manifest, upload_folder

    s3, uri = connect(settings_from_environment()), uri.rstrip("/")
    with tempfile.TemporaryDirectory() as scratch:
        bundle = make_bundle(source, Path(scratch) / "bundle")
        manifest = (bundle.folder / MANIFEST).read_bytes()
        try:
            there = read_manifest(s3, uri)[0]
        except ArtifactError:
            there = b""
        if there and there != manifest:
            raise ConfigError(f"{uri}: another bundle is there, perhaps being served; choose an address of its own")
        if not there:
            upload_folder(s3, bundle.folder, uri)
    return bundle


def facts_of_retriever(folder: Path) -> BundleFacts:
    """Versions of everything in a retriever folder, as far as it says."""
    if (folder / FACTS).is_file():
        return open_bundle(folder).facts
    kept, models = facts_of(folder), {name: _settings(folder / name) for name in _MODELS}
    first, second = models[BI_ENCODER], models[CROSS_ENCODER]
    return BundleFacts(
        retriever=kept.get("retriever") or UNKNOWN,
        bi_encoder=kept.get("bi_encoder") or UNKNOWN,
        cross_encoder=(kept.get("cross_encoder") or UNKNOWN) if second else "",
        index=index_version(folder),
        data=(first and first.data_version) or UNKNOWN,
        code=kept.get("code") or UNKNOWN,
        bi_encoder_run=(first and first.training_run_id) or UNKNOWN,
        cross_encoder_run=(second.training_run_id or UNKNOWN) if second else "",
        created=kept.get("created") or kept.get("kept") or _changed(folder / MANIFEST),
    )


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def index_version(folder: Path) -> str:
    """First 12 digits of the SHA-256 over names and hashes of all that is searched: no models, no facts."""
    listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    digest = hashlib.sha256()
    for name in sorted(name for name in listed if not name.startswith(_NOT_INDEX)):
        digest.update(f"{name}\0{listed[name]}\n".encode())
    return digest.hexdigest()[:12]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a bundle; 0 if it is there, 1 if it could not be made, 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m deployment.bundle", description="Make what is served of a trained retriever."
    )
    parser.add_argument(
        "--model",
        default="latest",
        metavar="latest|staging|production|VERSION|DIR",
        help="a kept version by name or stage, or a retriever folder (default latest)",
    )
    parser.add_argument("--to", required=True, metavar="DIR|s3://...", help="becomes the bundle")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    _logger.setLevel(logging.INFO)
    try:
        _refuse_odd_address(given.to)
        source = resolve_model(given.model)
        bundle = upload_bundle(source, given.to) if "://" in given.to else make_bundle(source, Path(given.to))
    except (RetrievalError, StorageError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    facts = bundle.facts
    sys.stdout.write(f"{given.to}: retriever {facts.retriever}, index {facts.index}, made from {source}\n")
    return 0


def _refuse_odd_address(target: str) -> None:
    """Refuse what is nearly an address, before a folder of that name is made here."""
    address = _ADDRESS.match(target)
    if address and address[0] != "s3://":
        raise ConfigError(f"{target}: not an S3 address; it looks like s3://bucket/folder; correct --to")


def _files_of(source: Path) -> list[str]:
    """What the manifest lists, and the manifests of folders inside, by name; facts are written anew."""
    listed = json.loads((source / MANIFEST).read_text(encoding="utf-8"))["files"]
    inner = (path.relative_to(source).as_posix() for path in source.rglob(MANIFEST) if path.parent != source)
    return sorted({*listed, *inner} - {FACTS, KEPT_FACTS})


def _settings(folder: Path) -> ModelSettings | None:
    return load_settings(folder) if settings_file(folder) else None
