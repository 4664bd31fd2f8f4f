/**
 * A constant small bundle, signed with a key that was discarded, for the readiness check. Index and
 * archive are encoded from the one payload file, as in an export.
 */

export const probePath = "golden.txt";
export const probeContent = "golden\n";

export const probeManifest =
  `{"schemaVersion":1,"mediaType":"application/vnd.stella.bundle.manifest.v1+json","profile":"golden","tenant":"default","created":"2026-01-01T00:00:00Z","tool":{"name":"stella","version":"0.1.0","commit":"unknown"},"payload":{"layout":"archive","index":"SHA256SUMS","files":1,"bytes":7},"files":[{"path":"SHA256SUMS","role":"index","size":77,"sha256":"275a0ac1e9d8382403674dd90c58bcf88c73fca1a4a4977492f3cb69b055ae38"},{"path":"golden.tar","role":"archive","mediaType":"application/vnd.stella.bundle.archive.v1.tar","size":2048,"sha256":"9230b01937cabf5877357949dd7ab661b83bc23e606fd64a88da4e6e6e0a3206","uncompressedSize":2048,"chunkSize":4194304,"chunks":[{"size":2048,"sha256":"9230b01937cabf5877357949dd7ab661b83bc23e606fd64a88da4e6e6e0a3206"}]}]}`;

export const probeAttestationFile =
  `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"r0ye1T4QPBUjCBC81CsqnSsVTlvjojGHXBCodZSN1m0="}},"dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJuYW1lIjoibWFuaWZlc3QuanNvbiIsImRpZ2VzdCI6eyJzaGEyNTYiOiJlY2U2NmJhZTBhOGZlMGRiMDBkNmE1ZDcwMjEzOTllMWM0MjlmMzJiNDc0NDc5YjM1Y2I1Y2ZjZTdhNGU1MzlhIn19LHsibmFtZSI6InJlZ2lzdHJ5LW1hbmlmZXN0IiwiZGlnZXN0Ijp7InNoYTI1NiI6ImNlNTY4NjYwZGY5M2VlMzg4YmM5NWQ0MWQ2MmQyOWZiNWZlMTE2YjAyYmQ0NDAyMjY5Yjc2YTYzY2ViMTFjYWEifX1dLCJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6Ly9zbHNhLmRldi9wcm92ZW5hbmNlL3YxIiwicHJlZGljYXRlIjp7ImJ1aWxkRGVmaW5pdGlvbiI6eyJidWlsZFR5cGUiOiJ1cm46c3RlbGxhOmJ1bmRsZTp2MSIsImV4dGVybmFsUGFyYW1ldGVycyI6eyJwcm9maWxlIjoiZ29sZGVuIiwidGVuYW50IjoiZGVmYXVsdCIsImNvbXByZXNzaW9uIjoibm9uZSIsImxheW91dCI6ImFyY2hpdmUiLCJjcmVhdGVkIjoiMjAyNi0wMS0wMVQwMDowMDowMFoifSwiaW50ZXJuYWxQYXJhbWV0ZXJzIjp7fSwicmVzb2x2ZWREZXBlbmRlbmNpZXMiOlt7Im5hbWUiOiJzb3VyY2UtMSIsImRpZ2VzdCI6eyJzaGEyNTYiOiIyNzVhMGFjMWU5ZDgzODI0MDM2NzRkZDkwYzU4YmNmODhjNzNmY2ExYTRhNDk3NzQ5MmYzY2I2OWIwNTVhZTM4In19XX0sInJ1bkRldGFpbHMiOnsiYnVpbGRlciI6eyJpZCI6InVybjpzdGVsbGEiLCJ2ZXJzaW9uIjp7InN0ZWxsYSI6IjAuMS4wIn19LCJtZXRhZGF0YSI6eyJpbnZvY2F0aW9uSWQiOiJlY2U2NmJhZTBhOGZlMGRiMDBkNmE1ZDcwMjEzOTllMWM0MjlmMzJiNDc0NDc5YjM1Y2I1Y2ZjZTdhNGU1MzlhIn19fX0=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"crHwtp30XDtKRxDotN4ysoPctot82shc6KSNAx23iwjX7GsrRpLV5BQMK59d6LrdUCbmi/oifiGhUzTtm01GCg=="}]}}`;

export const probeKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAgISQoYNQoT/tmN5zXrj0i5pFPdb8QiPZo96Bp2KBN1A=
-----END PUBLIC KEY-----`;
