"""Weights of other tools and of earlier stages, brought into the tensors of a spec.

Files are untrusted: none is executed, and what a file says of itself has limits (`stored.py`).
"""
