#!/usr/bin/env bash
# Installs what is missing, builds everything in release mode, runs every test, those of the Python package first.
# Arguments go to `swift test`, as `scripts/test.sh --filter GoldenTests`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
# Debian's own interpreter: it has the packages that install.sh put there.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=python /usr/bin/python3 -m unittest discover --start-directory python/tests
swift build --configuration release --build-tests
swift test --configuration release --skip-build "$@"
