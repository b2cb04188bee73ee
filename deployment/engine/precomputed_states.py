"""Token vectors of the law below a split cross-encoder's upper layers, mapped from a file made beforehand.

Training leaves the file on its machine. ``python -m deployment.engine.precomputed_states --bundle DIR`` makes it on
another one, once; with it a passage costs the upper layers only, the first time too.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deployment.bundle.fetch import local_folder
from deployment.bundle.format import Bundle, open_bundle
from deployment.engine.states_report import PassageStatesOut
from retrieval.errors import ArtifactError, ConfigError, RetrievalError
from retrieval.extras import need
from retrieval.models.bi_encoder import BiEncoder
from retrieval.models.cross_encoder import CrossEncoder
from retrieval.models.frozen_layers import TokenStates
from retrieval.models.io.model_settings import settings_file
from retrieval.paths import HIDDEN_STATES
from retrieval.runtime import Runtime, choose_runtime
from retrieval.search.embedding import corpus_states, kept_corpus_states
from retrieval.search.state_files import note_use
from retrieval.search.state_paths import states_file
from retrieval.telemetry import telemetry_off

if TYPE_CHECKING:
    from deployment.settings import ServingSettings

_logger = logging.getLogger(__name__)


def precomputed_states(
    bundle: Bundle, cross_encoder: CrossEncoder, runtime: Runtime, folder: Path, make: bool = False
) -> TokenStates | None:
    """Token vectors of a bundle's passages and titles, mapped and not read into memory.

    Args:
        bundle: Whose law it is.
        cross_encoder: The bundle's reranker.
        runtime: Where to compute; the vectors of another precision are others.
        folder: Where the file lies.
        make: Make the file if there is none; takes minutes.

    Returns:
        None where there is no file, or the reranker reads question and law together in all layers.

    Raises:
        ArtifactError: If the file could not be made.
    """
    layers = cross_encoder.settings.separate_layers
    if not layers or not (make or any(folder.glob("*.npy"))):
        return None
    reader = BiEncoder(cross_encoder.backbone, cross_encoder.tokenizer, cross_encoder.settings)
    corpus = bundle.corpus()
    if make:
        bar = "read corpus" if sys.stderr.isatty() else None
        states = corpus_states(reader, corpus, layers, runtime, folder, bar)
    else:
        states = kept_corpus_states(reader, corpus, layers, runtime, folder)
    if states is not None:
        file = states_file(reader, corpus, layers, runtime, folder)
        if make and not file.is_file():
            raise ArtifactError(
                f"{folder}: what was read of the law could not be kept there; make room, or name a folder that can be"
                " written to with --to (RETRIEVER_STATES), and type the same command again"
            )
        note_use(file, bundle.folder)
    return states


class BundledStates:
    """Looks for what was read beforehand of the law of a bundle, and knows how that went.

    Attributes:
        passage_states: What is known; changes when it is looked for.
    """

    def __init__(
        self, bundle: Bundle, cross_encoder: CrossEncoder, runtime: Runtime, settings: ServingSettings
    ) -> None:
        """Set up; nothing is looked for yet. Arguments as of `precomputed_states`."""
        self._bundle, self._model, self._runtime = bundle, cross_encoder, runtime
        # absolute: it is looked for again and again, whatever folder the process works in by then
        self._folder, self._seen = settings.states.absolute(), frozenset[tuple[Path, int]]()
        self._make = command_of(bundle, settings)
        self._told = False
        self.passage_states = self._as("being_looked_for")

    def __call__(self) -> TokenStates | None:
        """Look; takes seconds where there are files that have not been looked at, else nothing.

        Returns:
            None where the file is missing; then the log says so, once.
        """
        there = frozenset((path, path.stat().st_ino) for path in self._folder.glob("*.npy") if path.exists())
        states = None
        if there - self._seen:
            try:
                states = precomputed_states(self._bundle, self._model, self._runtime, self._folder)
            except (RetrievalError, OSError):
                self.passage_states = self._as("missing")
                raise
        self._seen = there
        self.passage_states = self._as("missing" if states is None else "known")
        if states is not None:
            _logger.info("%d passages of law are known beforehand", self.passage_states.known)
        elif not self._told:
            self._told = True
            _logger.warning(
                "what the reranker reads of the law beforehand is missing in %s (0 of %d passages), so that reranking"
                " takes several times as long; `%s` makes it, in some minutes, and it is then found without a restart",
                self._folder,
                self.passage_states.of,
                self._make,
            )
        return states

    def _as(self, status: Literal["known", "missing", "being_looked_for"]) -> PassageStatesOut:
        count = self._bundle.passages
        known = count if status == "known" else 0
        return PassageStatesOut(status=status, known=known, of=count, make=self._make if status == "missing" else "")


def command_of(bundle: Bundle, settings: ServingSettings) -> str:
    """The command that makes the file that a service with these settings looks for."""
    words = ["python", "-m", "deployment.engine.precomputed_states", "--bundle", str(bundle.folder)]
    words += ["--to", str(settings.states)] if settings.states != HIDDEN_STATES else []
    words += ["--precision", settings.precision] if settings.precision != "auto" else []
    return shlex.join(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the file; 0 if it is there, 1 if it could not be made, 2 on bad input."""
    given = _arguments(arguments)
    telemetry_off()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        need("serving", "python -m deployment.engine.precomputed_states")
        from deployment.settings import read_settings

        settings = read_settings(bundle=given.bundle, states=given.to, precision=given.precision, threads=given.threads)
        bundle = _opened(local_folder(settings.bundle, settings.cache))
        runtime = choose_runtime(**settings.model_dump(include={"precision", "threads"}, exclude_defaults=True))
        _logger.info("reading %d passages of law and their titles; takes minutes on a few cores", bundle.passages)
        states = precomputed_states(bundle, bundle.cross_encoder(), runtime, settings.states, make=True)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; nothing was written, and the next call begins anew\n")
        return 1
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    said = f"{len(states.vectors):,} token vectors in {settings.states}" if states else _nothing(runtime)
    sys.stdout.write(f"{said}\n")
    return 0


def _opened(folder: Path) -> Bundle:
    if settings_file(folder):
        raise ConfigError(f"{folder}: holds a model without law, so there is nothing to read; name a bundle")
    return open_bundle(folder)


def _nothing(runtime: Runtime) -> str:
    if runtime.device.type != "cpu":
        return f"nothing is read beforehand on a {runtime.device.type} device"
    return "this reranker reads no law beforehand"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deployment.engine.precomputed_states",
        description="Read a bundle's law once for its reranker, which is then several times as fast on this machine.",
    )
    parser.add_argument("--bundle", metavar="DIR|s3://...", help="default: RETRIEVER_BUNDLE")
    parser.add_argument(
        "--to", metavar="DIR", help=f"where the file goes (default: RETRIEVER_STATES, or {HIDDEN_STATES})"
    )
    parser.add_argument("--precision", help="auto, float32 or bfloat16, as the service has it (RETRIEVER_PRECISION)")
    parser.add_argument("--threads", type=int, help="compute threads; 0 takes one a core (RETRIEVER_THREADS)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
