#!/bin/bash
# Installs the object store that the tests run against (Ceph RADOS Gateway), unless it is there.
set -eu
command -v radosgw >/dev/null && command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null && exit 0
SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
$SUDO apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -q --no-install-recommends radosgw ceph-mon ceph-osd >/dev/null
