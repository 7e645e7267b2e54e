"""Beat the key, on a page."""
