#!/bin/bash
# usage: s3-start.sh DIR PORT [memstore|bluestore] [ACCESS SECRET]
# Starts an object store of its own in DIR (absolute and short: sockets live in it) on PORT; PORT+1 and PORT+2 are used too.
set -eu
D=$1; PORT=$2; STORE=${3:-memstore}; AK=${4:-lakeadmin}; SK=${5:-lakesecret123}
export CEPH_CONF=$D/ceph.conf
NEW=; [ -f "$CEPH_CONF" ] || NEW=1
MON="[v2:127.0.0.1:$((PORT + 1)),v1:127.0.0.1:$((PORT + 2))]"

if [ $NEW ]; then
  mkdir -p "$D"/{mon,osd,run,log}
  FSID=$(cat /proc/sys/kernel/random/uuid)
  # Without 'ms mon client mode' the gateway hangs, without 'tcp_nodelay' every answer takes 45 ms, without the paxos lines a start takes 13 s.
  cat > "$CEPH_CONF" <<C
[global]
fsid = $FSID
mon host = $MON
public network = 127.0.0.0/8
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
run dir = $D/run
admin socket = $D/run/\$name.asok
pid file = $D/run/\$name.pid
log file = $D/log/\$name.log
[mon.a]
mon data = $D/mon
mon data avail crit = 0
mon cluster log file = $D/log/cluster.log
[osd.0]
osd data = $D/osd
osd objectstore = $STORE
memstore device bytes = 4294967296
bluestore block size = 10737418240
[client.rgw]
keyring = $D/keyring
rgw frontends = beast endpoint=127.0.0.1:$PORT tcp_nodelay=1
rgw dns name = localhost
rgw thread pool size = 64
rgw gc obj min wait = 5
rgw gc processor period = 5
debug rgw = 0
C
  monmaptool --create --clobber --fsid "$FSID" --addv a "$MON" "$D/monmap" >/dev/null
  ceph-mon --id a --mkfs --monmap "$D/monmap" --keyring /dev/null
  touch "$D/mon/keyring"
fi

ceph-mon --id a
if [ $NEW ]; then
  ceph osd create >/dev/null
  ceph osd crush add osd.0 1 root=default host=localhost >/dev/null 2>&1
  ceph-osd --id 0 --mkfs >/dev/null 2>&1
  ceph auth get-or-create client.rgw mon 'allow rw' osd 'allow rwx' -o "$D/keyring"
fi
ceph-osd --id 0 >/dev/null 2>&1
radosgw -n client.rgw
for _ in $(seq 600); do (: < "/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break; sleep 0.05; done
[ -z "$NEW" ] || radosgw-admin user create --uid=lake --display-name=lake --access-key="$AK" --secret-key="$SK" >/dev/null
