#!/bin/sh
# Writes Sources/Shared/CMessages from proto/stepwise.proto with protobuf-c's compiler.
#   scripts/generate-messages.sh           writes
#   scripts/generate-messages.sh --check   fails when what is committed differs from what would be written
set -eu
cd "$(dirname "$0")/.."
target=Sources/Shared/CMessages
if ! command -v protoc-c >/dev/null; then
  echo "generate-messages: protoc-c is missing; install the Debian package protobuf-c-compiler" >&2
  exit 1
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protoc-c --c_out="$fresh" --proto_path=proto proto/stepwise.proto
case "${1:-}" in
  --check)
    if ! diff -u "$target/include/stepwise.pb-c.h" "$fresh/stepwise.pb-c.h" ||
      ! diff -u "$target/stepwise.pb-c.c" "$fresh/stepwise.pb-c.c"; then
      echo "generate-messages: $target is not what proto/stepwise.proto gives; run scripts/generate-messages.sh" >&2
      exit 1
    fi
    ;;
  "")
    mkdir -p "$target/include"
    mv "$fresh/stepwise.pb-c.h" "$target/include/"
    mv "$fresh/stepwise.pb-c.c" "$target/"
    ;;
  *)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
