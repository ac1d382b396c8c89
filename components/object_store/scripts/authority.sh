# The certificate authority of the store, born on this host and never leaving it in clear.
# Takes SITE, CA_DAYS, TOKEN; stdin: the escrow passphrase or an empty line.
# stdout: the CA certificate, then the key encrypted by the passphrase (if one was given).
IFS= read -r passphrase || passphrase=
ca="$STATE/ca"
install -d -m 0700 "$STATE"
if [ ! -s "$ca/ca.key" ]; then
  rm -rf "$ca.new"
  mkdir "$ca.new"
  openssl ecparam -name prime256v1 -genkey -noout -out "$ca.new/ca.key"
  openssl req -x509 -new -key "$ca.new/ca.key" -days "$CA_DAYS" -sha256 \
    -subj "/CN=Backstop $SITE object store CA" -out "$ca.new/ca.crt" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:1" -addext "keyUsage=critical,keyCertSign,cRLSign"
  rm -rf "$ca"
  mv "$ca.new" "$ca" # key and certificate appear together or not at all
fi
chown root:root "$ca/ca.key" "$ca/ca.crt"
chmod 0600 "$ca/ca.key" "$ca/ca.crt"
cat "$ca/ca.crt"
if [ -n "$passphrase" ]; then
  printf '%s\n' "$passphrase" | openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in "$ca/ca.key" -passout stdin
fi
printf 'file %s\nfile %s\n' "$ca/ca.key" "$ca/ca.crt" | seal minio-authority "$TOKEN"
