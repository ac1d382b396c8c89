# Environment file, units, activation: switches to the wanted server, and back if it is not healthy.
# Takes SHA256, VERSION, SERVICE_USER, API_PORT, HEALTH_SECONDS, ENVIRONMENT (no secrets),
# SERVICE_UNIT, HARDENING, TOKEN; stdin: root user, root password.
IFS= read -r root_user
IFS= read -r root_password
unit=/etc/systemd/system/minio.service
dropin=/etc/systemd/system/minio.service.d/hardening.conf
environment="$CONFIG/minio.conf"
link=/usr/local/bin/minio
previous="$STATE/minio-previous"
wanted="/opt/backstop/minio/$SHA256/minio"
running=/run/backstop-minio # what the running process was started with; gone after a reboot

fingerprint() {
  { readlink "$link"; cat "$environment" "$unit" "$dropin"; systemctl show -p MainPID --value minio.service; } 2>/dev/null | sha256sum
}
former=0 # the process that a restart must replace, or its answers would be taken for the new one's
main_pid() { systemctl show -p MainPID --value minio.service; }
healthy() {
  stopping=$(($(date +%s) + 330))
  while [ "$former" != 0 ] && [ "$(main_pid)" = "$former" ] && [ "$(date +%s)" -lt "$stopping" ]; do sleep 0.2; done
  deadline=$(($(date +%s) + HEALTH_SECONDS))
  while [ "$(date +%s)" -lt "$deadline" ]; do
    if [ "$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' \
      --cacert "$CONFIG/ssl/CAs/ca.crt" "https://127.0.0.1:$API_PORT/minio/health/cluster")" = 200 ]; then
      return 0
    fi
    [ "$(systemctl is-failed minio.service)" != failed ] || return 1
    sleep 1
  done
  return 1
}
running_version() {
  pid=$(main_pid)
  # The first word is the name it was called by, which here is "exe".
  [ "$pid" -gt 0 ] && "/proc/$pid/exe" --version 2>&1 | head -n 1 | sed 's/^[^ ]* version //'
}
restart() {
  systemctl daemon-reload
  systemctl reset-failed minio.service 2>/dev/null || :
  former=$(main_pid)
  # Several hosts wait for each other when they start, so the gate below is what counts.
  systemctl restart --no-block minio.service
}
last_words() {
  # What the server itself said; systemd's own lines come by another transport.
  journalctl --unit minio.service _TRANSPORT=stdout --lines 30 --no-pager --output cat 2>/dev/null |
    grep -v '^[[:space:]]*$' | tail -n 1 | cut -c1-200
}

if ! systemctl is-active --quiet minio.service && [ -n "$(ss -ltnH "sport = :$API_PORT")" ]; then
  fail "port $API_PORT is taken by another program: end it, or choose another objectStore.apiPort"
fi
mkdir -p "${dropin%/*}" "$previous"
chmod 0755 "${dropin%/*}"
# The last state that passed the gate is kept, so that a failing one can be undone.
if [ -e "$running" ] && [ "$(cat "$running")" = "$(fingerprint)" ]; then
  cp -p "$environment" "$unit" "$dropin" "$previous/"
  readlink "$link" >"$previous/link"
fi
{ printf '%s\n' "$ENVIRONMENT"; printf 'MINIO_ROOT_USER="%s"\nMINIO_ROOT_PASSWORD="%s"\n' "$root_user" "$root_password"; } |
  put_file 0600 root:root "$environment"
printf '%s' "$SERVICE_UNIT" | put_file 0644 root:root "$unit"
printf '%s' "$HARDENING" | put_file 0644 root:root "$dropin"
ln -sfn "$wanted" "$link.backstop-new"
mv -fT "$link.backstop-new" "$link"

if [ ! -e "$running" ] || [ "$(cat "$running")" != "$(fingerprint)" ] || ! systemctl is-active --quiet minio.service; then
  systemd-analyze verify "$unit" >/dev/null 2>"$STATE/verify.log" || fail "the unit is refused: $(head -n 1 "$STATE/verify.log")"
  restart
fi
version=
if healthy; then version=$(running_version); fi
case "$version" in
*"$VERSION"*) ;;
*)
  words=$(last_words)
  if [ ! -s "$previous/link" ]; then
    systemctl stop --no-block minio.service
    fail "the server $VERSION did not become healthy in $HEALTH_SECONDS s and was stopped; its last line: $words"
  fi
  old=$(cat "$previous/link")
  cp -p "$previous/minio.conf" "$environment"
  cp -p "$previous/minio.service" "$unit"
  cp -p "$previous/hardening.conf" "$dropin"
  ln -sfn "$old" "$link.backstop-new"
  mv -fT "$link.backstop-new" "$link"
  restart
  if healthy; then
    fingerprint >"$running"
    fail "the server $VERSION did not become healthy in $HEALTH_SECONDS s; back on $(running_version); its last line: $words"
  fi
  fail "neither the server $VERSION nor the one before became healthy; see: journalctl -u minio; last line: $words" ;;
esac
systemctl enable --quiet minio.service
fingerprint >"$running"
seal minio-server "$TOKEN" <<SEAL
file $environment
file $unit
file $dropin
check test "\$(readlink $link)" = "$wanted" || { echo "$link points elsewhere"; exit 1; }
unit minio.service
SEAL
printf '%s\n' "$version"
