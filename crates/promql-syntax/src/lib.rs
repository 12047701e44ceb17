//! PromQL syntax.
