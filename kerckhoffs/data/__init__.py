"""Data sets, and pictures from outside as the models see them."""

from kerckhoffs.data.sets import DATASETS, SPLITS, TEST_SAMPLES, VALIDATION_SAMPLES, Dataset, data_folder, load

__all__ = ["DATASETS", "SPLITS", "TEST_SAMPLES", "VALIDATION_SAMPLES", "Dataset", "data_folder", "load"]
