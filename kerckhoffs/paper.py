"""What the paper reports, to set beside what is measured here. Nothing in this file was measured here.

Taran, Rezaeifar and Voloshynovskiy, "Bridging machine learning and cryptography in defence against adversarial
attacks" (2018), Table 3: errors in percent on the first 1000 test samples.
"""

CLEAN_ERROR: dict[str, float] = {
    "mnist-table1-classical": 1.00,
    "mnist-table1-keyed": 1.40,
    "mnist-table2-classical": 1.00,
    "mnist-table2-keyed": 3.00,
    "fashion-mnist-table1-classical": 8.60,
    "fashion-mnist-table1-keyed": 11.20,
    "fashion-mnist-table2-classical": 7.50,
    "fashion-mnist-table2-keyed": 11.50,
}
"""By model id (zoo.model_id)."""
