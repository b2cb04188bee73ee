"""The base of all materializers here: an object is one whole-or-absent folder, on a local or a remote store."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from zenml.artifact_stores import BaseArtifactStore
from zenml.enums import VisualizationType
from zenml.io import fileio
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.metadata.metadata_types import MetadataType

from materializers.page import page
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, mended_by
from retrieval.s3.client import S3
from retrieval.s3.folders import download_folder, upload_folder, upload_memory
from retrieval.s3.objects import Buffer, put_bytes
from stacks.connection import s3_of

CONTENT = "content"
"""The artifact's files are in this folder below its address; pictures lie beside it."""


class FolderMaterializer(BaseMaterializer):
    """Writes an object as a folder with a manifest and reads it back after checking it; no pickle."""

    SKIP_REGISTRATION: ClassVar[bool] = True

    def write(self, data: Any, folder: Path) -> None:  # noqa: ANN401 - each subclass has its own type
        """Write the object as ``folder``, whole or not at all, with a manifest."""
        raise NotImplementedError

    def read(self, folder: Path) -> Any:  # noqa: ANN401
        """Make the object from its folder after checking the manifest."""
        raise NotImplementedError

    def describe(self, data: Any) -> dict[str, MetadataType]:  # noqa: ANN401
        """Facts that a person would ask for."""
        return {}

    def picture(self, data: Any) -> str:  # noqa: ANN401
        """A self-contained page without scripts; by default the facts as a table."""
        return page(type(data).__name__, self.describe(data))

    def in_memory(self, data: Any) -> Mapping[str, Sequence[Buffer]] | None:  # noqa: ANN401
        """The folder's files where they lie in memory as they are written; an S3 store takes them from there.

        Only for what is hashed by all its files, as `hash_content` does unless a subclass says otherwise.
        """
        return None

    def hash_content(self, data: Any, folder: Path) -> str:  # noqa: ANN401
        """Hash of what the object means; by default of all its files."""
        return manifest_hash(folder)

    def save(self, data: Any) -> None:  # noqa: ANN401
        """Write the folder: straight into a local store, into a remote one from memory or by way of a temporary folder.

        Raises:
            ArtifactError: If the disk is full.
            StorageError: If the remote store stays away or refuses.
        """
        with self._disk_errors("written"):
            if self._is_local:
                self._write_and_hash(data, Path(self.uri) / CONTENT)
                return
            s3, files = self._s3, self.in_memory(data)
            if s3 is not None and files is not None:
                self._content_hash = listing_hash(upload_memory(s3, files, self._content_uri))
                return
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / CONTENT
                self._write_and_hash(data, folder)
                self._upload(folder)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ANN401
        """Read the folder back.

        Raises:
            ArtifactError: If it is incomplete or was altered, or the disk is full.
            StorageError: If the remote store stays away or refuses.
        """
        folder = self.local_folder()
        try:
            with mended_by("run the pipeline that made it with --no-cache, which makes it anew"):
                return self.read(folder)
        except ArtifactError as error:
            if self._is_local:
                raise
            raise ArtifactError(str(error).replace(str(folder), self._content_uri)) from error

    def compute_content_hash(self, data: Any) -> str | None:  # noqa: ANN401
        """Hash by which the cache tells whether anything changed; known once saved."""
        return getattr(self, "_content_hash", None)

    def extract_metadata(self, data: Any) -> dict[str, MetadataType]:  # noqa: ANN401
        """Facts shown beside the artifact."""
        return self.describe(data)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:  # noqa: ANN401
        """Write the picture as static HTML, which the dashboard's sandbox shows."""
        path, content = f"{self.uri}/visualization.html", self.picture(data).encode()
        s3 = self._s3
        if s3 is not None:
            put_bytes(s3, content, path, "text/html; charset=utf-8")
        else:
            with self.artifact_store.open(path, "wb") as stream:
                stream.write(content)
        return {path: VisualizationType.HTML}

    def local_folder(self) -> Path:
        """The artifact's folder on this machine; a remote one is downloaded until the step or the process ends."""
        if self._is_local:
            return Path(self.uri) / CONTENT
        with self.get_temporary_directory(delete_at_exit=False) as temporary:
            folder = Path(temporary) / CONTENT
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)  # outside a step nobody else removes it
        with self._disk_errors("fetched"):
            self._download(folder)
        return folder

    @property
    def _is_local(self) -> bool:
        return "://" not in self.uri

    def _write_and_hash(self, data: Any, folder: Path) -> None:  # noqa: ANN401
        self.write(data, folder)
        self._content_hash = self.hash_content(data, folder)

    @property
    def _content_uri(self) -> str:
        return f"{self.uri}/{CONTENT}"

    @property
    def _s3(self) -> S3 | None:
        return s3_of(self.artifact_store) if self.uri.startswith("s3://") else None

    @contextmanager
    def _disk_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self.uri if self._is_local else f"{tempfile.gettempdir()} (on the way to or from {self.uri})"
            raise ArtifactError(
                f"{place}: not {done}: {error.strerror or error}; free some space, or set TMPDIR to a larger disk"
            ) from error

    def _upload(self, folder: Path) -> None:
        s3 = self._s3
        if s3 is not None:
            upload_folder(s3, folder, self._content_uri)
            return
        paths = [path for path in folder.rglob("*") if path.is_file()]
        for path in sorted(paths, key=lambda path: (path == folder / MANIFEST, path)):  # the manifest last
            target = f"{self._content_uri}/{path.relative_to(folder).as_posix()}"
            self.artifact_store.makedirs(target.rpartition("/")[0])
            fileio.copy(str(path), target)

    def _download(self, folder: Path) -> None:
        s3 = self._s3
        if s3 is not None:
            download_folder(s3, self._content_uri, folder)
        else:
            _copy_tree(self.artifact_store, self._content_uri, folder)


def _copy_tree(store: BaseArtifactStore, uri: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in store.listdir(uri):
        leaf = str(name).rstrip("/").rpartition("/")[2]
        if store.isdir(f"{uri}/{leaf}"):
            _copy_tree(store, f"{uri}/{leaf}", folder / leaf)
        else:
            fileio.copy(f"{uri}/{leaf}", str(folder / leaf), overwrite=True)


def manifest_hash(folder: Path, skip: tuple[str, ...] = ()) -> str:
    """One SHA-256 over the manifest just written, without the files or folders named in ``skip``.

    Manifests of folders inside are left out: they say again what is listed, and also what is to be skipped.
    """
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    kept = {name: digest for name, digest in files.items() if not set(Path(name).parts) & {*skip, MANIFEST}}
    return listing_hash(kept)


def listing_hash(files: Mapping[str, str]) -> str:
    """One SHA-256 over what a manifest lists.

    Args:
        files: SHA-256 by name.
    """
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()
