//! Development tasks for sheave: `cargo xtask <task>`.

fn main() {}
