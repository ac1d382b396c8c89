#!/bin/sh
# Issues the object store's certificate from this host's issuer when it is missing, wrong or about
# to end, and has the running server serve it. --check only says what is wrong (exit 1).
set -eu
umask 077
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
ssl=/etc/minio/ssl
issuer=/etc/minio/issuer
. "$issuer/renewal.conf"

fault() {
  [ -s "$ssl/public.crt" ] && [ -s "$ssl/private.key" ] || { echo "the server certificate is missing"; return; }
  # By the chain in the file, as clients get it: after a new CA the issuer in there is an old one.
  openssl verify -purpose sslserver -CAfile "$ssl/CAs/ca.crt" -untrusted "$ssl/public.crt" "$ssl/public.crt" >/dev/null 2>&1 ||
    { echo "the server certificate does not come from the CA of the store, or has expired"; return; }
  [ "$(openssl x509 -in "$ssl/public.crt" -noout -pubkey)" = "$(openssl pkey -in "$ssl/private.key" -pubout 2>/dev/null)" ] ||
    { echo "the server certificate and key do not belong together"; return; }
  for name in $(echo "$NAMES" | tr , ' '); do
    case "$name" in
    DNS:*) answer=$(openssl x509 -in "$ssl/public.crt" -noout -checkhost "${name#DNS:}") ;;
    IP:*) answer=$(openssl x509 -in "$ssl/public.crt" -noout -checkip "${name#IP:}") ;;
    esac
    case "$answer" in *"does match"*) ;; *) echo "the server certificate lacks ${name#*:}"; return ;; esac
  done
  openssl x509 -in "$ssl/public.crt" -noout -checkend $((RENEW_BEFORE_DAYS * 86400)) >/dev/null ||
    { echo "the server certificate ends within $RENEW_BEFORE_DAYS days"; return; }
}

served() {
  openssl s_client -connect "127.0.0.1:$API_PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 2>/dev/null
}
# True when no server runs, or the running one shows the certificate that is in the file.
up_to_date() {
  systemctl is-active --quiet minio.service || return 0
  [ "$(served)" = "$(openssl x509 -in "$ssl/public.crt" -noout -fingerprint -sha256)" ]
}
# MinIO watches its files for writes only; a pair that was renamed into place needs the signal.
hand_over() {
  tries=30
  until up_to_date; do
    [ "$tries" -gt 0 ] || { echo "the server does not take its new certificate" >&2; exit 1; }
    [ $((tries % 10)) -ne 0 ] || systemctl kill --kill-who=main --signal=HUP minio.service
    tries=$((tries - 1))
    sleep 0.5
  done
}

found=$(fault)
if [ "${1:-}" = --check ]; then
  [ -z "$found" ] || { echo "$found"; exit 1; }
  up_to_date || { echo "the server shows another certificate than the one in its file"; exit 1; }
  # The issuer must outlive the next certificate; its own renewal is a run of the program.
  openssl x509 -in "$issuer/issuer.crt" -noout -checkend $(((LEAF_DAYS + RENEW_BEFORE_DAYS) * 86400)) >/dev/null ||
    { echo "the issuer of this host ends too soon to issue another certificate"; exit 1; }
  exit 0
fi
if [ -z "$found" ] && [ "${1:-}" != --force ]; then
  hand_over
  exit 0
fi
work=$(mktemp -d "$ssl/.renew.XXXXXX")
trap 'rm -rf "$work"' EXIT
openssl ecparam -name prime256v1 -genkey -noout -out "$work/private.key"
openssl req -new -key "$work/private.key" -sha256 -subj "/CN=object store" -out "$work/request.csr"
cat >"$work/extensions" <<EXTENSIONS
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=$NAMES
EXTENSIONS
openssl x509 -req -in "$work/request.csr" -CA "$issuer/issuer.crt" -CAkey "$issuer/issuer.key" -sha256 \
  -set_serial "0x$(openssl rand -hex 16 | sed 's/^./1/')" -days "$LEAF_DAYS" -extfile "$work/extensions" \
  -out "$work/leaf.crt" 2>"$work/log" || { tail -n 1 "$work/log" >&2; exit 1; }
cat "$work/leaf.crt" "$issuer/issuer.crt" >"$work/public.crt"
# The old one goes on being served when clients would refuse the new one.
openssl verify -purpose sslserver -CAfile "$ssl/CAs/ca.crt" -untrusted "$work/public.crt" "$work/public.crt" >"$work/log" 2>&1 ||
  { echo "the new certificate is not accepted: $(grep '^error' "$work/log" | head -n 1)" >&2; exit 1; }
chown "root:$SERVICE_USER" "$work/private.key" "$work/public.crt"
chmod 0640 "$work/private.key"
chmod 0644 "$work/public.crt"
sync "$work/private.key" "$work/public.crt"
# Key first: a server that reads in between skips a pair that does not match.
mv -f "$work/private.key" "$ssl/private.key"
mv -f "$work/public.crt" "$ssl/public.crt"
hand_over
echo "issued a certificate for $NAMES, valid $LEAF_DAYS days (${found:-forced})"
