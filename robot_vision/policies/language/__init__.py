"""From words to tokens and encodings."""
