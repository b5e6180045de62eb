#!/usr/bin/env bash
# Installs the other readers, lets them read what we write, and compares what both read of files with odd columns.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --loglevel=error
samples=$(mktemp -d)
trap 'rm -rf "$samples"' EXIT
go run ./cmd/samples "$samples"
node check.mjs "$samples/manifest.json"
mkdir "$samples/odd"
node odd.mjs "$samples/odd"
