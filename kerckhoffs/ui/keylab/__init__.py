"""The key lab: make a key, train under it, see how good it is, and look after it."""
