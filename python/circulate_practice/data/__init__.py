"""What records are made of: identifiers, timestamps, words, and values that break careless readers."""
