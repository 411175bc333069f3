//! The log conformance suite, run against every implementation.

mod memory {
    use connectors::memory::log::{MemoryCluster, MemoryLog};

    tests::log_conformance!(MemoryLog, MemoryCluster::new());
}

mod kafka {
    use connectors::kafka::{KafkaCluster, KafkaLog};

    tests::log_conformance!(
        KafkaLog,
        KafkaCluster::new(tests::harness::kafka().address())
    );
}
