#!/usr/bin/env bash
# Installs what is missing, builds the programs and makes the embedded model's pictures better: see `stepwise quickstart`.
# Arguments go to it, as `scripts/quickstart.sh --reward jpeg-compressibility --minutes 3`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh
for program in stepwise stepwise-actor stepwise-reward-server stepwise-learner; do
  swift build --configuration release --product "$program"
done
exec "$(swift build --configuration release --show-bin-path)/stepwise" quickstart "$@"
