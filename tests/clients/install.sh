#!/bin/bash
# Installs the Flight SQL and PostgreSQL clients of other makers that the integration tests use: npm packages in this folder, Debian packages in the system.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/@lakehouse-rs/flight-sql-client-linux-x64-gnu ] && [ -d node_modules/knex ] ||
  npm install --no-save --no-audit --no-fund --loglevel=error # not "npm ci": one of the optional packages of other platforms was never published
if ! { command -v psql && command -v isql && [ -e /usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so ]; } >/dev/null; then
  SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
  $SUDO apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -q --no-install-recommends postgresql-client unixodbc odbc-postgresql >/dev/null
fi
