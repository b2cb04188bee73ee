"""Token vectors of the law below a late-joining reranker's upper layers, mapped from a file that was made beforehand.

Training leaves the file on its machine. ``python -m deployment.law_states --bundle DIR`` makes it on another one, once;
with it a passage costs the upper layers only, the first time too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deployment.bundle import Bundle, open_bundle
from retrieval.errors import RetrievalError
from retrieval.models.encoder import BiEncoder
from retrieval.models.reranker import CrossEncoder
from retrieval.models.split import TokenStates
from retrieval.runtime import Runtime, choose_runtime
from retrieval.search.embedding import corpus_states, states_file

FOLDER = Path(".cache/hidden-states")
"""Where training leaves the file, below the folder commands are typed in."""


def law_states(
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
    """
    layers = cross_encoder.settings.separate_layers
    if not layers or not (make or folder.is_dir()):
        return None
    reader = BiEncoder(cross_encoder.backbone, cross_encoder.tokenizer, cross_encoder.settings)
    corpus = bundle.corpus()
    if not make and not states_file(reader, corpus, layers, runtime, folder).is_file():
        return None
    return corpus_states(reader, corpus, layers, runtime, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the file; 0 if it is there, 1 if it could not be made."""
    parser = argparse.ArgumentParser(prog="python -m deployment.law_states", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--to", type=Path, default=FOLDER, metavar="DIR", help=f"where the file goes (default {FOLDER})"
    )
    given = parser.parse_args(arguments)
    try:
        bundle, runtime = open_bundle(given.bundle), choose_runtime()
        states = law_states(bundle, bundle.cross_encoder(), runtime, given.to, make=True)
    except RetrievalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    said = f"{len(states.vectors):,} token vectors in {given.to}" if states else "this reranker reads no law beforehand"
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
