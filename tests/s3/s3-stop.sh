#!/bin/bash
# usage: s3-stop.sh DIR [SIGNAL]
# Ends the object store that s3-start.sh started in DIR, by the process ids it wrote there. KILL is quick, for a DIR that is thrown away.
for name in client.rgw osd.0 mon.a; do
  pid=$(cat "$1/run/$name.pid" 2>/dev/null) && kill "-${2:-TERM}" "$pid" 2>/dev/null && tail -s 0.05 --pid="$pid" -f /dev/null
done
exit 0
