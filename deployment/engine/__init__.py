"""The models behind their queues: batching, embedding, reranking, and how they share a processor."""
