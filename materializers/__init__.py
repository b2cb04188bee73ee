"""How the project's objects are kept in an artifact store: plain files, a content hash, metadata and a picture."""
