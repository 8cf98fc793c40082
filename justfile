# Common tasks by one word; each is a plain command that works without `just` too.

[private]
default:
    @just --list

# Build the broker as it is shipped
build:
    cargo build --release

# Serve on the default ports of this machine
run *arguments:
    cargo run --release -- {{arguments}}

# All tests, with the real clients they need
test:
    tests/run

# What must be clean before a change goes in
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

# Licences, advisories, bans and sources of the dependencies
deny:
    cargo deny check

# Micro-benchmarks of codecs and core
bench:
    cargo bench --workspace

# The broker beside mosquitto, RabbitMQ and ActiveMQ
peers *arguments:
    benches/peers/run {{arguments}}

# The load program alone
load *arguments:
    cargo run --release -p wharfmq-load -- {{arguments}}

# Fuzz targets, each for so many seconds
fuzz seconds="60" *targets:
    tests/fuzz/run {{seconds}} {{targets}}
