"""Kinds of model that answer, a file each: trivial ones, this service, local and hosted VLMs."""
