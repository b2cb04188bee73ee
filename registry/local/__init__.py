"""What is kept on this machine of the registry: retrievers, their stages, and what is fetched from elsewhere."""
