"""S3: the only place where an object store is reached, with its settings, its patience and its errors in words."""
