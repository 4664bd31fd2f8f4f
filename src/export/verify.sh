#!/bin/sh
# Checks a stella bundle without stella.   usage: sh verify.sh KEY.pub [DIR]
# exit: 0 good, 1 not good, 2 cannot check.   needs: jq, openssl (Ed25519 keys: OpenSSL 3), base64, find, sha256sum or shasum
# Checked are the signature over manifest.json, every file it lists, and for directory bundles every payload file.
# Nothing of the caller's environment may lead elsewhere: cd looks into CDPATH, words are split by IFS, shells read ENV.
unset CDPATH IFS ENV BASH_ENV GREP_OPTIONS POSIXLY_CORRECT
unset -f cd command jq openssl base64 find sha256sum shasum grep cut sort cmp sed head cat wc mktemp rm printf 2>/dev/null
set -u
LC_ALL=C
export LC_ALL
umask 077

bad() { echo "verify.sh: NOT GOOD: $*" >&2; exit 1; }
cannot() { echo "verify.sh: cannot check: $*" >&2; exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }

for tool in jq openssl base64 find; do
  have "$tool" || cannot "$tool is not installed"
done
if have sha256sum; then
  sum() { sha256sum "$@"; }
elif have shasum; then
  sum() { shasum -a 256 "$@"; }
else
  cannot "sha256sum and shasum are not installed"
fi
[ $# -ge 1 ] && [ -r "$1" ] || cannot "usage: sh verify.sh KEY.pub [DIR]"
case $1 in /*) key=$1 ;; *) key=$PWD/$1 ;; esac
openssl pkey -pubin -in "$key" -noout 2>/dev/null || cannot "$1 is not a public key"
# `cd -` would go back to where OLDPWD says.
case ${2:-.} in -*) dir=./$2 ;; *) dir=${2:-.} ;; esac
cd -- "$dir" >/dev/null || cannot "no directory $dir"
tmp=$(mktemp -d) || cannot "no temporary directory"
trap 'rm -rf "$tmp"' EXIT
# macOS before 13 knows -D alone.
decode=-d
base64 -d </dev/null >/dev/null 2>&1 || decode=-D

# Checks the digests in a list. What lines do not have its form is skipped by some tools, so it is looked for first.
check() {
  [ -s "$1" ] || return 1
  if grep -Evq '^[0-9a-f]{64}  .' "$1"; then return 1; fi
  sum -c "$1" >"$tmp/checked" 2>&1 && return 0
  grep -v ': OK$' "$tmp/checked" >&2
  return 1
}

attestation=manifest.json.sigstore.json
[ -f manifest.json ] && [ -f $attestation ] || bad "manifest.json or its attestation is missing"

# 1. One DSSE envelope with one signature, over exactly these bytes, by the key that was given.
jq -es 'length == 1 and (.[0].dsseEnvelope
  | .payloadType == "application/vnd.in-toto+json" and (.signatures | length) == 1)' \
  $attestation >/dev/null 2>&1 || bad "the attestation is not one DSSE envelope with one signature"
jq -r .dsseEnvelope.payload $attestation | base64 $decode >"$tmp/statement" 2>/dev/null &&
  jq -r '.dsseEnvelope.signatures[0].sig' $attestation | base64 $decode >"$tmp/sig" 2>/dev/null ||
  bad "the attestation is not base64"
{
  printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c <"$tmp/statement")"
  cat "$tmp/statement"
} >"$tmp/signed"
if openssl pkey -pubin -in "$key" -noout -text 2>/dev/null | grep -qi ed25519; then
  case $(openssl version) in
    "OpenSSL "[012].* | LibreSSL*) cannot "Ed25519 keys need OpenSSL 3" ;;
  esac
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$tmp/signed" -sigfile "$tmp/sig" >/dev/null 2>&1
else
  openssl dgst -sha256 -verify "$key" -signature "$tmp/sig" "$tmp/signed" >/dev/null 2>&1
fi || bad "the signature is not by $1"

# 2. The statement is about this manifest.
digest=$(sum <manifest.json | cut -c1-64)
jq -es --arg digest "$digest" 'length == 1 and (.[0]
  | ._type == "https://in-toto.io/Statement/v1"
    and .predicateType == "https://slsa.dev/provenance/v1"
    and ([.subject[] | select(.name == "manifest.json").digest.sha256] == [$digest]))' \
  "$tmp/statement" >/dev/null 2>&1 || bad "the attestation is for another manifest"

# 3. Every file that the manifest lists is the one that was signed.
jq -r '.files[] | "\(.sha256)  \(.path)"' manifest.json >"$tmp/list" || bad "manifest.json cannot be read"
check "$tmp/list" || bad "files differ from the manifest"

# 4. A directory bundle: every payload file is the one in the index, and there are no others.
if [ "$(jq -r .payload.layout manifest.json)" = directory ]; then
  (cd payload && check ../SHA256SUMS) || bad "the payload differs from SHA256SUMS"
  [ -z "$(find payload ! -type f ! -type d | head -n 1)" ] || bad "payload/ has something that is no file"
  find payload -type f | sed 's,^payload/,,' | sort >"$tmp/found"
  cut -c67- SHA256SUMS | cmp -s - "$tmp/found" || bad "payload/ has files that SHA256SUMS does not list"
fi
echo "GOOD: $(jq -r '"\(.profile) of \(.created), \(.payload.files) payload files"' manifest.json), manifest sha256 $digest"
