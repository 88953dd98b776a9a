//! (Empty so far.)
