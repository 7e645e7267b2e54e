"""Play: one image, one attacker, one attack, classifiers side by side."""
