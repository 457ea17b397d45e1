//! `cargo xtask bench`: sheave beside other libraries, in one run on one machine.
//!
//! The programs lie in a workspace of their own, `xtask/bench`, so that building sheave never builds a peer. Only what
//! `bench --check` counts is part of `ci`: the rest measures time.

mod check;
mod contenders;
mod measure;
mod programs;
mod report;
mod suites;

use contenders::{Contender, LIBRARIES, NGHTTPD, SHEAVE};
use measure::Programs;
use programs::Toolchain;
use report::Row;
use suites::{Kind, WORKLOADS, Workload};

use crate::{Outcome, Tally, workspace};

/// `cargo xtask bench [--suite S,S/W] [--rounds N] [--only LIBRARY,LIBRARY] [--no-build]`, or
/// `cargo xtask bench --check [--update]`.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    use lexopt::prelude::{Long, ValueExt as _};
    let mut options = Options { suites: Vec::new(), only: Vec::new(), rounds: 5, builds: true };
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        match arg {
            Long("check") => return check::task(args),
            Long("suite") => options.suites = list(&mut args)?,
            Long("only") => options.only = list(&mut args)?,
            Long("no-build") => options.builds = false,
            Long("rounds") => {
                let value = args.value().and_then(|value| value.parse());
                options.rounds = value.map_err(|error| error.to_string())?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    options.run()
}

/// What can be counted is no more than it was.
pub(crate) fn check() -> Outcome {
    check::run(false)
}

struct Options {
    suites: Vec<String>,
    /// Libraries; all if there is none.
    only: Vec<String>,
    rounds: usize,
    /// Whether programs are built first, or taken as they are.
    builds: bool,
}

impl Options {
    fn run(&self) -> Outcome {
        let plan = self.plan()?;
        programs::check_machine()?;
        programs::needs("strace", "strace")?;
        let toolchain = Toolchain::find()?;
        let programs = self.programs(&toolchain, &plan)?;
        let mut tables = plan;
        for round in 1..=self.rounds {
            eprintln!("round {round} of {}", self.rounds);
            for (workload, rows) in &mut tables {
                for row in rows {
                    row.add(|contender| programs.measure(contender, workload));
                }
            }
        }
        eprintln!("counting system calls");
        for (workload, rows) in tables.iter_mut().filter(|(workload, _)| workload.counted > 0) {
            for row in rows.iter_mut().filter(|row| row.costs.is_ok() && workload.kind != Kind::Idle) {
                match programs.system_calls(&row.contender, workload) {
                    Ok(calls) => row.calls = Some(calls),
                    Err(why) => eprintln!("{}, {}: {why}", row.contender.title(), workload.title),
                }
            }
        }
        self.report(&toolchain, &tables)
    }

    /// The workloads, and who takes part in each.
    fn plan(&self) -> Result<Vec<(Workload, Vec<Row>)>, String> {
        if self.rounds == 0 {
            return Err("--rounds 0 measures nothing".to_owned());
        }
        let wanted = |contender: &Contender| {
            let library = contender.library;
            self.only.is_empty() || self.only.iter().any(|only| only == library.name)
        };
        let unknown = self.only.iter().find(|only| LIBRARIES.iter().all(|library| library.name != **only));
        if let Some(unknown) = unknown {
            let known: Vec<_> = LIBRARIES.iter().map(|library| library.name).collect();
            return Err(format!("no library is called {unknown:?}: {}", known.join(", ")));
        }
        let row = |workload: &Workload, contender: Contender| {
            let costs = contender.fails(workload).map_or(Ok(Vec::new()), |why| Err(why.to_owned()));
            Row { contender, costs, calls: None }
        };
        let plan: Vec<_> = WORKLOADS
            .iter()
            .filter(|workload| workload.is_in(&self.suites))
            .map(|workload| {
                let contenders = Contender::of(workload).into_iter().filter(wanted);
                (*workload, contenders.map(|contender| row(workload, contender)).collect::<Vec<_>>())
            })
            .filter(|(_, rows)| !rows.is_empty())
            .collect();
        if plan.is_empty() {
            let known: Vec<_> =
                WORKLOADS.iter().map(|workload| format!("{}/{}", workload.suite, workload.name)).collect();
            return Err(format!("no workload is called that: {}", known.join(", ")));
        }
        Ok(plan)
    }

    /// Every program that the plan needs.
    fn programs(&self, toolchain: &Toolchain, plan: &[(Workload, Vec<Row>)]) -> Result<Programs, String> {
        let get = |package| {
            if !self.builds {
                return Ok(programs::built(package));
            }
            eprintln!("building {package}");
            toolchain.build(package)
        };
        let (load, floor) = (get("load")?, get("floor")?);
        let mut peers = Vec::new();
        for row in plan.iter().flat_map(|(_, rows)| rows) {
            let program = row.contender.library.program;
            if program != NGHTTPD && peers.iter().all(|(name, _)| *name != program) {
                peers.push((program, get(program)?));
            }
        }
        Ok(Programs { load, floor, peers })
    }

    /// What failed with sheave is a failure; what failed with a peer is told in its row.
    fn report(&self, toolchain: &Toolchain, tables: &[(Workload, Vec<Row>)]) -> Outcome {
        let (machine, versions) = (toolchain.machine(), versions()?);
        let told: Vec<_> = versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        println!("Medians of {} interleaved rounds; the ratios are what counts. {machine}.\n", self.rounds);
        println!("{}\n", told.join(", "));
        for library in LIBRARIES.iter().filter(|library| !library.note.is_empty()) {
            println!("* {}: {}", library.name, library.note);
        }
        println!();
        let mut tally = Tally::default();
        for (workload, rows) in tables {
            print!("{}", report::table(workload, rows));
            for row in rows {
                if let Err(why) = &row.costs {
                    eprintln!("{}, {}: {why}", row.contender.title(), workload.title);
                    tally.failed += u64::from(row.contender.library.name == SHEAVE);
                }
            }
        }
        let path = programs::target().join("results.json");
        workspace::write(&path, &report::json(&machine, &versions, tables))?;
        println!("Every round: {}", path.display());
        Ok(tally)
    }
}

impl Row {
    /// One more round, unless an earlier one has failed.
    fn add(&mut self, measure: impl FnOnce(&Contender) -> Result<measure::Cost, String>) {
        let Ok(costs) = &mut self.costs else { return };
        match measure(&self.contender) {
            Ok(cost) => costs.push(cost),
            Err(why) => self.costs = Err(why),
        }
    }
}

/// The packages that are measured, and the versions that the lock file pins.
fn versions() -> Result<Vec<(String, String)>, String> {
    let lock = workspace::read(&programs::folder().join("Cargo.lock"))?;
    let mut packages: Vec<_> =
        LIBRARIES.iter().flat_map(|library| library.packages).chain(&["rustls", "tokio"]).collect();
    packages.sort_unstable();
    packages.dedup();
    let of = |package: &&str| {
        let version = programs::locked(&lock, package).ok_or(format!("{package} is not in the lock file"))?;
        Ok((package.to_string(), version))
    };
    packages.into_iter().map(of).collect()
}

/// An option's value: names with commas between them.
fn list(args: &mut lexopt::Parser) -> Result<Vec<String>, String> {
    let value = args.value().map_err(|error| error.to_string())?;
    Ok(value.to_string_lossy().split(',').map(|name| name.trim().to_owned()).collect())
}
