//! Which cases go where, and what their outcomes mean.

use std::collections::HashMap;
use std::fmt;

use crate::Tally;

/// The cases that the suite itself only informs about; every other one has to be OK.
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// What came of the cases that were to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    expected: usize,
    informational: usize,
    pub(crate) failures: Vec<String>,
}

impl Evaluation {
    /// Holds the reported lines `case\tbehaviour\tclosing behaviour` against the cases that were asked for.
    pub(crate) fn new(expected: &[String], reported: &str) -> Self {
        let mut outcomes = HashMap::new();
        let mut failures = Vec::new();
        for line in reported.lines() {
            let mut fields = line.split('\t');
            match (fields.next(), fields.next(), fields.next(), fields.next()) {
                (Some(case), Some(behaviour), Some(close), None) => {
                    outcomes.insert(case, (behaviour, close));
                }
                _ => failures.push(format!("not a line of a report: {line:?}")),
            }
        }
        let mut informational = 0;
        for case in expected {
            let informs = INFORMATIONAL.contains(&case.as_str());
            let fine = |behaviour: &str| behaviour == "OK" || (informs && behaviour == "INFORMATIONAL");
            match outcomes.get(case.as_str()) {
                Some(("OK", "OK")) => {}
                Some((behaviour, close)) if fine(behaviour) && fine(close) => informational += 1,
                Some((behaviour, close)) => failures.push(format!("{case}: {behaviour}, closing {close}")),
                None => failures.push(format!("{case}: did not run")),
            }
        }
        Self { expected: expected.len(), informational, failures }
    }

    pub(crate) fn tally(&self) -> Tally {
        let failed = self.failures.len();
        Tally { passed: self.expected.saturating_sub(failed) as u64, failed: failed as u64, skipped: 0 }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { passed, failed, .. } = self.tally();
        write!(
            f,
            "{} cases, {passed} ok ({} informational), {failed} failed",
            self.expected, self.informational
        )
    }
}

/// Deals the cases out so that every share takes about the same time; each share keeps their order.
pub(crate) fn split(cases: &[String], shares: usize) -> Vec<Vec<String>> {
    let mut order: Vec<_> = (0..cases.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(milliseconds(&cases[at])));
    let mut dealt = vec![(0, Vec::new()); shares];
    for at in order {
        let (load, share) = dealt.iter_mut().min_by_key(|(load, _)| *load).expect("at least one share");
        *load += milliseconds(&cases[at]);
        share.push(at);
    }
    let in_order = |(_, mut share): (u64, Vec<usize>)| {
        share.sort_unstable();
        share.into_iter().map(|at| cases[at].clone()).collect()
    };
    dealt.into_iter().filter(|(_, share)| !share.is_empty()).map(in_order).collect()
}

/// About how long a case takes: a few wait on purpose, section 9 moves much data.
fn milliseconds(case: &str) -> u64 {
    let section = |section: &str| case.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    match case {
        "5.19" | "5.20" => 1000,
        "9.3.1" | "9.4.1" => 1300,
        _ if section("6.4") => 2000,
        _ if section("9") => 160,
        _ if section("12") || section("13") => {
            let size = case.rsplit('.').next().and_then(|size| size.parse::<usize>().ok());
            size.and_then(|size| COMPRESSED.get(size.wrapping_sub(1))).copied().unwrap_or(1000)
        }
        _ => 5,
    }
}

/// The same for the 18 cases of each subsection of 12 and 13.
const COMPRESSED: [u64; 18] =
    [700, 700, 900, 800, 1100, 1000, 1600, 2000, 4200, 7500, 1300, 1800, 2900, 5000, 9700, 7800, 8900, 7700];

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_ok_is_ok_and_only_three_cases_may_inform() {
        let reported = "\
1.1.1\tOK\tOK
3.2\tNON-STRICT\tOK
7.1.6\tINFORMATIONAL\tINFORMATIONAL
7.13.1\tINFORMATIONAL\tUNCLEAN
7.9.1\tOK\tWRONG CODE
7.9.2\tINFORMATIONAL\tOK
6.1.1\tUNIMPLEMENTED\tOK";
        let evaluation = Evaluation::new(&cases("1.1.1 3.2 7.1.6 7.13.1 7.9.1 7.9.2 6.1.1 10.1.1"), reported);
        assert_eq!(
            evaluation.failures,
            [
                "3.2: NON-STRICT, closing OK",
                "7.13.1: INFORMATIONAL, closing UNCLEAN",
                "7.9.1: OK, closing WRONG CODE",
                "7.9.2: INFORMATIONAL, closing OK",
                "6.1.1: UNIMPLEMENTED, closing OK",
                "10.1.1: did not run",
            ]
        );
        assert_eq!(evaluation.tally(), Tally { passed: 2, failed: 6, skipped: 0 });
        assert_eq!(evaluation.to_string(), "8 cases, 2 ok (1 informational), 6 failed");
    }

    #[test]
    fn an_empty_report_fails_every_case() {
        let evaluation = Evaluation::new(&cases("1.1.1 1.1.2"), "");
        assert_eq!(evaluation.tally(), Tally { passed: 0, failed: 2, skipped: 0 });
    }

    #[test]
    fn shares_are_balanced_complete_and_in_order() {
        let all = cases("1.1.1 1.1.2 2.1 6.4.1 6.4.2 9.1.1 9.1.2");
        let shares = split(&all, 2);
        assert_eq!(shares.len(), 2);
        let mut together = shares.concat();
        together.sort();
        assert_eq!(together, all);
        for share in &shares {
            assert!(share.is_sorted() && share.iter().any(|case| case.starts_with("6.4.")), "{shares:?}");
        }
        assert_eq!(split(&cases("1.1.1"), 2), [cases("1.1.1")]);
    }
}
