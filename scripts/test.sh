#!/usr/bin/env bash
# Installs missing packages, builds everything in release mode and runs all tests, those of the Python package first.
# The arguments are passed to `swift test`, for example `scripts/test.sh --filter GoldenTests`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
# The Python of Debian has the packages that install.sh installs.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=python /usr/bin/python3 -m unittest discover --start-directory python/tests
swift build --configuration release --build-tests
swift test --configuration release --skip-build "$@"
