"""The page of keys: how good one is."""
