"""Steps that tell monitoring about a run."""
