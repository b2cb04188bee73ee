"""From a question to ranked articles: BM25, dense index, fusion, hard-negative mining, reranking."""
