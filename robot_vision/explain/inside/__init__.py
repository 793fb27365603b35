"""A network itself: what its layers show and can see, its weights, its architecture."""
