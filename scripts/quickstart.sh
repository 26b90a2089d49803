#!/usr/bin/env bash
# Installs missing packages, builds the programs, and runs `stepwise quickstart`, which fine-tunes the embedded model.
# The arguments are passed to it, for example `scripts/quickstart.sh --reward jpeg-compressibility --minutes 3`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
for program in stepwise stepwise-actor stepwise-reward-server stepwise-learner; do
  swift build --configuration release --product "$program"
done
exec "$(swift build --configuration release --show-bin-path)/stepwise" quickstart "$@"
