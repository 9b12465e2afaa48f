#!/bin/bash
# Installs the Flight SQL client of another maker that the integration tests use, in this folder.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/@lakehouse-rs/flight-sql-client-linux-x64-gnu ] ||
  npm install --no-save --no-audit --no-fund --loglevel=error # not "npm ci": one of the optional packages of other platforms was never published
