#!/bin/sh
# Generates code from proto/stepwise.proto: Sources/Shared/CMessages with the compiler of protobuf-c, and
# python/stepwise_rewards/stepwise_pb2.py with the compiler of protobuf.
#   scripts/generate-messages.sh           writes the files
#   scripts/generate-messages.sh --check   fails when the committed files differ from the generated ones
set -eu
cd "$(dirname "$0")/.."
for compiler in protoc-c:protobuf-c-compiler protoc:protobuf-compiler; do
  if ! command -v "${compiler%%:*}" >/dev/null; then
    echo "generate-messages: ${compiler%%:*} is missing; install the Debian package ${compiler##*:}" >&2
    exit 1
  fi
done
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protoc-c --c_out="$fresh" --proto_path=proto proto/stepwise.proto
protoc --python_out="$fresh" --proto_path=proto proto/stepwise.proto
generated="stepwise.pb-c.h:Sources/Shared/CMessages/include stepwise.pb-c.c:Sources/Shared/CMessages
  stepwise_pb2.py:python/stepwise_rewards"
case "${1:-}" in
  --check)
    for pair in $generated; do
      if ! diff -u "${pair##*:}/${pair%%:*}" "$fresh/${pair%%:*}"; then
        echo "generate-messages: ${pair##*:} does not match proto/stepwise.proto; run scripts/generate-messages.sh" >&2
        exit 1
      fi
    done
    ;;
  "")
    for pair in $generated; do
      mkdir -p "${pair##*:}"
      mv "$fresh/${pair%%:*}" "${pair##*:}/"
    done
    ;;
  *)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
