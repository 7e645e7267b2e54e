"""The words of the interface over HTTP: where it is, and the kinds of bodies."""

ADDRESS = "/api/challenge"
NPY, JSON = "application/x-npy", "application/json"
