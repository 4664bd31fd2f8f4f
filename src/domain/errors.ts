/**
 * Errors: one class, closed lists of kinds and reasons. Code tells failures apart by `kind` or
 * `reason`, never by their texts.
 *
 * Kinds and reasons are a contract with scripts and never change their meaning; a test compares
 * src/docs/errors.md with these tables.
 */

export const exitCodes = {
  ok: 0,
  defect: 1,
  usage: 2,
  config: 2,
  manifest: 3,
  signature: 4,
  untrusted: 5,
  missing: 6,
  differs: 7,
  unexpected: 8,
  unsafe: 9,
  truncated: 10,
  rollback: 11,
  io: 12,
  remote: 13,
  conflict: 14,
  busy: 14,
  policy: 15,
  not_found: 16,
  stale: 16,
  interrupted: 130,
} as const;

export type ErrorKind = Exclude<keyof typeof exitCodes, "ok">;

/** Why something failed. The kind follows from the reason, so each stands in one list only. */
export const reasons = {
  defect: ["defect", "build_failed", "permissions_kept", "worker_crashed", "worker_lost"],
  usage: [
    "argument_invalid",
    "argument_missing",
    "body_too_large",
    "headers_too_large",
    "host_unknown",
    "id_invalid",
    "input_duplicate",
    "input_empty",
    "layout_unsuitable",
    "media_type_unsupported",
    "method_not_allowed",
    "name_invalid",
    "options_conflict",
    "output_unsuitable",
    "path_reserved",
    "place_ambiguous",
    "profile_unknown",
    "program_unsuitable",
    "range_unsatisfiable",
    "record_invalid",
    "reference_invalid",
    "request_invalid",
    "risk_data_missing",
    "trust_from_medium",
  ],
  config: [
    "certificate_invalid",
    "configuration_changed",
    "configuration_invalid",
    "credentials_invalid",
    "database_invalid",
    "digest_file_invalid",
    "environment_invalid",
    "file_exposed",
    "hostile_environment",
    "key_invalid",
    "key_missing",
    "passphrase_invalid",
    "secret_invalid",
    "service_manager",
    "state_invalid",
    "token_invalid",
    "toolchain_missing",
  ],
  manifest: [
    "artifact_invalid",
    "bundle_missing",
    "images_invalid",
    "manifest_invalid",
    "manifest_missing",
    "risk_data_invalid",
  ],
  signature: [
    "malformed",
    "payload_type",
    "predicate_type",
    "signature_invalid",
    "subject_mismatch",
  ],
  untrusted: [
    "attestation_missing",
    "hmac_missing",
    "key_revoked",
    "key_unknown",
    "threshold_not_met",
  ],
  missing: ["entry_missing", "file_missing", "not_judged"],
  differs: [
    "blob_differs",
    "build_differs",
    "bundle_damaged",
    "digest_mismatch",
    "payload_differs",
    "registry_manifest_differs",
    "size_differs",
  ],
  unexpected: [
    "chunk_not_decodable",
    "entry_unexpected",
    "header_differs",
    "index_malformed",
    "mode_differs",
    "mtime_differs",
    "padding_differs",
    "trailing_data",
  ],
  unsafe: [
    "case_collision",
    "entry_path",
    "entry_type",
    "file_changed",
    "name_reserved",
    "private_file",
    "unsafe_entry",
    "unsafe_name",
  ],
  truncated: ["truncated", "volume_missing"],
  rollback: ["fork", "rollback", "sequence_jump"],
  io: [
    "medium_failed",
    "no_space",
    "output_failed",
    "path_missing",
    "path_unusable",
    "permission_denied",
    "read_only",
    "size_changed",
    "stream_failed",
    "too_many_open_files",
  ],
  remote: [
    "auth",
    "image_invalid",
    "image_missing",
    "not_ready",
    "not_a_service",
    "rejected",
    "reset",
    "server_error",
    "timeout",
    "unreachable",
  ],
  conflict: [
    "address_in_use",
    "idempotency_key_reused",
    "inputs_changed",
    "key_differs",
    "lock_held",
    "output_exists",
    "profile_removed",
    "state_conflict",
    "stream_unavailable",
  ],
  busy: [
    "database_locked",
    "directory_held",
    "queue_full",
    "service_stopping",
    "service_unavailable",
    "too_many_requests",
    "too_many_streams",
  ],
  policy: [
    "egress_refused",
    "origin_refused",
    "plain_http",
    "scope_missing",
    "tenant_refused",
    "token_missing",
  ],
  not_found: ["not_found"],
  stale: ["stale"],
  interrupted: ["cancelled", "interrupted", "lease_lost"],
} as const satisfies Record<ErrorKind, readonly string[]>;

export type ReasonOf<K extends ErrorKind> = (typeof reasons)[K][number];
/** `more_findings` counts what is not listed; `other` came over the wire and is not known here. */
export type Reason = ReasonOf<ErrorKind> | "more_findings" | "other";

const kindsOfReasons = new Map<string, ErrorKind>(
  Object.entries(reasons).flatMap(([kind, all]) => all.map((one) => [one, kind as ErrorKind])),
);

/** Undefined for a reason that is not known here, such as one of a later version. */
export function reasonNamed(name: unknown): Reason | undefined {
  return typeof name === "string" && kindsOfReasons.has(name) ? name as Reason : undefined;
}

/** Names that earlier builds gave to kinds; databases and other services still hold them. */
const formerNames: Readonly<Record<string, ErrorKind>> = {
  internal: "defect",
  digest: "differs",
  base: "rollback",
  media: "io",
  registry: "remote",
};

export function kindNamed(name: unknown): ErrorKind | undefined {
  if (typeof name !== "string" || name === "ok") return undefined;
  if (Object.hasOwn(exitCodes, name)) return name as ErrorKind;
  return Object.hasOwn(formerNames, name) ? formerNames[name] : undefined;
}

/**
 * Status with which the API answers a reason, else its kind, else 500: RFC 9110, RFC 6585, RFC 4918,
 * draft-ietf-httpapi-idempotency-key-header-07.
 */
const statuses = {
  body_too_large: 413,
  busy: 503,
  conflict: 409,
  headers_too_large: 431,
  host_unknown: 421,
  idempotency_key_reused: 422,
  interrupted: 503,
  media_type_unsupported: 415,
  method_not_allowed: 405,
  no_space: 507,
  not_found: 404,
  not_ready: 503,
  policy: 403,
  queue_full: 429,
  range_unsatisfiable: 416,
  remote: 502,
  rollback: 409,
  stale: 404,
  token_missing: 401,
  usage: 400,
} as const satisfies Partial<Record<Reason | ErrorKind, number>>;

export type HttpStatus = (typeof statuses)[keyof typeof statuses] | 500;

export function statusOf(reason: Reason, kind = kindOf(reason)): HttpStatus {
  const known: Partial<Record<string, HttpStatus>> = statuses;
  return known[reason] ?? known[kind] ?? 500;
}

/** What a status says where the answer does not say more: of an earlier build, or of a proxy. */
export function reasonOfStatus(status: number): Reason {
  return generalReasons[status] ?? "server_error";
}

const generalReasons: Readonly<Record<number, Reason>> = {
  400: "request_invalid",
  401: "token_missing",
  403: "scope_missing",
  404: "not_found",
  409: "state_conflict",
  413: "body_too_large",
  415: "media_type_unsupported",
  416: "range_unsatisfiable",
  421: "host_unknown",
  422: "request_invalid",
  429: "queue_full",
  431: "headers_too_large",
  503: "service_unavailable",
  507: "no_space",
};

/** One thing that is wrong. Text fields may hold attacker text: render escaped. */
export interface Finding {
  kind: ErrorKind;
  reason: Reason;
  /** The file it is about, as the manifest or the index spells it. */
  path?: string;
  /** Byte range [from, to) in `path`, or line of a text file as `line`. */
  range?: [number, number];
  line?: number;
  found?: string;
  expected?: string;
  /** What to do next. */
  hint?: string;
}

/** A finding; its kind is the one of the reason. */
export function finding(reason: Reason, facts: Omit<Finding, "kind" | "reason"> = {}): Finding {
  return { kind: kindOf(reason), reason, ...facts };
}

export interface ErrorDetails {
  /** Everything found, where one message is not enough. */
  findings?: readonly Finding[] | undefined;
  /** What to do next; begins with a verb. */
  hint?: string | undefined;
  cause?: unknown;
  /** Where it is not the one of the reason: a registry's `digest_mismatch` is `remote`. */
  kind?: ErrorKind;
}

export class StellaError extends Error {
  override readonly name: string = "StellaError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly findings: readonly Finding[];

  /** @param message what could not be done, then why: `Cannot push "kit": the registry ...` */
  constructor(readonly reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = details.kind ?? kindOf(reason);
    this.hint = details.hint;
    this.findings = details.findings ?? [];
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }

  /** The same failure in other words. */
  reworded(message: string, details: ErrorDetails = {}): StellaError {
    const { kind, hint, findings } = this;
    return new StellaError(this.reason, message, { kind, hint, findings, cause: this, ...details });
  }
}

/** The order in which findings and bundles decide the exit code. */
const worstFirst: readonly ErrorKind[] = [
  "manifest",
  "signature",
  "rollback",
  "unsafe",
  "unexpected",
  "differs",
  "truncated",
  "missing",
  "untrusted",
];

/** The kind that decides the exit code: the worst about content, else the first. */
export function worstOf(kinds: readonly ErrorKind[]): ErrorKind | undefined {
  return worstFirst.find((one) => kinds.includes(one)) ?? kinds[0];
}

/** The exit code of several bundles, of which each has one. */
export function worstExitCode(codes: readonly number[]): number {
  const worst = worstFirst.map((kind): number => exitCodes[kind])
    .find((code) => codes.includes(code));
  return worst ?? codes.find((code) => code !== 0) ?? 0;
}

export function kindOf(reason: Reason): ErrorKind {
  return kindsOfReasons.get(reason) ?? "defect";
}

/**
 * The message of anything that was thrown; never empty. Connecting to several addresses fails with
 * an error for each and no message of its own.
 */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.message !== "") return thrown.message;
  const parts = thrown instanceof AggregateError ? thrown.errors.map(messageOf) : [];
  if (parts.length > 0) return parts.join("; ");
  return "code" in thrown ? String(thrown.code) : thrown.name;
}

/** An error as data: in the API, in the database of jobs and in the log. */
export interface ErrorRecord {
  /** The kind. */
  code: string;
  /** Absent in what earlier builds wrote. */
  reason?: string;
  message: string;
  hint?: string;
  findings?: readonly FindingRecord[];
}

export type FindingRecord = Omit<Finding, "kind" | "reason"> & { code: string; reason: string };

/** Without its findings, of which each place keeps as many as it has room for. */
export function errorRecord(thrown: unknown): ErrorRecord {
  const message = messageOf(thrown);
  if (!(thrown instanceof StellaError)) return { code: "defect", reason: "defect", message };
  const { kind, reason, hint } = thrown;
  return { code: kind, reason, message, ...(hint === undefined ? {} : { hint }) };
}

/** An error without its class, which messages between threads do not preserve. */
export interface Failure {
  reason: Reason;
  message: string;
  details: Pick<ErrorDetails, "kind" | "hint" | "findings">;
}

export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof StellaError)) {
    return { reason: "defect", message: messageOf(thrown), details: {} };
  }
  const { reason, message, kind, hint, findings } = thrown;
  return { reason, message, details: { kind, hint, findings } };
}

export function errorOf({ reason, message, details }: Failure): StellaError {
  return new StellaError(reason, message, details);
}
