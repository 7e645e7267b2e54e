"""Pieces that pages are built from: the canvas, the scheme, pictures in addresses."""
