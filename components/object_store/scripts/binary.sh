# Installs the server's executable under its checksum; nothing runs it yet.
# Takes SHA256, VERSION, and either UPLOAD (a file put there) or URL; TOKEN.
target="/opt/backstop/minio/$SHA256/minio"
digest() { sha256sum <"$1" | cut -c1-64; }
if [ ! -x "$target" ] || [ "$(digest "$target")" != "$SHA256" ]; then
  install -d -m 0755 "/opt/backstop/minio" "${target%/*}"
  new="$target.backstop-new"
  if [ -n "$URL" ]; then
    # An error page must not be taken for a damaged file, so the status is judged first.
    curl --fail --silent --show-error --location --proto =https --retry 3 --max-time 900 \
      --output "$new" "$URL" || fail "objectStore.binary.url: $URL could not be fetched"
  else
    [ -f "$UPLOAD" ] || fail "$UPLOAD is not there: run the update again, it is copied anew"
    cp "$UPLOAD" "$new" || fail "cannot copy the server to ${target%/*}: is the disk full?"
  fi
  found=$(digest "$new")
  if [ "$found" != "$SHA256" ]; then
    rm -f "$new"
    fail "objectStore.binary.sha256: the server's checksum is $found, the config says $SHA256"
  fi
  chown root:root "$new"
  chmod 0755 "$new"
  sync "$new"
  mv -f "$new" "$target"
fi
chown root:root "$target"
chmod 0755 "${target%/*}" "$target"
[ -z "$UPLOAD" ] || rm -f "$UPLOAD"
case "$("$target" --version 2>&1 | head -n 1)" in
*"$VERSION"*) ;;
*) fail "objectStore.binary.version: the server says $("$target" --version 2>&1 | head -n 1), the config says $VERSION" ;;
esac
printf 'file %s\n' "$target" | seal minio-binary "$TOKEN"
