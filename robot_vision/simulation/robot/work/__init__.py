"""Tasks: words, layout, when they are possible and done."""
