//! A virtual environment of Python with the built wheel in it.
