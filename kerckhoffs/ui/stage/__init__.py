"""Talk mode: scenes that fill a projector, the speaker's window, and what both show, from Play and from results."""
