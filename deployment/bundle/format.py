"""What is served: a retriever folder with its facts, every file signed by one manifest, opened only if all is well.

``python -m deployment.bundle --model production --to DIR|s3://...`` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.bundle.folder_kinds import COMMAND, no_bundle
from retrieval.data.storage import count_passages, load_dataset
from retrieval.errors import ArtifactError
from retrieval.folders import MANIFEST, mended_by, verify_folder
from retrieval.names import BI_ENCODER, BUNDLE_FACTS, CORPUS, CROSS_ENCODER
from retrieval.records import Corpus
from retrieval.search.settings import RetrieverSettings, read_settings

if TYPE_CHECKING:  # a gateway in front of services opens bundles without torch; the models' methods import it
    from retrieval.models.bi_encoder import BiEncoder
    from retrieval.models.cross_encoder import CrossEncoder
    from retrieval.runtime import Runtime
    from retrieval.search.retriever import Retriever

FACTS: str = BUNDLE_FACTS
FORMAT = 1
UNKNOWN = "unknown"
_SUFFIXES = frozenset({".json", ".npy", ".parquet", ".safetensors", ".txt", ".codes", ".model"})
"""What a bundle may hold: data formats only, nothing that runs code when it is read."""


@dataclass(frozen=True, kw_only=True)  # eight texts in a row would be mixed up unseen
class BundleFacts:
    """Versions of everything in a bundle; ``unknown`` where the retriever does not say.

    Attributes:
        retriever: Version of legal-retriever.
        bi_encoder: Version of legal-bi-encoder.
        cross_encoder: Version of legal-cross-encoder; empty where there is none.
        index: First 12 digits of the SHA-256 over articles, vectors, BM25 and fusion settings.
        data: Fingerprint of the dataset that the models were trained on.
        code: Git commit of the training.
        bi_encoder_run: Training run.
        cross_encoder_run: Training run; empty where there is none.
        created: When the index was made, in ISO 8601 with its offset; empty where that is not known.
    """

    retriever: str
    bi_encoder: str
    cross_encoder: str
    index: str
    data: str
    code: str
    bi_encoder_run: str
    cross_encoder_run: str
    created: str = ""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle folder.

    Attributes:
        folder: Where it lies.
        facts: What is in it.
    """

    folder: Path
    facts: BundleFacts

    @property
    def has_cross_encoder(self) -> bool:
        """Whether it can rerank."""
        return (self.folder / CROSS_ENCODER).is_dir()

    @property
    def passages(self) -> int:
        """How many passages can be found."""
        return count_passages(self.folder / CORPUS)

    def retriever(self, runtime: Runtime, rerank: bool = True) -> Retriever:
        """Both stages, or the first alone, ready to search."""
        from retrieval.search.retriever import read_retriever

        return read_retriever(self.folder, runtime, rerank)

    def corpus(self) -> Corpus:
        """What can be found, without any model."""
        return load_dataset(self.folder / CORPUS).corpus

    def settings(self) -> RetrieverSettings:
        """How the parts are joined."""
        return read_settings(self.folder)

    def bi_encoder(self) -> BiEncoder:
        """The first stage's model alone."""
        from retrieval.models.bi_encoder import load_bi_encoder

        return load_bi_encoder(self.folder / BI_ENCODER)

    def cross_encoder(self) -> CrossEncoder:
        """The reranker alone.

        Raises:
            ArtifactError: If the bundle has none.
        """
        if not self.has_cross_encoder:
            raise ArtifactError(f"{self.folder}: has no cross-encoder; bundle a retriever that was trained with one")
        from retrieval.models.cross_encoder import load_cross_encoder

        return load_cross_encoder(self.folder / CROSS_ENCODER)


def open_bundle(folder: Path, checked: Callable[[int], object] = lambda _: None) -> Bundle:
    """Check every file of a bundle against its manifest.

    Args:
        folder: Of the bundle.
        checked: Told the size of each file that was read, in bytes.

    Raises:
        ArtifactError: If the folder is no bundle, or a file is missing, altered, not listed or of a kind that no
            bundle has.

    Example:
        bundle = open_bundle(Path("bundle"))  # ArtifactError where one byte differs
        retriever = bundle.retriever(choose_runtime())
    """
    if not (folder / FACTS).is_file() and not _lists_facts(folder):
        raise ArtifactError(f"{folder}: {no_bundle(folder)}")
    with mended_by(f"make the bundle anew with `{COMMAND} --to DIR`, or copy it whole from where it was made"):
        verify_folder(folder, checked)
    _refuse_strangers(folder)
    return Bundle(folder, _read_facts(folder / FACTS))


def _lists_facts(folder: Path) -> bool:
    """Whether a manifest says that this is a bundle, whatever is missing of it."""
    try:
        return FACTS in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _read_facts(path: Path) -> BundleFacts:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.pop("format")
        facts = BundleFacts(**values)
        if facts.created:
            datetime.fromisoformat(facts.created)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path}: not the facts of a bundle ({error}); make it with {COMMAND}") from error
    strange = [field.name for field in fields(facts) if not isinstance(getattr(facts, field.name), str)]
    if version != FORMAT or strange:
        what = f"{strange[0]} is not text" if strange else f"its format is {version!r}, not {FORMAT}"
        raise ArtifactError(f"{path}: {what}; make it with {COMMAND}")
    return facts


def write_facts(folder: Path, facts: BundleFacts) -> None:
    """Write ``bundle.json``."""
    text = json.dumps({"format": FORMAT, **asdict(facts)}, indent=2, ensure_ascii=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def _refuse_strangers(folder: Path) -> None:
    """Refuse what the manifest does not list, links out of the folder, and kinds of file that no bundle has."""
    listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ArtifactError(f"{path}: is a link; a bundle holds files only, so make it again")
        if path.is_dir():
            continue
        if path.suffix not in _SUFFIXES:
            raise ArtifactError(f"{path}: no bundle has files of this kind; remove it or make the bundle again")
        if name not in listed and name != MANIFEST:
            raise ArtifactError(f"{path}: not listed in {MANIFEST}; remove it or make the bundle again")
