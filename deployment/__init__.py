"""Everything that serves a trained retriever: bundles, batching, services and their doors."""
