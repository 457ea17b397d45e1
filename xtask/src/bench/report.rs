//! The results, as tables for people and as JSON for programs.

use std::fmt::Write as _;

use super::contenders::{Contender, FLOOR};
use super::measure::Cost;
use super::suites::{Kind, Workload};

/// What a contender came to under a workload.
pub(super) struct Row {
    pub(super) contender: Contender,
    /// Of each round, or why there is none.
    pub(super) costs: Result<Vec<Cost>, String>,
    /// System calls for each message, if they were counted.
    pub(super) calls: Option<f64>,
}

impl Row {
    /// Each number's median by itself.
    fn median(&self) -> Option<Cost> {
        let costs = self.costs.as_ref().ok().filter(|costs| !costs.is_empty())?;
        let of = |part: fn(&Cost) -> f64| middle(costs.iter().map(part).collect());
        Some(Cost {
            cpu: of(|cost| cost.cpu),
            bytes: of(|cost| cost.bytes),
            rate: of(|cost| cost.rate),
            latency: [of(|cost| cost.latency[0]), of(|cost| cost.latency[1]), of(|cost| cost.latency[2])],
        })
    }
}

/// The median.
fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

/// What a workload is ranked by.
fn score(workload: &Workload, cost: &Cost) -> f64 {
    match workload.kind {
        Kind::Idle => cost.bytes,
        Kind::Fairness => cost.latency[1],
        Kind::Echo | Kind::Open | Kind::Get | Kind::Client => cost.cpu,
    }
}

/// A markdown table, best first.
pub(super) fn table(workload: &Workload, rows: &[Row]) -> String {
    let mut ranked: Vec<_> = rows.iter().map(|row| (row, row.median())).collect();
    let place = |cost: &Option<Cost>| cost.map_or(f64::INFINITY, |cost| score(workload, &cost));
    ranked.sort_by(|(_, one), (_, other)| place(one).total_cmp(&place(other)));
    let columns = columns(workload);
    let mut text = format!("### {}/{}: {}\n\n| | writes |", workload.suite, workload.name, workload.title);
    for column in columns {
        let _ = write!(text, " {column} |");
    }
    text += "\n|---|---|";
    text += &"---:|".repeat(columns.len());
    text += "\n";
    for (row, cost) in &ranked {
        let writes = match workload.kind {
            Kind::Echo | Kind::Client if row.contender.batch => "joined",
            Kind::Echo | Kind::Client if workload.in_flight > 1 => "each",
            _ => "",
        };
        let _ = write!(text, "| {} | {writes} |", row.contender.title());
        let Some(cost) = cost else {
            let why = row.costs.as_ref().err().map_or("not measured", |why| why.lines().next().unwrap_or(""));
            let _ = writeln!(text, " failed: {why} |{}", " |".repeat(columns.len() - 1));
            continue;
        };
        for cell in cells(workload, row, cost, &ratios(workload, row, cost, rows)) {
            let _ = write!(text, " {cell} |");
        }
        text += "\n";
    }
    text + "\n"
}

fn columns(workload: &Workload) -> &'static [&'static str] {
    match workload.kind {
        Kind::Idle => &["bytes a socket", "÷ best peer"],
        Kind::Fairness => &["p50", "p99", "p99.9", "÷ best peer", "small messages/s"],
        Kind::Client => &["CPU a message", "÷ best peer", "messages/s"],
        _ if workload.deflate.is_some() => &[
            "CPU a message",
            "÷ best peer",
            "bytes a message",
            "messages/s",
            "calls a message",
            "p50",
            "p99",
        ],
        _ => &[
            "CPU a message",
            "÷ best peer",
            "÷ floor",
            "messages/s",
            "calls a message",
            "p50",
            "p99",
            "p99.9",
        ],
    }
}

/// To the best peer and to the floor.
fn ratios(workload: &Workload, row: &Row, cost: &Cost, rows: &[Row]) -> [Option<f64>; 2] {
    let best = |fits: &dyn Fn(&Contender) -> bool| {
        let fitting = rows.iter().filter(|other| fits(&other.contender)).filter_map(Row::median);
        let score = fitting.map(|cost| score(workload, &cost)).min_by(f64::total_cmp)?;
        Some(self::score(workload, cost) / score)
    };
    [best(&|other| row.contender.is_compared_with(other)), best(&|other| other.library.name == FLOOR)]
}

fn cells(workload: &Workload, row: &Row, cost: &Cost, ratios: &[Option<f64>; 2]) -> Vec<String> {
    let micros = |micros: f64| {
        if micros < 10.0 { format!("{micros:.2} µs") } else { format!("{micros:.1} µs") }
    };
    let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let calls = row.calls.map_or(String::new(), |calls| format!("{calls:.3}"));
    let rate = format!("{:.0}", cost.rate);
    let [p50, p99, p999] = cost.latency.map(micros);
    let [peer, floor] = ratios.map(ratio);
    match workload.kind {
        Kind::Idle => vec![format!("{:.0}", cost.bytes), peer],
        Kind::Fairness => vec![p50, p99, p999, peer, rate],
        Kind::Client => vec![micros(cost.cpu), peer, rate],
        _ if workload.deflate.is_some() => {
            vec![micros(cost.cpu), peer, format!("{:.1}", cost.bytes), rate, calls, p50, p99]
        }
        _ => vec![micros(cost.cpu), peer, floor, rate, calls, p50, p99, p999],
    }
}

/// The same, of every round, and what it was measured with.
pub(super) fn json(machine: &str, versions: &[(String, String)], tables: &[(Workload, Vec<Row>)]) -> String {
    let versions: Vec<_> =
        versions.iter().map(|(name, version)| format!("{}: {}", string(name), string(version))).collect();
    let rows: Vec<_> = tables
        .iter()
        .flat_map(|(workload, rows)| rows.iter().map(move |row| json_row(workload, row)))
        .collect();
    format!(
        "{{\n  \"machine\": {},\n  \"versions\": {{{}}},\n  \"rows\": [\n    {}\n  ]\n}}\n",
        string(machine),
        versions.join(", "),
        rows.join(",\n    ")
    )
}

fn json_row(workload: &Workload, row: &Row) -> String {
    let list = |part: &dyn Fn(&Cost) -> f64| {
        let costs = row.costs.as_deref().unwrap_or_default();
        format!("[{}]", costs.iter().map(|cost| number(part(cost))).collect::<Vec<_>>().join(", "))
    };
    format!(
        "{{\"suite\": {}, \"workload\": {}, \"library\": {}, \"joined_writes\": {}, \"level\": {}, \"error\": {}, \
         \"calls\": {}, \"cpu_us\": {}, \"bytes\": {}, \"messages_per_second\": {}, \"p50_us\": {}, \"p99_us\": {}, \
         \"p999_us\": {}}}",
        string(workload.suite),
        string(workload.name),
        string(row.contender.library.name),
        row.contender.batch,
        row.contender.level.map_or("null".to_owned(), |level| level.to_string()),
        row.costs.as_ref().err().map_or("null".to_owned(), |why| string(why)),
        row.calls.map_or("null".to_owned(), number),
        list(&|cost| cost.cpu),
        list(&|cost| cost.bytes),
        list(&|cost| cost.rate),
        list(&|cost| cost.latency[0]),
        list(&|cost| cost.latency[1]),
        list(&|cost| cost.latency[2]),
    )
}

/// JSON knows no number that is none.
fn number(number: f64) -> String {
    if number.is_finite() { format!("{number:.4}") } else { "null".to_owned() }
}

fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::super::contenders::LIBRARIES;
    use super::super::suites::WORKLOADS;
    use super::*;

    fn row(library: usize, batch: bool, cpu: f64) -> Row {
        let contender = Contender { library: &LIBRARIES[library], batch, level: None };
        Row { contender, costs: Ok(vec![Cost { cpu, ..Cost::default() }]), calls: None }
    }

    #[test]
    fn medians_are_of_each_number() {
        let cost = |number: f64| Cost { cpu: number, rate: 10.0 - number, ..Cost::default() };
        let mut row = row(0, false, 0.0);
        row.costs = Ok([3.0, 1.0, 9.0].map(cost).to_vec());
        assert_eq!(row.median(), Some(cost(3.0)));
        row.costs = Ok([3.0, 1.0].map(cost).to_vec());
        assert_eq!(row.median(), Some(cost(2.0)));
        row.costs = Err("it does not answer".to_owned());
        assert_eq!(row.median(), None);
    }

    #[test]
    fn each_way_is_compared_with_its_own() {
        let workload = &WORKLOADS[1];
        // sheave, the floor, two peers.
        let rows =
            [row(0, true, 1.0), row(0, false, 6.0), row(1, true, 0.5), row(2, true, 2.0), row(3, false, 4.0)];
        let ratios_of = |row: &Row| ratios(workload, row, &row.median().unwrap(), &rows);
        assert_eq!(ratios_of(&rows[0]), [Some(0.5), Some(2.0)]);
        assert_eq!(ratios_of(&rows[1]), [Some(1.5), Some(12.0)]);
    }

    #[test]
    fn a_table_is_ranked_and_says_who_failed() {
        let mut failed = row(2, false, 0.0);
        failed.costs = Err("it does not answer\nmore".to_owned());
        let rows = [failed, row(3, false, 4.0), row(0, false, 2.0)];
        let text = table(&WORKLOADS[0], &rows);
        let lines: Vec<_> = text.lines().skip(4).collect();
        assert!(lines[0].starts_with("| **sheave** |  | 2.00 µs | 0.50 |"), "{text}");
        assert!(lines[1].starts_with("| tokio-websockets |"), "{text}");
        assert!(lines[2].contains("failed: it does not answer |"), "{text}");
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(string("a \"b\"\n\\"), "\"a \\\"b\\\"\\u000a\\\\\"");
        assert_eq!(number(f64::NAN), "null");
    }
}
