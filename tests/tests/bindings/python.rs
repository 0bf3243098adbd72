//! The Python package: what a Python program sees.
