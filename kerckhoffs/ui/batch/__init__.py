"""Batch and Table 3: runs in processes of their own."""
