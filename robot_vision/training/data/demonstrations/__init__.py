"""Demonstrations as batches: `options` → `sets` → `rows` → `changes` → `scenes` → `batches`."""
