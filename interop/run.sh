#!/usr/bin/env bash
# Installs the other readers and lets them read what we write.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --loglevel=error
samples=$(mktemp -d)
trap 'rm -rf "$samples"' EXIT
go run ./cmd/samples "$samples"
node check.mjs "$samples/manifest.json"
