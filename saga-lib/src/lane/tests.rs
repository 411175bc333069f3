//! Dialogues with the worker machine.
