"""Beat the key: a keyed classifier that everybody may ask and nobody has the key of, until it is revealed.

service.py is what others call. This face imports nothing: a server must not wait for torch before it listens.
"""
