//! The two sessions.
