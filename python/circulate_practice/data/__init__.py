"""What records are made of: identifiers, time stamps, words, and values that break careless readers."""
