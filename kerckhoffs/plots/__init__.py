"""Rows and images as pictures and figures. Knows no Streamlit."""

from kerckhoffs.plots.pictures import (
    AFTER,
    BEFORE,
    LOWERED,
    OKABE_ITO,
    RAISED,
    UPSCALE,
    Picture,
    data_uri,
    gain,
    outlined,
    picture,
    png,
    signed,
    tiled,
)

__all__ = [
    "AFTER",
    "BEFORE",
    "LOWERED",
    "OKABE_ITO",
    "RAISED",
    "UPSCALE",
    "Picture",
    "data_uri",
    "gain",
    "outlined",
    "picture",
    "png",
    "signed",
    "tiled",
]
