"""What a chain of compression consists of: a kind of step a file, which registers itself."""
