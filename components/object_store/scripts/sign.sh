# Signs one host's issuer with the CA. Runs where the CA's key lives: on the CA's host, or on the
# operator's machine, where key and certificate come by stdin before the request.
# Takes CA_HOME, ISSUER_DAYS, CONSTRAINTS (the names and addresses that the issuer may certify).
set -eu
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
key_text=
if [ "$CA_HOME" = host ]; then
  key="$STATE/ca/ca.key" certificate="$STATE/ca/ca.crt"
else
  # The key stays in memory: a killed run would leave a file behind.
  key=/dev/stdin certificate="$work/ca.crt"
  while IFS= read -r line && [ "$line" != "--" ]; do
    key_text="$key_text$line
"
  done
  while IFS= read -r line && [ "$line" != "--" ]; do printf '%s\n' "$line"; done >"$certificate"
fi
cat >"$work/request.csr"
cat >"$work/extensions" <<EXTENSIONS
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
nameConstraints=critical,$CONSTRAINTS
EXTENSIONS
printf '%s' "$key_text" | openssl x509 -req -in "$work/request.csr" -CA "$certificate" -CAkey "$key" -sha256 \
  -set_serial "0x$(openssl rand -hex 16 | sed 's/^./1/')" -days "$ISSUER_DAYS" -extfile "$work/extensions" 2>"$work/log" ||
  { echo "signing the issuer failed: $(tail -n 1 "$work/log")" >&2; exit 1; }
