//! Every language opens what every language seals.
