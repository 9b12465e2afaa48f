#!/bin/bash
# Installs ClickHouse in process, which the benchmarks use as a peer, in this folder.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/@chdb/lib-linux-x64-gnu ] || npm install --no-save --no-audit --no-fund --loglevel=error # not "npm ci": the lock lacks optional packages of other platforms
