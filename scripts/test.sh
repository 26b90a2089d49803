#!/usr/bin/env bash
# Installs what is missing, builds everything in release mode, runs every test. Arguments go to `swift test`,
# as `scripts/test.sh --filter GoldenTests`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
swift build --configuration release --build-tests
swift test --configuration release --skip-build "$@"
