//! The time that each case takes: `cargo bench --package bench_micro`.

#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn cases(criterion: &mut Criterion) {
    for case in bench_micro::cases() {
        let mut group = criterion.benchmark_group(case.name);
        group.throughput(Throughput::Elements(case.units()));
        group.bench_function(case.unit, |bencher| {
            let mut work = case.start();
            bencher.iter_custom(|passes| {
                let start = Instant::now();
                work(passes);
                start.elapsed()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, cases);
criterion_main!(benches);
