//! Does the passes of one case, so that valgrind's callgrind can count their instructions.
//!
//! ```text
//! counts --list           each case: its name, for how many units to run it, and what a unit is
//! counts CASE UNITS       prepares the case and does so many units of it, in whole passes
//! ```
//!
//! A unit takes what twice as many units take more, divided by how many more they are.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--list"] => {
            for case in bench_micro::cases() {
                println!("{} {} {}", case.name, case.units() * case.passes, case.unit);
            }
            ExitCode::SUCCESS
        }
        [name, units] => match units.parse() {
            Ok(units) => run(name, units),
            Err(error) => fail(&format!("{units}: {error}")),
        },
        _ => fail("counts --list | counts CASE UNITS"),
    }
}

fn run(name: &str, units: u64) -> ExitCode {
    let Some(case) = bench_micro::cases().into_iter().find(|case| case.name == name) else {
        return fail(&format!("there is no case {name}"));
    };
    let per_pass = case.units();
    if !units.is_multiple_of(per_pass) {
        return fail(&format!("{name} takes multiples of {per_pass}"));
    }
    case.start()(units / per_pass);
    ExitCode::SUCCESS
}

fn fail(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
