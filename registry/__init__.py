"""Versions of the models, their stages and the ledger of production, in ZenML and what follows it."""
