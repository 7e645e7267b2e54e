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

ATTACKED_ERROR: dict[tuple[str, str], tuple[float, float]] = {
    ("mnist", "cw_l2"): (100.00, 8.64),
    ("mnist", "cw_l0"): (100.00, 14.53),
    ("mnist", "cw_linf"): (99.99, 12.24),
    ("mnist", "fgsm"): (92.10, 18.00),
    ("fashion-mnist", "cw_l2"): (100.00, 12.12),
    ("fashion-mnist", "cw_l0"): (100.00, 13.48),
    ("fashion-mnist", "cw_linf"): (99.90, 12.55),
    ("fashion-mnist", "fgsm"): (60.60, 27.50),
}
"""By dataset and attack: of the classical classifier, which the examples are crafted on, and of the keyed one."""
