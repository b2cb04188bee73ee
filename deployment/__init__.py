"""Everything that serves a trained retriever: bundles, engines, services, gateway and workers."""
