//! The specification alone, written again in Python with a stock library, and the vectors in every language.
