"""Kinds of answering model, one file each: trivial ones, this service, local and hosted VLMs."""
