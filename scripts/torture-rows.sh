#!/usr/bin/env bash
# The fault table row by row: `stepwise-torture` with one kind of fault per row, for MINUTES (default 5) each, with all
# accounts in FOLDER (default torture-rows). AT_ONCE rows (default 1) run at the same time; they mostly wait. Exits with
# status 1 when a guarantee was broken.
#
#   scripts/torture-rows.sh [MINUTES [FOLDER]]
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${1:-5}"
folder="${2:-torture-rows}"
at_once="${AT_ONCE:-1}"
mkdir -p "$folder"
swift build --configuration release --product stepwise-torture
torture() {
  local name=$1
  shift
  .build/release/stepwise-torture --minutes "$minutes" --json "$folder/$name.json" "$@" >"$folder/$name.txt" 2>&1 ||
    touch "$folder/bad"
}
rm -f "$folder/bad"
running=0
while read -r name arguments; do
  # In the table below, "-of-" joins the two words of a fault.
  read -r -a words <<<"$arguments"
  torture "$name" "${words[@]//-of-/ }" &
  running=$((running + 1))
  if [ "$running" -ge "$at_once" ]; then
    wait -n
    running=$((running - 1))
  fi
done <<'ROWS'
learner-killed --pause 1 --only kill-of-learner
learner-ended --pause 2 --only terminate-of-learner
actors-killed --pause 0.5 --only kill-of-actor
servers-and-routers-killed --pause 1 --only kill-of-reward-server kill-of-router --reward-servers 4
stopped-15-s --pause 20 --only pause --stop 15
slow-actor-60-s --pause 60 --only pause-of-actor --stop 60
connections --pause 1 --only cut hold
twins --pause 8 --only twin
full-disk --pause 10 --only full-of-disk-of-learner torn-of-tail-of-learner
ROWS
wait
for row in "$folder"/*.txt; do
  echo "$(basename "$row" .txt)"
  sed 's/^/  /' "$row"
done
[ ! -e "$folder/bad" ]
