//! How numbers are made known to Prometheus.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry, exponential_buckets,
};

/// The bounds 1, 2, 4 and so on.
pub fn powers(count: usize) -> Vec<f64> {
    exponential_buckets(1.0, 2.0, count).expect("a valid range")
}

pub fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    counters_by(registry, name, help, &[label])
}

pub fn counters_by(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

pub fn gauges(registry: &Registry, name: &str, help: &str) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), &["model"]))
}

pub fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
}

pub fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("names and labels are constant and valid");
    registry.register(Box::new(collector.clone())).expect("each name is registered once");
    collector
}
