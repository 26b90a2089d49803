#!/bin/sh
# Writes docs/configuration.md from the settings in Sources/Shared/Settings.
set -eu
cd "$(dirname "$0")/.."
STEPWISE_WRITE_CONFIGURATION_PAGE=1 swift test --filter ConfigurationPageTests
git diff --stat -- docs/configuration.md
