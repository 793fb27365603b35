"""What a set does not say: drafts, suggestions, questions."""
