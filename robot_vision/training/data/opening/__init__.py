"""Sets on disk: kinds, opening, checks, sheets."""
