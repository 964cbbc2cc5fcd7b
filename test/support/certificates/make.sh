#!/bin/sh
# Makes the certificates of the tests anew (a hundred years each): no machine that runs the tests needs openssl.
# The keys protect nothing.
set -eu
cd "$(dirname "$0")"
rm -f ./*.crt ./*.key
EC='-newkey ec -pkeyopt ec_paramgen_curve:P-256'
DAYS='-days 36500'

authority() { # name, subject
  openssl req -x509 $EC -nodes $DAYS -subj "/CN=$2" -keyout "$1.key" -out "$1.crt"
}
signed() { # authority, name, common name, alternative names, kind of key, further arguments of the signature
  openssl req -new $5 -nodes -subj "/CN=$3" -keyout "$2.key" -out "$2.csr"
  printf 'subjectAltName=%s\n' "$4" > "$2.ext"
  openssl x509 -req -in "$2.csr" -out "$2.crt" $DAYS -extfile "$2.ext" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial $6
  rm -f "$2.csr" "$2.ext"
}
self() { # name, kind of key and signature
  openssl req -x509 -nodes $DAYS -subj "/CN=localhost" $2 -keyout "$1.key" -out "$1.crt"
}

authority ca 'Shardway test authority'
authority other-ca 'Another test authority'
LOCAL='DNS:localhost,IP:127.0.0.1'
signed ca server localhost "$LOCAL" "$EC" ''
signed ca renewed localhost "$LOCAL" "$EC" '-sha384'
signed ca elsewhere elsewhere.example 'DNS:elsewhere.example,IP:192.0.2.1' "$EC" ''
signed other-ca foreign localhost "$LOCAL" "$EC" ''
signed ca client-app app 'DNS:app' "$EC" ''
signed ca client-other other 'DNS:other' "$EC" ''
signed ca client-nobody nobody 'DNS:nobody' "$EC" ''
signed other-ca client-forged app 'DNS:app' "$EC" ''
self rsa-sha1 '-newkey rsa:2048 -sha1'
self rsa-sha512 '-newkey rsa:2048 -sha512'
self rsa-pss-sha384 '-newkey rsa:2048 -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32'
self ed25519 '-newkey ed25519'
rm -f ./*.srl
