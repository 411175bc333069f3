//! The commit protocol without I/O.
