//! Definitions: YAML to IR.
