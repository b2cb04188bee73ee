"""The base of all materializers here: an object is one whole-or-absent folder, on a local or a remote store."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import VisualizationType
from zenml.io import fileio
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.metadata.metadata_types import MetadataType

from materializers.page import page
from retrieval.folders import MANIFEST

_CONTENT = "content"


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

    def hash_content(self, data: Any, folder: Path) -> str:  # noqa: ANN401
        """Hash of what the object means; by default of all its files."""
        return manifest_hash(folder)

    def save(self, data: Any) -> None:  # noqa: ANN401
        """Write the folder, straight into a local store or by way of a temporary one into a remote store."""
        if self._is_local:
            self._write_and_hash(data, Path(self.uri) / _CONTENT)
            return
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / _CONTENT
            self._write_and_hash(data, folder)
            self._upload(folder)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ANN401
        """Read the folder back.

        Raises:
            ArtifactError: If it is incomplete or was altered.
        """
        return self.read(self.local_folder())

    def compute_content_hash(self, data: Any) -> str | None:  # noqa: ANN401
        """Hash by which the cache tells whether anything changed; known once saved."""
        return getattr(self, "_content_hash", None)

    def extract_metadata(self, data: Any) -> dict[str, MetadataType]:  # noqa: ANN401
        """Facts shown beside the artifact."""
        return self.describe(data)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:  # noqa: ANN401
        """Write the picture as static HTML, which the dashboard's sandbox shows."""
        path = f"{self.uri}/visualization.html"
        with self.artifact_store.open(path, "w") as stream:
            stream.write(self.picture(data))
        return {path: VisualizationType.HTML}

    def local_folder(self) -> Path:
        """The artifact's folder on this machine; a remote one is downloaded until the step ends."""
        if self._is_local:
            return Path(self.uri) / _CONTENT
        with self.get_temporary_directory(delete_at_exit=False) as temporary:
            folder = Path(temporary) / _CONTENT
        self._download(f"{self.uri}/{_CONTENT}", folder)
        return folder

    @property
    def _is_local(self) -> bool:
        return "://" not in self.uri

    def _write_and_hash(self, data: Any, folder: Path) -> None:  # noqa: ANN401
        self.write(data, folder)
        self._content_hash = self.hash_content(data, folder)

    def _upload(self, folder: Path) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = f"{self.uri}/{_CONTENT}/{path.relative_to(folder).as_posix()}"
            self.artifact_store.makedirs(target.rpartition("/")[0])
            fileio.copy(str(path), target)

    def _download(self, uri: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.artifact_store.listdir(uri):
            leaf = str(name).rstrip("/").rpartition("/")[2]
            if self.artifact_store.isdir(f"{uri}/{leaf}"):
                self._download(f"{uri}/{leaf}", folder / leaf)
            else:
                fileio.copy(f"{uri}/{leaf}", str(folder / leaf), overwrite=True)


def manifest_hash(folder: Path, skip: tuple[str, ...] = ()) -> str:
    """One SHA-256 over the manifest just written, without the files or folders named in ``skip``."""
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    kept = {name: digest for name, digest in files.items() if not set(Path(name).parts) & set(skip)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
