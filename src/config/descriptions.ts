/**
 * Descriptions of the keys of stella.yaml, for `stella config schema` and the manual. NAME stands
 * for a name chosen in the file, `[]` for an item of a list. They are apart from the schemas
 * because most commands read a configuration but none needs a description.
 */
export const descriptions: Readonly<Record<string, string>> = {
  "version": "Version of this format: 1.",

  "registries":
    "OCI registries by a name of your choice, for images and for the targets of profiles.",
  "registries.NAME.url": "`https://HOST[:PORT]`, without path or credentials.",
  "registries.NAME.serves":
    "`HOST[:PORT]` in references to images that this registry serves, such as `docker.io`. Default: " +
    "the host of `url`.",
  "registries.NAME.redirects":
    "Hosts to which this registry may redirect reads, written as in `egress.allow`. Default: any " +
    "with https, but no private address unless the registry has one.",
  "registries.NAME.plainHttp": "Allow `http://` for a host that is not this machine.",
  "registries.NAME.ca": "PEM file with the only certificate authorities trusted for this registry.",
  "registries.NAME.credentialsFile":
    'File with `{"username": ..., "password": ...}`, or docker\'s `config.json`; mode 0600.',
  "registries.NAME.credential":
    "Name of a systemd credential (`LoadCredential=NAME:PATH`), in place of `credentialsFile`.",
  "registries.NAME.clientCertificate":
    "PEM file with the client certificate shown to this registry; needs `clientKey`.",
  "registries.NAME.clientKey": "PEM file with its private key; mode 0600.",

  "tenants": "Tenants that exist; exports, bundles and events of one are hidden from the others.",

  "profiles": "Profiles by name. `kit` is built in and cannot be configured.",
  "profiles.NAME.kind":
    "`files` packs files, `risk` joins data about vulnerabilities, `images` carries images.",
  "profiles.NAME.tenants":
    "Tenants that may export this profile; for all others it does not exist. Default: every tenant.",
  "profiles.NAME.sources": "Kind `files`: what to pack, at least one source.",
  "profiles.NAME.sources[].files":
    "Absolute path of a file, or of a directory to pack with all below.",
  "profiles.NAME.sources[].prefix": "Directory in the payload that the files go to.",
  "profiles.NAME.sources[].include":
    "Globs over the paths below the source: pack only files that match one of them.",
  "profiles.NAME.sources[].exclude":
    "Globs: leave out what matches; a directory with everything below it.",
  "profiles.NAME.sources[].follow":
    "Pack copies of what symbolic links inside the source lead to. Other links are refused.",
  "profiles.NAME.providers": "Kind `risk`: where the data comes from, at least one provider.",
  "profiles.NAME.providers[].kind": "`kev`, `osv`, `epss` or `csaf`.",
  "profiles.NAME.providers[].path": "Absolute path of a file or directory; either this or `url`.",
  "profiles.NAME.providers[].url":
    "`https://HOST[:PORT]/PATH` of a file; needs `sha256`. Redirects are not followed.",
  "profiles.NAME.providers[].sha256": "SHA-256 of the content behind `url`.",
  "profiles.NAME.providers[].ca":
    "PEM file with the only certificate authorities trusted for `url`.",
  "profiles.NAME.providers[].licence": "Licence of the data, kept in `providers.json`.",
  "profiles.NAME.providers[].asOf":
    "Date of the data, `YYYY-MM-DD` or RFC 3339. Default: what the data says, else `created`.",
  "profiles.NAME.providers[].onInvalid":
    "`fail` ends the export on invalid records and lists all; `skip` leaves them out and counts them.",
  "profiles.NAME.providers[].maxRecordBytes":
    "Largest file with one record, in bytes. Default: 256 MiB for JSON, 1 MiB for YAML.",
  "profiles.NAME.images":
    "Kind `images`: what to carry, at least one `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.",
  "profiles.NAME.secretFile": "Shared secret that signs the manifest as well (HMAC); mode 0600.",
  "profiles.NAME.compression":
    "Of the archive: `zstd` or `none`. Default: `none` for the kind `images`, else `zstd`.",
  "profiles.NAME.sla":
    "Duration in which an export should finish, such as `15m`, below `2h`; for metrics and alerts.",
  "profiles.NAME.targets": "Where a finished bundle is published.",
  "profiles.NAME.targets[].directory":
    "Absolute path of a directory for the newest bundle. `{tenant}` is replaced.",
  "profiles.NAME.targets[].registry": "Name of one of `registries`; needs `repository` and `tag`.",
  "profiles.NAME.targets[].repository":
    "Repository in that registry, such as `exports/advisories`.",
  "profiles.NAME.targets[].tag":
    "Tag. `{created}` and `{tenant}` are replaced; `{created}` becomes `20260101T000000Z`.",
  "profiles.NAME.schedule": "When the service exports the profile by itself.",
  "profiles.NAME.schedule.cron": "Minute, hour, day of month, month, day of week: `0 3 * * *`.",
  "profiles.NAME.schedule.zone": "Time zone of `cron`, such as `Europe/Berlin`.",
  "profiles.NAME.schedule.tenant":
    "Tenant that the export belongs to. Default: the first tenant of the profile.",
  "profiles.NAME.schedule.whenUnchanged":
    "If files, options and keys equal those of the newest stored bundle: `skip` stores no second " +
    "one, `export` does.",
  "profiles.NAME.retention":
    "Which stored bundles the service keeps, for each tenant. Default: all. The newest always stays.",
  "profiles.NAME.retention.keep": "Keep this many of the newest.",
  "profiles.NAME.retention.days": "Keep those of the last days; with `keep`: what either keeps.",

  "egress": "Which connections stella may make.",
  "egress.sealed": "Allow only connections to what `allow` lists.",
  "egress.allow":
    "`HOST`, `HOST:PORT`, `*.DOMAIN` or an address. A name is compared as it was asked for.",

  "timeline": "Event history of exports.",
  "timeline.days": "Days for which events are kept.",

  "traces": "Send traces of exports to a collector. Default: no traces.",
  "traces.endpoint": "Base URL of an OTLP/HTTP collector; `/v1/traces` is added.",
  "traces.plainHttp": "Allow `http://` for a host that is not this machine.",
  "traces.ca": "PEM file with the only certificate authorities trusted for the collector.",

  "service": "Settings of `stella serve`.",
  "service.concurrency": "Exports that run at the same time.",
  "service.stallTimeout":
    "End an export that makes no progress for this long, and try it again. Default: `30m`.",
  "service.listen":
    "`IP:PORT` of the API. `--listen` and `STELLA_LISTEN` win over it. Default: `127.0.0.1:8420`.",
  "service.opsListen":
    "`IP:PORT` where health, status, metrics, runbook and manual are served too, without tokens.",
  "service.hosts":
    "Names by which clients reach the service, in addition to IP addresses. Requests to others get 421.",
  "service.tls": "Serve the API by TLS.",
  "service.tls.certificate": "PEM file with the certificate and the authorities in between.",
  "service.tls.key": "PEM file with its private key, not readable by others.",
  "service.retentionDays": "Days for which a finished export is remembered.",
  "service.scrubDays":
    "Days in which every stored bundle is read once and compared with its manifest; 0: never.",
  "service.maxRequests":
    "API requests served at the same time, and half as many downloads. More get 503. One tenant gets " +
    "at most half.",
  "service.maxQueued": "Exports of one tenant that may wait. More get 429 with `Retry-After`.",

  "tokens": "Bearer tokens of the API, by name. The name appears in logs as the actor.",
  "tokens.NAME.sha256": "SHA-256 of the token in hexadecimal. The token itself is stored nowhere.",
  "tokens.NAME.tenants": "Tenants that the token may act for.",
  "tokens.NAME.scopes":
    "`read` exports, profiles and events; `download` bundles; `write`: request, cancel and retry " +
    "exports; `admin`: remove them.",
};
