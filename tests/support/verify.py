#!/usr/bin/env python3
"""Verifies a stella bundle: written from src/docs/format.md alone, to test that page.
usage: verify.py KEY.pub DIR [VOLUMES ...]   needs openssl and zstd; exits with the verdict"""
import base64, datetime, hashlib, json, os, re, stat, subprocess, sys, tempfile, unicodedata

CHUNK, TAR = 4 << 20, "application/vnd.stella.bundle.archive.v1.tar"
OWN = ["manifest.json"] + ["manifest.json." + end for end in ("sigstore.json", "hmac.json", "old")]
CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
                     "\ufff9-\ufffd\ud800-\udfff\U000e0000-\U000e007f\\\\:*?\"<>|]")
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]|conin\$|conout\$) *(\.|$)", re.I | re.A)
found, key, dirs = [], sys.argv[1], sys.argv[2:]

def note(code, text): found.append(code) or print(f"[{code}] {ascii(text)}")
def stop(*finding):
    if finding: note(*finding)
    sys.exit(next((code for code in (3, 4, 9, 8, 7, 10, 6, 5) if code in found), 0))
def sha(data): return hashlib.sha256(data).hexdigest()
def folded(name): return unicodedata.normalize("NFKC", name).upper().lower()
def safe(path):
    ok = lambda p: p and p[-1] not in ". " and not DEVICE.match(p) and len(p.encode()) < 256
    return (path != "-" and not CONTROL.search(path) and unicodedata.is_normalized("NFC", path)
            and len(path.encode()) < 4096 and all(map(ok, path.split("/"))))
def opened(path, places=dirs[:1]):
    for place in [os.path.join(one, path) for one in places]:
        try: fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError): continue
        except OSError: return note(9, path)
        return os.fdopen(fd, "rb") if stat.S_ISREG(os.fstat(fd).st_mode) else note(9, path)
def once(pairs):
    assert len(dict(pairs)) == len(pairs), "a key twice"
    return dict(pairs)
def parse(data, exact=True):
    value = json.loads(data.decode(), parse_float=Exception, object_pairs_hook=once)
    text = (json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    assert text == data or not exact, "not the one encoding"
    return value

def check_signature(data, manifest):
    run = lambda *words: subprocess.run(["openssl", *words], capture_output=True)
    b64 = lambda data: base64.b64encode(data).decode()
    der, read = run("pkey", "-pubin", "-in", key, "-outform", "DER").stdout, parse(data)
    envelope, hint = read["dsseEnvelope"], read["verificationMaterial"]["publicKey"]["hint"]
    [one] = envelope["signatures"]
    body, sig = base64.b64decode(envelope["payload"]), base64.b64decode(one["sig"])
    dsse = {"payload": b64(body), "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": b64(sig), **({"keyid": hint} if "keyid" in one else {})}]}
    assert json.dumps(read) == json.dumps({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}}, "dsseEnvelope": dsse}), "encoding"
    says = parse(body, exact=False)
    digests = [s["digest"]["sha256"] for s in says["subject"] if s["name"] == OWN[0]]
    assert digests == [sha(manifest)], "the attestation is about another manifest"
    types = says["_type"], says["predicateType"]
    assert types == ("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"), types
    assert re.fullmatch("[A-Za-z0-9+/]{43}=", hint), "hint"
    named = hint == b64(hashlib.sha256(der).digest())
    with tempfile.TemporaryDirectory() as at:
        pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(body), body)
        for name, text in (("pae", pae), ("sig", sig)): open(f"{at}/{name}", "wb").write(text)
        how = f"pkeyutl -verify -pubin -inkey {key} -rawin -in {at}/pae -sigfile {at}/sig"
        if len(der) != 44: how = f"dgst -sha256 -verify {key} -signature {at}/sig {at}/pae"
        signed = run(*how.split()).returncode == 0
    assert signed == named, "signature"
    if not signed: note(5, f"signed by the key {hint}")

def read_manifest(data):
    m = parse(data)
    assert m["schemaVersion"] == 1 and m["mediaType"] == TAR[:30] + "manifest.v1+json", "type"
    paths = [f["path"] for f in m["files"]]
    m["archives"] = [f for f in m["files"] if f["role"] == "archive"]
    assert m["payload"]["layout"] == ("archive" if m["archives"] else "directory"), "layout"
    assert [f["path"] for f in m["files"] if f["role"] == "index"] == ["SHA256SUMS"], "index"
    assert paths == sorted(paths, key=str.encode) and all(map(safe, paths)), "paths"
    assert not [p for p in paths if p.endswith((".sigstore.json", ".hmac.json"))], "signatures"
    assert len(set(map(folded, OWN + paths))) == len(OWN + paths), "two names collide"
    m["mtime"] = datetime.datetime.strptime(m["created"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    return m
def check_file(f, places):
    file, volume = opened(f["path"], places), f["role"] == "archive"
    data = file.read(f["size"] + 1) if file else b""
    if file is None and 9 not in found: note(10 if "volume" in f else 6, f["path"])
    elif file and volume and len(data) != f["size"]: note(8 if len(data) > f["size"] else 10, f)
    elif file and sha(data) != f["sha256"]: note(7, f["path"])
    return data
def read_index(data):
    paths, names, last = {}, {}, ""
    for line in data.split(b"\n")[:-1]:
        digest, path = line[:64].decode(), line[66:].decode(errors="replace")
        if not re.fullmatch("[0-9a-f]{64}", digest) or line[64:66] != b"  ": return note(8, line)
        if not safe(path): return note(9, path)
        if last.encode() >= path.encode(): return note(8, path)
        for prefix in ["/".join(path.split("/")[:n + 1]) for n in range(path.count("/") + 1)]:
            if prefix in paths or names.setdefault(folded(prefix), prefix) != prefix: note(9, path)
        paths[path], last = digest, path
    return paths

def header(path, size, mode, mtime):
    def block(name, prefix, size, kind, mode):
        fields = b"%06o \x00000000 \x00000000 \x00%011o %011o " % (mode, size, mtime)
        head = name.ljust(100, b"\0") + fields
        tail = kind + bytes(100) + b"ustar\x0000" + bytes(80) + prefix.ljust(167, b"\0")
        return head + b"%06o\0 " % (sum(head) + sum(tail) + 256) + tail
    raw, pax = path.encode(), b""
    slash = raw.find(b"/", len(raw) - 100) if len(raw) > 100 else -1
    fits = len(raw) <= 100 or 0 <= slash <= 155 and slash < len(raw) - 1
    name = raw[slash + 1:] if fits else raw[:100].decode(errors="ignore").encode()
    if not fits or max(raw) > 127:
        n = next(n for n in range(9999) if n == len(str(n)) + len(raw) + 7)
        pax = block(b"PaxHeaders/" + sha(raw)[:12].encode(), b"", n, b"x", 0o644)
        pax += b"%d path=%s\n" % (n, raw) + bytes(-n % 512)
    return pax + block(name, raw[:slash] if fits and slash > 0 else b"", size, b"0", mode)

def check_archive(tar, index, mtime):
    at = 0
    for path, digest in index.items():
        start = at + len(header(path, 0, 0, 0))
        size = int(re.match(rb"[0-7]{0,11}", tar[start - 388:start])[0] or b"0", 8)
        name, end = tar[at:at + 100].rstrip(b"\0").decode(errors="replace"), start + size
        if tar[at:start] not in [header(path, size, mode, mtime) for mode in (0o644, 0o755)]:
            odd = name and (tar[start - 356:start - 355] != b"0" or not safe(name))
            return note(9 if odd else 6 if not name or name > path else 8, path)
        at = end + -size % 512
        if sha(tar[start:end]) != digest: note(7, path)
        if tar[end:at].strip(b"\0"): note(8, path)
    if tar[at:] != bytes(1024): note(10 if tar[at:] in (b"", bytes(512)) else 8, "the end")
def check_directory(root, index, most):
    for place in [os.path.join(at, n) for at, f, g in os.walk(root) for n in f + g]:
        kind = os.lstat(place).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind): note(9, place)
        elif stat.S_ISREG(kind) and os.path.relpath(place, root) not in index: note(8, place)
    for path, digest in index.items():
        check_file({"path": "payload/" + path, "role": "", "size": most, "sha256": digest}, dirs)

manifest, attestation = opened(OWN[0]) or stop(3, "no manifest"), opened(OWN[1])
manifest, code = manifest.read(), 4
try:
    check_signature(attestation.read(), manifest) if attestation else note(5, "no attestation")
    code = 3
    m = read_manifest(manifest)
except (AssertionError, ValueError, KeyError, TypeError) as error: stop(code, repr(error))
data = {f["path"]: check_file(f, dirs) for f in m["files"]}
index = read_index(data["SHA256SUMS"]) if not set(found) - {5} else None
if index and m["archives"]:
    tar = b"".join(data[f["path"]] for f in m["archives"])
    if m["archives"][0]["mediaType"] != TAR:
        tar = subprocess.run(["zstd", "-dc"], input=tar, capture_output=True).stdout
    check_archive(tar, index, int(m["mtime"]))
elif index: check_directory(os.path.join(dirs[0], "payload"), index, m["payload"]["bytes"])
if index and not set(found) - {5} and len(index) != m["payload"]["files"]: note(7, "payload.files")
stop()
