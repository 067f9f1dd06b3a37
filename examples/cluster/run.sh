#!/usr/bin/env bash
# run.sh HEARTH MODEL [PORT [N]]: N servers (2) on the ports behind PORT (8080), and nginx on it; until Ctrl-C or SIGTERM.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 2 ] || { echo "usage: run.sh HEARTH MODEL [PORT [N]]" >&2; exit 2; }
hearth=$1 model=$2 port=${3:-8080} n=${4:-2}
command -v nginx >/dev/null || { echo "run.sh: nginx is missing (apt-get install nginx-light)" >&2; exit 1; }

folder=$(mktemp -d)
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 0' INT TERM

upstreams=
for i in $(seq "$n"); do
  "$hearth" serve "$model" --port $((port + i)) --log-level "${HEARTH_LOG_LEVEL:-info}" ${HEARTH_SERVE_OPTIONS:-} &
  pids+=($!)
  echo "server $i: port $((port + i)), process $!"
  upstreams+="    server 127.0.0.1:$((port + i)) max_fails=1 fail_timeout=5s;"$'\n'
done
config=$(<"$here/nginx.conf")
config=${config//@PORT@/$port}
config=${config//@FOLDER@/$folder}
printf '%s\n' "${config//@UPSTREAMS@/${upstreams%$'\n'}}" >"$folder/nginx.conf"
nginx -p "$folder" -e "$folder/error.log" -c "$folder/nginx.conf" &
pids+=($!)
echo "nginx: http://127.0.0.1:$port"
wait "${pids[-1]}"
