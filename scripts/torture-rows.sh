#!/usr/bin/env bash
# The fault table row by row: `stepwise torture` with one kind of fault alone, MINUTES (5) each, all accounts in FOLDER
# (torture-rows). Rows run AT_ONCE (1) beside each other; they mostly wait. Ends with 1 when any promise was broken.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${1:-5}"
folder="${2:-torture-rows}"
at_once="${AT_ONCE:-1}"
mkdir -p "$folder"
swift build --configuration release --product stepwise
torture() {
  local name=$1
  shift
  .build/release/stepwise torture --minutes "$minutes" --json "$folder/$name.json" "$@" >"$folder/$name.txt" 2>&1 ||
    touch "$folder/bad"
}
rm -f "$folder/bad"
running=0
while read -r name arguments; do
  # The words of a fault are joined by -of- here.
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
servers-and-routers-killed --pause 1 --only kill-of-rewardServer kill-of-router --reward-servers 4
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
