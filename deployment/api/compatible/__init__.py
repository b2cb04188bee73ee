"""The shapes that clients of OpenAI, Cohere and Jina speak: what they send, what they get."""
