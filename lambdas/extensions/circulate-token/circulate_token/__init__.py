"""The token extension: gets access tokens, so that functions only read them."""
