//! Examples: one binary each in `src/bin`.
