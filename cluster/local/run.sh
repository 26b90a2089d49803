#!/usr/bin/env bash
# Runs every role of one YAML on this machine, each in a process of its own: a router, reward servers, the learner and
# actors. Ends when the learner does, or on Ctrl-C or SIGTERM, or when a role fails; always in order, and with the
# exit status of what failed. For a supervised run with a live display use `stepwise run` or `stepwise quickstart`.
#
#   cluster/local/run.sh configs/emoji-sdpo-alignment.yaml [--set training.epochs=3 ...]
#
# ACTORS (2) and SERVERS (2) are their numbers, LOGS (runs/local/logs) is where each role's log goes, BIN
# (.build/release) is where the programs are. RESUME=1 goes on with the run that the folder holds.
set -u

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
bin="${BIN:-$here/.build/release}"
logs="${LOGS:-runs/local/logs}"
actors="${ACTORS:-2}"
servers="${SERVERS:-2}"

if [ $# -lt 1 ] || [ ! -r "$1" ]; then
  echo "usage: $0 CONFIG.yaml [--set SECTION.KEY=VALUE ...]: expected a readable YAML file, found '${1:-nothing}'" >&2
  exit 64
fi
for program in stepwise-reward-server stepwise-learner stepwise-actor; do
  if [ ! -x "$bin/$program" ]; then
    echo "$bin/$program: expected the built program; run 'swift build -c release' in $here, or set BIN" >&2
    exit 69
  fi
done
mkdir -p "$logs" || exit 73
config="$1"
shift
common=(--config "$config" "$@")

declare -A pids=() # role -> process id
start() { # role, command...
  local role="$1"
  shift
  "$@" >"$logs/$role.log" 2>&1 &
  pids[$role]=$!
  echo "$role: process ${pids[$role]}, log $logs/$role.log"
}

# Ends the roles whose names begin with $1, all at once, and waits for them.
stop() {
  local role waiting=()
  for role in "${!pids[@]}"; do
    [[ $role == "$1"* ]] || continue
    kill -TERM "${pids[$role]}" 2>/dev/null
    waiting+=("${pids[$role]}")
    unset "pids[$role]"
  done
  [ ${#waiting[@]} -eq 0 ] || wait "${waiting[@]}" 2>/dev/null
}

# Actors first, so that what they have made is still taken in and acknowledged; then the learner, which writes its
# checkpoint; then those who score.
stop_all() {
  stop actor
  stop learner
  stop server
  stop router
}

stopping=0
trap 'stopping=1; echo "stopping" >&2; stop_all; exit 130' INT
trap 'stopping=1; echo "stopping" >&2; stop_all; exit 143' TERM

start router "$bin/stepwise-reward-server" route "${common[@]}"
for ((i = 1; i <= servers; i++)); do
  start "server-$i" "$bin/stepwise-reward-server" serve "${common[@]}" --name "server-$i"
done
start learner "$bin/stepwise-learner" "${common[@]}" ${RESUME:+--resume}
for ((i = 1; i <= actors; i++)); do
  start "actor-$i" "$bin/stepwise-actor" "${common[@]}" --name "actor-$i"
done

# The first role to end decides: the learner's or an actor's good end is the run's; anything else is a failure.
status=0
while [ ${#pids[@]} -gt 0 ]; do
  wait -n -p ended "${pids[@]}"
  code=$?
  role=""
  for name in "${!pids[@]}"; do
    [ "${pids[$name]}" = "${ended:-}" ] && role="$name"
  done
  [ -n "$role" ] || continue
  unset "pids[$role]"
  if [ $code -ne 0 ]; then
    echo "$role ended with status $code:" >&2
    tail -n 5 "$logs/$role.log" >&2
    status=$code
    break
  fi
  if [ "$role" = learner ]; then
    echo "the learner has finished"
    break
  fi
done
# A finished learner has told the actors; they end by themselves, and a signal does no harm.
stop_all
exit $status
